//! Figures that describe music: of pieces, of sets of pieces, and of one set
//! beside another.
//!
//! A [`Piece`] is the piano part of a score in real time. [`FIGURES`] and
//! [`HISTOGRAMS`] are taken of each piece, a [`Set`] sums them up and compares
//! them with those of a reference, and [`Originals`] tells what was copied.
//! `docs/figures.md` lists all definitions and where they come from.
//!
//! ```
//! use figures::{FIGURES, Measured, Piece};
//! use score::{Note, Score, Track};
//!
//! let mut track = Track::piano();
//! let note = |onset, pitch| Note { onset, duration: 480, pitch, velocity: 80 };
//! track.notes = vec![note(0, 60), note(480, 64), note(960, 67)];
//! let mut score = Score::new(480);
//! score.tracks.push(track);
//! let piece = Piece::new(&score).ok_or("no note")?;
//! for (figure, value) in FIGURES.iter().zip(Measured::new(piece, true).figures()) {
//!     println!("{} {value:?}", figure.name);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod copying;
mod density;
pub mod distances;
pub mod groove;
pub mod histogram;
pub mod loops;
pub mod patterns;
mod piece;
pub mod pitch;
pub mod polyphony;
pub mod rhythm;
mod runs;
mod set;
pub mod structure;
mod table;
#[cfg(test)]
mod testing;
pub mod touch;

pub use copying::{Copying, Originals};
pub use distances::Likeness;
pub use histogram::{HISTOGRAMS, Histogram};
pub use piece::{Piece, TICKS_PER_SECOND, seconds};
pub use runs::{LONGEST_RUN, Runs, longest_common_run};
pub use set::{PieceFigures, Set, Summary};
pub use structure::Structure;
pub use table::{FIGURES, Figure, Measured};
