//! What can go wrong with a corpus, each with its remedy.

use std::io;
use std::path::PathBuf;

use remi::{BpeError, TokenizerFileError};
use thiserror::Error;

/// Why a dataset cannot be built or opened.
#[derive(Debug, Error)]
pub enum CorpusError {
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The folder of MIDI files holds none.
    #[error("{0} holds no .mid or .midi file; name a folder that does")]
    NoFiles(PathBuf),
    /// There are MIDI files, but none could be used.
    #[error("none of the {files} MIDI files could be used; the first: {first}")]
    NothingReadable {
        /// Files found.
        files: usize,
        /// What is wrong with the first of them.
        first: String,
    },
    /// A file could not be used, and the user wants none skipped.
    #[error("{path}: {reason}; repair or remove it, or leave out --strict to skip such files")]
    Strict {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The output is there already.
    #[error("{0} exists already; remove it or choose another folder")]
    Exists(PathBuf),
    /// The manifest cannot be used.
    #[error("{path}: {reason}; a manifest has columns path and split (train, valid or test)")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder is no dataset, or a damaged one.
    #[error("{path} is no dataset that can be used: {reason}; make it again with tokenize")]
    Damaged {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The tokenizer file cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerFileError),
    /// BPE cannot be trained.
    #[error(transparent)]
    Bpe(#[from] BpeError),
    /// The user asked to stop.
    #[error("stopped; nothing was written")]
    Stopped,
}

impl CorpusError {
    /// An [`CorpusError::Io`] of that action and path.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
