//! `tokenizer.json`, MidiTok's file: what 3.1.0 and 2.1.8 save is read, what is
//! written 3.1.0 loads.

use std::fs;
use std::path::Path;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::bpe::{Bpe, base_character};
use crate::config::Time;
use crate::config_file::ConfigFile;
use crate::error::{ConfigError, TokenizerFileError};
use crate::tokenizer::Tokenizer;
use crate::vocabulary::Vocabulary;

/// The versions whose behaviour ours is.
const MIDITOK_VERSION: &str = "3.1.0";
const SYMUSIC_VERSION: &str = "0.6.0";
const TOKENIZERS_VERSION: &str = "0.23.3";

#[derive(Deserialize)]
struct ReadFile {
    config: ConfigFile,
    #[serde(default)]
    tokenization: Option<String>,
    #[serde(default)]
    miditok_version: String,
    #[serde(default)]
    _vocab_base: Option<IndexMap<String, u32>>,
    #[serde(default, alias = "_bpe_model")]
    _model: Option<String>,
    #[serde(default)]
    _vocab_base_byte_to_token: Option<IndexMap<String, String>>,
    #[serde(default)]
    tchaikovsky_time: Time,
}

#[derive(Serialize)]
struct WriteFile<'a> {
    config: ConfigFile,
    tokenization: &'static str,
    miditok_version: &'static str,
    symusic_version: &'static str,
    hf_tokenizers_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    _vocab_base: Option<IndexMap<&'a str, usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    _model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    _vocab_base_byte_to_token: Option<IndexMap<String, &'a str>>,
    /// Ours; MidiTok keeps it as an attribute that it does not use.
    #[serde(skip_serializing_if = "is_default")]
    tchaikovsky_time: Time,
}

fn is_default(time: &Time) -> bool {
    *time == Time::default()
}

/// What is wrong with a file's contents.
enum Flaw {
    Format(String),
    Config(ConfigError),
}

impl From<ConfigError> for Flaw {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<String> for Flaw {
    fn from(text: String) -> Self {
        Self::Format(text)
    }
}

impl Tokenizer {
    /// Reads a tokenizer file.
    ///
    /// # Errors
    /// [`TokenizerFileError`] with the path: the file cannot be read, is no
    /// MidiTok tokenizer, or asks for what we do not support.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, TokenizerFileError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|source| TokenizerFileError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        Self::from_json(&text, path)
    }

    /// Reads the contents of a tokenizer file; `path` is for messages.
    ///
    /// # Errors
    /// As [`Tokenizer::load`].
    pub fn from_json(text: &str, path: &Path) -> Result<Self, TokenizerFileError> {
        let parsed: Result<ReadFile, _> = serde_json::from_str(text);
        let file = parsed
            .map_err(|error| TokenizerFileError::Format(path.to_owned(), error.to_string()))?;
        file.into_tokenizer().map_err(|flaw| match flaw {
            Flaw::Format(text) => TokenizerFileError::Format(path.to_owned(), text),
            Flaw::Config(source) => TokenizerFileError::Config {
                path: path.to_owned(),
                source,
            },
        })
    }

    /// The file's contents, as MidiTok 3.1.0 writes them.
    ///
    /// # Errors
    /// [`TokenizerFileError::Format`] where JSON cannot hold it, which does not
    /// happen for a tokenizer that was made or read here.
    pub fn to_json(&self) -> Result<String, TokenizerFileError> {
        let names = self.vocabulary().names();
        let trained = self.bpe().is_some();
        let ids = names
            .iter()
            .enumerate()
            .map(|(id, name)| (name.as_str(), id));
        let characters = names
            .iter()
            .enumerate()
            .map(|(id, name)| (base_character(id as u16).to_string(), name.as_str()));
        let file = WriteFile {
            config: ConfigFile::from(self.config()),
            tokenization: "REMI",
            miditok_version: MIDITOK_VERSION,
            symusic_version: SYMUSIC_VERSION,
            hf_tokenizers_version: TOKENIZERS_VERSION,
            _vocab_base: trained.then(|| ids.collect()),
            _model: self.bpe().map(Bpe::json),
            _vocab_base_byte_to_token: trained.then(|| characters.collect()),
            tchaikovsky_time: self.time(),
        };
        let mut bytes = Vec::new();
        let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, indent);
        let unwritable = |error: String| TokenizerFileError::Format("tokenizer.json".into(), error);
        file.serialize(&mut serializer)
            .map_err(|error| unwritable(error.to_string()))?;
        String::from_utf8(bytes).map_err(|error| unwritable(error.to_string()))
    }
}

impl ReadFile {
    fn into_tokenizer(self) -> Result<Tokenizer, Flaw> {
        if let Some(kind) = self.tokenization.filter(|kind| kind != "REMI") {
            return Err(ConfigError::Unsupported(format!("the {kind} tokenization")).into());
        }
        let before_3 = self.miditok_version.starts_with("2.");
        let config = self.config.into_config(before_3)?;
        let vocabulary = match self._vocab_base {
            Some(ids) => Vocabulary::from_names(names_by_id(ids)?, &config.special_tokens)
                .map_err(|name| format!("its base token {name} is unknown or there twice"))?,
            None => Vocabulary::new(&config),
        };
        if vocabulary.is_empty() {
            return Err("its base vocabulary is empty or too large"
                .to_owned()
                .into());
        }
        let bpe = match self._model {
            Some(json) => Some(Bpe::from_json(
                json,
                &characters(&vocabulary, self._vocab_base_byte_to_token)?,
            )?),
            None => None,
        };
        let tokenizer = Tokenizer::with_vocabulary(config, vocabulary, bpe);
        Ok(tokenizer.with_time(self.tchaikovsky_time))
    }
}

/// The names in the order of ids, which must be 0, 1, 2 and so on.
fn names_by_id(ids: IndexMap<String, u32>) -> Result<Vec<String>, String> {
    let mut entries: Vec<(u32, String)> = ids.into_iter().map(|(name, id)| (id, name)).collect();
    entries.sort();
    let whole = entries
        .iter()
        .enumerate()
        .all(|(index, (id, _))| *id as usize == index);
    match whole {
        true => Ok(entries.into_iter().map(|(_, name)| name).collect()),
        false => Err("the ids of its base vocabulary have gaps".to_owned()),
    }
}

/// The character of each base token; MidiTok's own where the file states none.
fn characters(
    vocabulary: &Vocabulary,
    by_character: Option<IndexMap<String, String>>,
) -> Result<Vec<String>, String> {
    let Some(by_character) = by_character else {
        let own = (0..vocabulary.len()).map(|id| base_character(id as u16).to_string());
        return Ok(own.collect());
    };
    let mut characters = vec![String::new(); vocabulary.len()];
    for (character, name) in by_character {
        let id = vocabulary
            .id(&name)
            .ok_or_else(|| format!("it gives a character to {name}, no base token"))?;
        characters[usize::from(id)] = character;
    }
    Ok(characters)
}
