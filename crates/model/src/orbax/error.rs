//! Why a checkpoint cannot be read.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why an Orbax checkpoint cannot be read.
#[derive(Debug, Error)]
pub enum OrbaxError {
    /// The folder is no checkpoint.
    #[error(
        "{0} is no Orbax checkpoint: it holds neither manifest.ocdbt nor zarr arrays; \
         name the folder checkpoint-NNN.eqx itself"
    )]
    NoCheckpoint(PathBuf),
    /// A file cannot be read.
    #[error("cannot read {path}, a part of the checkpoint: {source}; copy the checkpoint again")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} is damaged: {reason}; copy the checkpoint again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the value.
        reason: String,
    },
    /// A file asks for something that the original does not write.
    #[error(
        "{path} has {feature}, which is not read here; \
         save the checkpoint again as the original's train.py does"
    )]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it has.
        feature: String,
    },
    /// An array that is not in the checkpoint.
    #[error("the checkpoint {path} has no array {name}")]
    NoArray {
        /// The checkpoint.
        path: PathBuf,
        /// The array.
        name: String,
    },
}

/// What is wrong with some bytes, before it is known which file they are from.
#[derive(Debug)]
pub(super) enum Flaw {
    Damaged(String),
    Unsupported(String),
}

impl Flaw {
    /// The same, of a file.
    pub(super) fn of(self, path: &Path) -> OrbaxError {
        let path = path.to_owned();
        match self {
            Self::Damaged(reason) => OrbaxError::Damaged { path, reason },
            Self::Unsupported(feature) => OrbaxError::Unsupported { path, feature },
        }
    }

    /// The same, said of a part of the file.
    pub(super) fn within(self, part: &str) -> Self {
        match self {
            Self::Damaged(reason) => Self::Damaged(format!("{part}: {reason}")),
            Self::Unsupported(feature) => Self::Unsupported(format!("{feature} ({part})")),
        }
    }
}

/// A flaw in what is stored.
pub(super) fn damaged<T>(reason: impl Into<String>) -> Result<T, Flaw> {
    Err(Flaw::Damaged(reason.into()))
}

/// Something that the original does not write.
pub(super) fn unsupported<T>(feature: impl Into<String>) -> Result<T, Flaw> {
    Err(Flaw::Unsupported(feature.into()))
}
