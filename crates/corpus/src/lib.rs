//! From a folder of MIDI files to a dataset folder of tokens, and back to the
//! tokens of each piece.
//!
//! [`build`] reads, encodes, drops duplicates, splits, trains BPE and writes
//! the folder; [`Dataset`] opens it. The format is described in
//! `docs/dataset.md`.

mod build;
mod dataset;
mod encode_file;
mod error;
mod files;
mod report;
mod split;
mod store;

pub use build::{Built, Observer, Options, Stage, TokenizerChoice, build};
pub use dataset::{Dataset, Piece, open_tokenizer};
pub use encode_file::{piano_score, read_file};
pub use error::CorpusError;
pub use files::midi_files;
pub use report::{Failure, Report};
pub use split::{Manifest, Split};
