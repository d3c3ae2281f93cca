//! The model folder: what every command passes on.
//!
//! | file | holds |
//! |---|---|
//! | `model.safetensors` | the weights, f32 or bf16, under Equinox's names; linear weights are `[out, in]` |
//! | `config.json` | [`ModelConfig`] and `tokenizer_sha256` |
//! | `tokenizer.json` | the tokenizer, byte for byte |
//! | `README.md` | the model card |
//!
//! `tokenizer_sha256` (also in the header of `model.safetensors`) ties the three
//! together: a folder whose parts do not belong together is refused.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::atomic::{write_folder, write_synced};
use crate::config::{ConfigError, ModelConfig};
use crate::parameters::parameters;
use crate::save::{SaveError, Source, Stored, write_weights};
use crate::weights::{Weights, WeightsError};

/// Name of the file of weights.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// Name of the file of the configuration.
pub const CONFIG_FILE: &str = "config.json";
/// Name of the tokenizer's file.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// Name of the model card.
pub const CARD_FILE: &str = "README.md";

/// Key of the tokenizer's hash in `config.json` and in the weights' header.
pub const HASH_KEY: &str = "tokenizer_sha256";

/// Why a model folder cannot be read or written.
#[derive(Debug, Error)]
pub enum FolderError {
    /// There is no such folder.
    #[error("there is no model folder {0}: train one with `tchaikovsky train`")]
    NoFolder(PathBuf),
    /// A file of the folder cannot be read.
    #[error("the model folder lacks {path} ({source}): copy or train it again")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder cannot be written.
    #[error("cannot write the model folder {path}: {source}; nothing was changed")]
    Write {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// `config.json` is no configuration.
    #[error("{path} is no model configuration: {source}")]
    ConfigJson {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: serde_json::Error,
    },
    /// `config.json` describes a model that cannot exist.
    #[error("{path}: {source}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ConfigError,
    },
    /// `config.json` does not say which tokenizer belongs to it.
    #[error(
        "{path} has no tokenizer_sha256; if the tokenizer.json beside it is the one \
         the model was trained with, add \"tokenizer_sha256\": \"{found}\""
    )]
    NoTokenizerHash {
        /// The configuration file.
        path: PathBuf,
        /// Hash of the tokenizer beside it.
        found: String,
    },
    /// Tokenizer and model do not belong together.
    #[error(
        "{model} was trained with a tokenizer of SHA-256 {expected}, but {tokenizer} has {found}: \
         put the right tokenizer.json back; a dataset for it is made by \
         `tchaikovsky tokenize --tokenizer`"
    )]
    OtherTokenizer {
        /// The file or folder that names the expected hash.
        model: PathBuf,
        /// The hash it names.
        expected: String,
        /// The tokenizer's file.
        tokenizer: PathBuf,
        /// Its hash.
        found: String,
    },
    /// The weights cannot be read or do not fit `config.json`.
    #[error("{folder}: {source}")]
    Weights {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        source: WeightsError,
    },
}

/// A model with all that belongs to it.
#[derive(Debug, Clone)]
pub struct ModelFolder {
    /// The model's shape.
    pub config: ModelConfig,
    /// Its weights.
    pub weights: Weights,
    /// The bytes of `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// The model card, Markdown.
    pub card: String,
}

/// The files of a model folder in memory.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// What errors call the folder.
    pub folder: &'a Path,
    /// [`CONFIG_FILE`].
    pub config: &'a [u8],
    /// [`WEIGHTS_FILE`].
    pub weights: &'a [u8],
    /// [`TOKENIZER_FILE`].
    pub tokenizer: &'a [u8],
    /// [`CARD_FILE`], Markdown.
    pub card: &'a str,
}

#[derive(Serialize, Deserialize)]
struct ConfigFile {
    #[serde(flatten)]
    model: ModelConfig,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokenizer_sha256: Option<String>,
}

impl ModelFolder {
    /// Reads and checks a model folder.
    ///
    /// # Errors
    /// A [`FolderError`] for a missing folder or file, a damaged file, a shape
    /// that does not fit, or a tokenizer that does not belong to the model.
    pub fn read(folder: &Path) -> Result<Self, FolderError> {
        if !folder.is_dir() {
            return Err(FolderError::NoFolder(folder.to_owned()));
        }
        let file = |name| read_file(&folder.join(name));
        Self::from_files(Files {
            folder,
            config: &file(CONFIG_FILE)?,
            weights: &file(WEIGHTS_FILE)?,
            tokenizer: &file(TOKENIZER_FILE)?,
            card: &fs::read_to_string(folder.join(CARD_FILE)).unwrap_or_default(),
        })
    }

    /// Reads and checks a model folder that is in memory.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn from_files(files: Files<'_>) -> Result<Self, FolderError> {
        let path = |name| files.folder.join(name);
        let (config, expected) = parse_config_and_hash(files.config, &path(CONFIG_FILE))?;
        let of_weights = |source| FolderError::Weights {
            folder: files.folder.to_owned(),
            source,
        };
        let weights = Weights::from_bytes(files.weights, &path(WEIGHTS_FILE));
        let weights = weights.map_err(of_weights)?;
        let in_weights = weights.metadata(HASH_KEY).map(str::to_owned);
        let named = [
            (path(CONFIG_FILE), expected),
            (path(WEIGHTS_FILE), in_weights),
        ];
        check_tokenizer(&named, &path(TOKENIZER_FILE), files.tokenizer)?;
        weights.check(&config).map_err(of_weights)?;
        Ok(Self {
            config,
            weights,
            tokenizer: files.tokenizer.to_owned(),
            card: files.card.to_owned(),
        })
    }

    /// Checks that the tokenizer in the file `tokenizer` (its bytes given) is that
    /// of this model, which lies in `folder`.
    ///
    /// # Errors
    /// [`FolderError::OtherTokenizer`].
    pub fn check_tokenizer(
        &self,
        folder: &Path,
        tokenizer: &Path,
        bytes: &[u8],
    ) -> Result<(), FolderError> {
        let named = [(folder.to_owned(), Some(sha256(&self.tokenizer)))];
        check_tokenizer(&named, tokenizer, bytes)
    }

    /// Writes the folder whole or not at all; an old one at `folder` is replaced.
    ///
    /// # Errors
    /// [`FolderError::Write`]; what was at `folder` before is still there.
    pub fn write(&self, folder: &Path) -> Result<(), FolderError> {
        self.write_with(folder, |_| Ok(()))
    }

    /// Like [`write`](Self::write), with the weights kept as `stored`.
    ///
    /// # Errors
    /// [`FolderError::Write`]; what was at `folder` before is still there.
    pub fn write_as(&self, folder: &Path, stored: Stored) -> Result<(), FolderError> {
        write_model(folder, self.parts(), stored, |_| Ok(()))
    }

    /// Like [`write`](Self::write), with further files: `extra` puts them into
    /// the folder that it is given, before that appears under its name.
    ///
    /// # Errors
    /// [`FolderError::Write`]; what was at `folder` before is still there.
    pub fn write_with(
        &self,
        folder: &Path,
        extra: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), FolderError> {
        write_model(folder, self.parts(), Stored::F32, extra)
    }

    fn parts(&self) -> Parts<'_, Weights> {
        Parts {
            config: &self.config,
            weights: &self.weights,
            tokenizer: &self.tokenizer,
            card: &self.card,
        }
    }
}

/// What makes a model folder.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a, W> {
    /// The model's shape.
    pub config: &'a ModelConfig,
    /// Its weights, read one by one while they are written.
    pub weights: &'a W,
    /// The bytes of `tokenizer.json`.
    pub tokenizer: &'a [u8],
    /// The model card, Markdown.
    pub card: &'a str,
}

/// Writes a model folder with weights from any source; `extra` puts further
/// files into the folder that it is given.
///
/// # Errors
/// [`FolderError::Weights`] where the source fails, or [`FolderError::Write`];
/// what was at `folder` before is still there.
pub fn write_model(
    folder: &Path,
    parts: Parts<'_, impl Source>,
    stored: Stored,
    extra: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), FolderError> {
    let Parts {
        config,
        weights,
        tokenizer,
        card,
    } = parts;
    write_folder(folder, |inside| {
        let hash = sha256(tokenizer);
        let file = ConfigFile {
            model: config.clone(),
            tokenizer_sha256: Some(hash.clone()),
        };
        let mut json = serde_json::to_vec_pretty(&file).map_err(io::Error::other)?;
        json.push(b'\n');
        let header = [(HASH_KEY, hash.as_str())];
        write_synced(&inside.join(CONFIG_FILE), &json)?;
        write_synced(&inside.join(TOKENIZER_FILE), tokenizer)?;
        write_synced(&inside.join(CARD_FILE), card.as_bytes())?;
        let path = inside.join(WEIGHTS_FILE);
        write_weights(&path, parameters(config), &header, weights, stored)?;
        Ok(extra(inside)?)
    })
    .map_err(|error| {
        let folder = folder.to_owned();
        match error {
            SaveError::Write(source) => FolderError::Write {
                path: folder,
                source,
            },
            SaveError::Weights(source) => FolderError::Weights { folder, source },
        }
    })
}

/// Checks that a tokenizer (its file and bytes) is the one whose hash a model's
/// files name; each of them is given with the hash it names, if any.
///
/// # Errors
/// [`FolderError::OtherTokenizer`] for the first file that names another,
/// [`FolderError::NoTokenizerHash`] when none names any.
pub fn check_tokenizer(
    named: &[(PathBuf, Option<String>)],
    tokenizer: &Path,
    bytes: &[u8],
) -> Result<(), FolderError> {
    let found = sha256(bytes);
    let mut hashes = named
        .iter()
        .filter_map(|(file, hash)| Some((file, hash.as_ref()?)));
    if let Some((model, expected)) = hashes.clone().find(|(_, hash)| **hash != found) {
        return Err(FolderError::OtherTokenizer {
            model: model.clone(),
            expected: expected.clone(),
            tokenizer: tokenizer.to_owned(),
            found,
        });
    }
    match (hashes.next(), named.first()) {
        (None, Some((path, _))) => Err(FolderError::NoTokenizerHash {
            path: path.clone(),
            found,
        }),
        _ => Ok(()),
    }
}

/// SHA-256 of `bytes` as 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Reads a `config.json`, ours or the JAX original's.
///
/// # Errors
/// [`FolderError::Read`], [`FolderError::ConfigJson`] or [`FolderError::Config`].
pub fn read_config(path: &Path) -> Result<ModelConfig, FolderError> {
    read_config_and_hash(path).map(|(config, _)| config)
}

/// Reads a `config.json` and the hash of the tokenizer that it names.
///
/// # Errors
/// Those of [`read_config`].
pub fn read_config_and_hash(path: &Path) -> Result<(ModelConfig, Option<String>), FolderError> {
    parse_config_and_hash(&read_file(path)?, path)
}

/// Reads the bytes of a `config.json`, which errors call `path`, and the hash of
/// the tokenizer that it names.
///
/// # Errors
/// [`FolderError::ConfigJson`] or [`FolderError::Config`].
pub fn parse_config_and_hash(
    bytes: &[u8],
    path: &Path,
) -> Result<(ModelConfig, Option<String>), FolderError> {
    let file: ConfigFile =
        serde_json::from_slice(bytes).map_err(|source| FolderError::ConfigJson {
            path: path.to_owned(),
            source,
        })?;
    file.model
        .validate()
        .map_err(|source| FolderError::Config {
            path: path.to_owned(),
            source,
        })?;
    Ok((file.model, file.tokenizer_sha256))
}

fn read_file(path: &Path) -> Result<Vec<u8>, FolderError> {
    fs::read(path).map_err(|source| FolderError::Read {
        path: path.to_owned(),
        source,
    })
}
