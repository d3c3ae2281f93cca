//! The model, its configuration and its tokenizer: one folder, or its parts.

use std::path::{Path, PathBuf};

use anyhow::Context;
use model::folder::{CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, read_config, sha256};
use model::{FolderError, ModelConfig, ModelFolder, Weights};
use remi::Tokenizer;

use super::Args;
use crate::usage::wrong_use;

/// What belongs to a model.
pub struct Parts {
    pub config: ModelConfig,
    pub weights: Weights,
    pub tokenizer: Tokenizer,
}

impl Parts {
    /// Reads what `--model`, or `--checkpoint`, `--config` and `--tokenizer`
    /// name.
    pub fn read(args: &Args) -> anyhow::Result<Self> {
        let path = args.model.as_ref().or(args.checkpoint.as_ref());
        let path = path.ok_or_else(|| wrong_use("name a model by --model DIR"))?;
        refuse_orbax(path)?;
        let is_file = path.is_file();
        if !is_file && args.config.is_none() && args.tokenizer.is_none() {
            return Self::of_folder(&folder(path)?);
        }
        let weights = match is_file {
            true => path.clone(),
            false => folder(path)?.join(WEIGHTS_FILE),
        };
        let beside = |name: &str| weights.with_file_name(name);
        let config = args.config.clone().unwrap_or_else(|| beside(CONFIG_FILE));
        let tokenizer = args.tokenizer.clone();
        let tokenizer = tokenizer.unwrap_or_else(|| beside(TOKENIZER_FILE));
        Self::of_files(&config, &weights, &tokenizer)
    }

    fn of_folder(folder: &Path) -> anyhow::Result<Self> {
        let read = ModelFolder::read(folder)?;
        let path = folder.join(TOKENIZER_FILE);
        Self::of_bytes(read.config, read.weights, &read.tokenizer, &path)
    }

    fn of_files(config: &Path, weights: &Path, tokenizer: &Path) -> anyhow::Result<Self> {
        let config = read_config(config)
            .with_context(|| "a file of weights needs its configuration: give --config FILE")?;
        let bytes = std::fs::read(tokenizer).with_context(|| {
            format!(
                "cannot read the tokenizer {}; give the model's by --tokenizer FILE",
                tokenizer.display()
            )
        })?;
        let read = Weights::read(weights)?;
        let found = sha256(&bytes);
        match read.metadata("tokenizer_sha256") {
            Some(expected) if expected != found => anyhow::bail!(
                "the model in {} was trained with a tokenizer of SHA-256 {expected}, but {} has {found}: give the right one by --tokenizer FILE",
                weights.display(),
                tokenizer.display()
            ),
            _ => {}
        }
        read.check(&config)
            .with_context(|| weights.display().to_string())?;
        Self::of_bytes(config, read, &bytes, tokenizer)
    }

    fn of_bytes(
        config: ModelConfig,
        weights: Weights,
        tokenizer: &[u8],
        path: &Path,
    ) -> anyhow::Result<Self> {
        let tokenizer = Tokenizer::from_json(&String::from_utf8_lossy(tokenizer), path)?;
        config
            .check_vocab(tokenizer.len())
            .with_context(|| path.display().to_string())?;
        Ok(Self {
            config,
            weights,
            tokenizer,
        })
    }
}

fn folder(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return Err(FolderError::NoFolder(path.to_owned()).into());
    }
    train::checkpoint::resolve(path).with_context(|| {
        format!(
            "{} holds no model: neither {CONFIG_FILE} nor checkpoints",
            path.display()
        )
    })
}

/// Refuses the checkpoints of the JAX original, which are folders.
fn refuse_orbax(path: &Path) -> anyhow::Result<()> {
    let is_orbax =
        |path: &Path| path.join("manifest.ocdbt").is_file() || path.join("_METADATA").is_file();
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut inner = entries.map(|entry| entry.path());
    if is_orbax(path) || (!path.join(CONFIG_FILE).is_file() && inner.any(|path| is_orbax(&path))) {
        anyhow::bail!(
            "{} is an Orbax checkpoint of the JAX original, which is not read here; save its weights as a safetensors file under the names of its parameters, and give that by --checkpoint with --config and --tokenizer",
            path.display()
        );
    }
    Ok(())
}
