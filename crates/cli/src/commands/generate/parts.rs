//! The model, its configuration and its tokenizer: one folder, or its parts.

use std::path::{Path, PathBuf};

use anyhow::Context;
use generate::{Tensors, WeightFile};
use model::folder::{
    CONFIG_FILE, HASH_KEY, TOKENIZER_FILE, WEIGHTS_FILE, check_tokenizer, parse_config_and_hash,
    read_config_and_hash,
};
use model::{FolderError, ModelConfig, OriginalCheckpoint};
use remi::Tokenizer;

use super::Args;
use crate::built_in;
use crate::original::Original;
use crate::tokenizer::of_model;
use crate::usage::wrong_use;

/// What belongs to a model.
pub struct Parts {
    pub config: ModelConfig,
    pub weights: Weights,
    pub tokenizer: Tokenizer,
}

/// Where the weights come from.
pub enum Weights {
    /// A safetensors file, read when the engine asks.
    File(WeightFile),
    /// A checkpoint of the JAX original.
    Original(model::Weights),
}

impl Parts {
    /// Reads what `--model`, or `--checkpoint`, `--config` and `--tokenizer`
    /// name; without any, the model in the box.
    pub fn read(args: &Args) -> anyhow::Result<Self> {
        match args.model.as_ref().or(args.checkpoint.as_ref()) {
            Some(path) => Self::open(path, args.config.as_deref(), args.tokenizer.as_deref()),
            None => Self::built_in(),
        }
    }

    /// The model in the box.
    pub fn built_in() -> anyhow::Result<Self> {
        let files = built_in::files()?;
        let path = |name: &str| files.folder.join(name);
        let (config, _) = parse_config_and_hash(files.config, &path(CONFIG_FILE))?;
        let weights = WeightFile::in_memory(files.weights, &path(WEIGHTS_FILE))?;
        weights.check(&config)?;
        Ok(Self {
            tokenizer: of_model(&config, files.tokenizer, &path(TOKENIZER_FILE))?,
            config,
            weights: Weights::File(weights),
        })
    }

    /// Reads a model; its configuration and tokenizer lie beside it, or where
    /// they are said to be.
    pub fn open(
        path: &Path,
        config: Option<&Path>,
        tokenizer: Option<&Path>,
    ) -> anyhow::Result<Self> {
        if OriginalCheckpoint::is_at(path) {
            return Self::open_original(path, config, tokenizer);
        }
        let weights = match path.is_file() {
            true => path.to_owned(),
            false => folder(path)?.join(WEIGHTS_FILE),
        };
        let beside = |name: &str| weights.with_file_name(name);
        let config_path = config.map_or_else(|| beside(CONFIG_FILE), Path::to_owned);
        let (config, in_config) = read_config_and_hash(&config_path)
            .with_context(|| "weights need their configuration; give it by --config FILE")?;
        let path = tokenizer.map_or_else(|| beside(TOKENIZER_FILE), Path::to_owned);
        let json = std::fs::read(&path).with_context(|| {
            let path = path.display();
            format!("cannot read the tokenizer {path}; give the model's by --tokenizer FILE")
        })?;
        let (weights_path, weights) = (weights.clone(), WeightFile::open(&weights)?);
        let in_weights = weights.metadata(HASH_KEY).map(str::to_owned);
        let named = [(config_path, in_config), (weights_path, in_weights)];
        match check_tokenizer(&named, &path, &json) {
            // Who names a tokenizer for parts of a model answers for it.
            Err(FolderError::NoTokenizerHash { .. }) if tokenizer.is_some() => {}
            checked => checked?,
        }
        weights.check(&config)?;
        Ok(Self {
            tokenizer: of_model(&config, &json, &path)?,
            config,
            weights: Weights::File(weights),
        })
    }

    /// Reads a checkpoint of the JAX original, with the files that its own
    /// `generate.py` takes.
    fn open_original(
        checkpoint: &Path,
        config: Option<&Path>,
        tokenizer: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let (Some(config), Some(tokenizer)) = (config, tokenizer) else {
            return Err(wrong_use(
                "a checkpoint of the JAX original needs --config FILE (the config.json beside it) and --tokenizer FILE",
            ));
        };
        let parts = Original::open(config, checkpoint, tokenizer)?;
        parts.tell();
        Ok(Self {
            weights: Weights::Original(parts.checkpoint.weights(&parts.config)?),
            config: parts.config,
            tokenizer: parts.tokenizer,
        })
    }
}

fn folder(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return Err(FolderError::NoFolder(path.to_owned()).into());
    }
    train::checkpoint::resolve(path).with_context(|| {
        format!(
            "{} holds no model: neither {CONFIG_FILE} nor checkpoints (of the JAX original, name one folder checkpoint-NNN.eqx)",
            path.display()
        )
    })
}
