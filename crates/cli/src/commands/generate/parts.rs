//! The model, its configuration and its tokenizer: one folder, or its parts.

use std::path::{Path, PathBuf};

use anyhow::Context;
use generate::{Tensors, WeightFile};
use model::folder::{
    CONFIG_FILE, HASH_KEY, TOKENIZER_FILE, WEIGHTS_FILE, check_tokenizer, read_config_and_hash,
};
use model::{FolderError, ModelConfig};
use remi::Tokenizer;

use super::Args;
use crate::usage::wrong_use;

/// What belongs to a model.
pub struct Parts {
    pub config: ModelConfig,
    pub weights: WeightFile,
    pub tokenizer: Tokenizer,
}

impl Parts {
    /// Reads what `--model`, or `--checkpoint`, `--config` and `--tokenizer`
    /// name.
    pub fn read(args: &Args) -> anyhow::Result<Self> {
        let path = args.model.as_ref().or(args.checkpoint.as_ref());
        let path = path.ok_or_else(|| wrong_use("name a model by --model DIR"))?;
        refuse_orbax(path)?;
        let weights = match path.is_file() {
            true => path.clone(),
            false => folder(path)?.join(WEIGHTS_FILE),
        };
        let beside = |name: &str| weights.with_file_name(name);
        let config_path = args.config.clone().unwrap_or_else(|| beside(CONFIG_FILE));
        let (config, in_config) = read_config_and_hash(&config_path)
            .with_context(|| "weights need their configuration; give it by --config FILE")?;
        if config.rotary || config.tied {
            anyhow::bail!(
                "{} has rotary positions or tied embeddings, which can be trained and evaluated but not generated from; train a model without --rotary and --tied",
                config_path.display()
            );
        }
        let path = args.tokenizer.clone();
        let path = path.unwrap_or_else(|| beside(TOKENIZER_FILE));
        let json = std::fs::read(&path).with_context(|| {
            let path = path.display();
            format!("cannot read the tokenizer {path}; give the model's by --tokenizer FILE")
        })?;
        let (weights_path, weights) = (weights.clone(), WeightFile::open(&weights)?);
        let in_weights = weights.metadata(HASH_KEY).map(str::to_owned);
        let named = [(config_path, in_config), (weights_path, in_weights)];
        match check_tokenizer(&named, &path, &json) {
            // Who names a tokenizer for parts of a model answers for it.
            Err(FolderError::NoTokenizerHash { .. }) if args.tokenizer.is_some() => {}
            checked => checked?,
        }
        weights.check(&config)?;
        let tokenizer = Tokenizer::from_json(&String::from_utf8_lossy(&json), &path)?;
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
