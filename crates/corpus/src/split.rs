//! Which pieces are for training and which for validation.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::CorpusError;

/// What a piece is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The model learns from it.
    Train,
    /// The model is judged by it while it learns.
    Valid,
    /// Kept for the end.
    Test,
}

/// A CSV file that says which piece is for what.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    splits: HashMap<PathBuf, Split>,
}

#[derive(Deserialize)]
struct Row {
    path: PathBuf,
    split: String,
}

impl Manifest {
    /// Reads a manifest with the columns `path` (relative to the folder of MIDI
    /// files) and `split` (train, valid or validation, test); others are
    /// ignored.
    ///
    /// # Errors
    /// [`CorpusError::Manifest`] for a file that cannot be read, lacks a column
    /// or names another split.
    pub fn load(path: &Path) -> Result<Self, CorpusError> {
        let wrong = |reason: String| CorpusError::Manifest {
            path: path.to_owned(),
            reason,
        };
        let mut reader = csv::Reader::from_path(path).map_err(|error| wrong(error.to_string()))?;
        let mut splits = HashMap::new();
        for row in reader.deserialize() {
            let row: Row = row.map_err(|error| wrong(error.to_string()))?;
            let split = match row.split.to_ascii_lowercase().as_str() {
                "train" => Split::Train,
                "valid" | "validation" => Split::Valid,
                "test" => Split::Test,
                other => {
                    return Err(wrong(format!(
                        "{} has the split {other:?}",
                        row.path.display()
                    )));
                }
            };
            splits.insert(row.path, split);
        }
        Ok(Self { splits })
    }

    /// The split of a file, where the manifest names it.
    pub fn split(&self, file: &Path) -> Option<Split> {
        self.splits.get(file).copied()
    }
}

/// The seed of splits where none is given.
pub(crate) const SPLIT_SEED: u64 = 255;

/// Train or valid by the hash of a piece's notes and a seed: the same whatever
/// other pieces there are.
pub(crate) fn by_hash(hash: &blake3::Hash, seed: u64, valid_proportion: f64) -> Split {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(hash.as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    let share = u64::from_le_bytes(bytes) as f64 / u64::MAX as f64;
    if share < valid_proportion {
        Split::Valid
    } else {
        Split::Train
    }
}
