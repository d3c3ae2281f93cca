//! What can go wrong, each with its remedy.

use std::path::PathBuf;

use thiserror::Error;

/// A configuration that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A value out of its range.
    #[error("tokenizer setting {field} is {value}; it must be {expected}")]
    Invalid {
        /// The field's name in MidiTok.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A feature of MidiTok that this project does not have.
    #[error("the tokenizer uses {0}, which is not supported; train a REMI tokenizer without it")]
    Unsupported(String),
}

/// A score that the tokenizer cannot represent.
#[derive(Debug, Error)]
pub enum EncodeError {
    /// A token that the vocabulary lacks.
    #[error(
        "the piece needs the token {token}, which the tokenizer's vocabulary of {vocabulary} base tokens lacks; use a tokenizer with a wider range"
    )]
    NotInVocabulary {
        /// The token's name.
        token: String,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// So many bars that the file cannot be meant.
    #[error(
        "the piece spans {bars} bars, more than {limit}; the file is damaged or its tempo map is"
    )]
    TooManyBars {
        /// Bars from the beginning to the last event.
        bars: u64,
        /// The most that are encoded.
        limit: u64,
    },
}

/// A tokenizer file that cannot be read or written.
#[derive(Debug, Error)]
pub enum TokenizerFileError {
    /// The file cannot be opened, read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried: "read" or "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The file is not what MidiTok saves.
    #[error("{0} is not a MidiTok tokenizer: {1}; give the tokenizer.json that tokenize wrote")]
    Format(PathBuf, String),
    /// Its configuration cannot be used.
    #[error("{path}: {source}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ConfigError,
    },
}

/// BPE that cannot be trained.
#[derive(Debug, Error)]
pub enum BpeError {
    /// Nothing to learn from, or no room for anything learned.
    #[error(
        "a vocabulary of {wanted} has no room beside the {base} base tokens; ask for more than {base}"
    )]
    VocabularyTooSmall {
        /// The size asked for.
        wanted: usize,
        /// Base tokens, the word mark included.
        base: usize,
    },
    /// The `tokenizers` crate refused.
    #[error("BPE training failed: {0}")]
    Training(String),
}
