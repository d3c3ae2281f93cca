//! What became of each file: `report.json`.

use serde::{Deserialize, Serialize};

/// A file that was skipped or read in part.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Failure {
    /// The file, relative to the folder of MIDI files.
    pub file: String,
    /// What is wrong with it, or lost from it.
    pub reason: String,
}

/// Figures of a tokenised corpus.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Report {
    /// MIDI files found.
    pub files: usize,
    /// Pieces kept.
    pub pieces: usize,
    /// Those for training.
    pub train_pieces: usize,
    /// Those for validation.
    pub valid_pieces: usize,
    /// Those kept for the end.
    pub test_pieces: usize,
    /// Files with the same notes as an earlier one.
    pub duplicates: Vec<Failure>,
    /// Files that could not be used.
    pub failures: Vec<Failure>,
    /// Files that are damaged, of which the sound part was kept.
    pub damaged: Vec<Failure>,
    /// Notes of the kept pieces.
    pub notes: usize,
    /// Their length in hours.
    pub hours: f64,
    /// Base tokens.
    pub base_tokens: u64,
    /// Ids after BPE.
    pub ids: u64,
    /// Size of the vocabulary, BPE included.
    pub vocabulary: usize,
    /// Seconds that all of it took.
    pub elapsed_seconds: f64,
}

impl Report {
    /// Base tokens for each id.
    pub fn compression(&self) -> f64 {
        if self.ids == 0 {
            1.0
        } else {
            self.base_tokens as f64 / self.ids as f64
        }
    }
}
