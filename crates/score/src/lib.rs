//! Scores: notes, sustain pedals, tempos and time signatures in ticks, read
//! from and written to MIDI files.
//!
//! ```
//! use score::{Note, Score, Track};
//!
//! let mut score = Score::new(480);
//! let mut track = Track::piano();
//! track.notes.push(Note { onset: 0, duration: 480, pitch: 60, velocity: 80 });
//! score.tracks.push(track);
//! let bytes = score::write_midi(&score)?;
//! let again = score::read_midi(&bytes)?.score;
//! assert_eq!(again.tracks[0].notes, score.tracks[0].notes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What a MIDI file means is what symusic 0.6.0 makes of it, because that is
//! what MidiTok, the reference for our tokens, sees.

mod damage;
mod measure;
mod merge;
mod pairing;
mod performance;
mod read;
mod tempo_map;
mod types;
mod write;

pub use damage::{Damage, Loss};
pub use measure::{Measures, measure};
pub use merge::{Merge, piano_track};
pub use performance::{PERFORMANCE_TICKS_PER_QUARTER, to_performance_time};
pub use read::{ReadError, Reading, read_midi};
pub use tempo_map::TempoMap;
pub use types::{Note, Pedal, Score, Tempo, TimeSignature, Track};
pub use write::{WriteError, write_midi};
