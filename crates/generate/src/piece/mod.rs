//! From a prompt to pieces of music: what both the command line and the page do.
//!
//! [`Prompt`] turns a score, or nothing, into ids; [`Pieces`] draws what follows,
//! tells each note as soon as it is complete, and ends each piece at its
//! [`Length`]; [`Drawn::music`] makes a score of it.

mod drawing;
mod length;
mod music;
mod prompt;

pub use drawing::{Drawn, PieceOptions, Pieces, Rules};
pub use length::{Ended, Length};
pub use music::Music;
pub use prompt::{Part, Prompt, PromptError};
