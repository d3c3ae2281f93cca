//! Piano scores as sound and as pictures.
//!
//! ```
//! use render::{Depth, Performance, Piano, PianoOptions};
//! # let mut score = score::Score::new(480);
//! # let mut track = score::Track::piano();
//! # track.notes.push(score::Note { onset: 0, duration: 48, pitch: 60, velocity: 80 });
//! # score.tracks.push(track);
//! let piano = Piano::new(44_100, PianoOptions::default());
//! let mut performance = Performance::new(&score, piano, 44_100, 1.0);
//! let mut file = std::io::Cursor::new(Vec::new());
//! render::write_wav(&mut performance, &mut file, Depth::Sixteen, |_samples| true)?;
//!
//! let picture = render::draw(&score, &render::PictureOptions::default());
//! assert!(picture.to_svg().starts_with("<svg"));
//! # Ok::<(), render::RenderError>(())
//! ```

mod audio;
mod error;
mod events;
mod instrument;
mod limiter;
mod performance;
mod piano;
mod picture;
mod soundfont;

pub use audio::{Depth, write_flac, write_wav};
pub use error::{RenderError, SAMPLE_RATES};
pub use events::{Event, EventKind, events};
pub use instrument::Instrument;
pub use limiter::Limiter;
pub use performance::Performance;
pub use piano::{Piano, PianoOptions, fundamental, inharmonicity};
pub use picture::{Align, Colour, Drawing, PictureOptions, Shape, draw};
pub use soundfont::SoundFontPlayer;
