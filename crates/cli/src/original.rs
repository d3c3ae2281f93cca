//! A model of the JAX original by its parts: checkpoint, configuration and
//! tokenizer.

use std::path::Path;

use anyhow::Context;
use model::folder::read_config;
use model::{ModelConfig, OriginalCheckpoint};
use remi::Tokenizer;
use serde::Deserialize;

use crate::tokenizer::of_model;

/// The opened parts, which belong together as far as can be seen: the original
/// keeps no hashes.
pub struct Original {
    pub config: ModelConfig,
    pub checkpoint: OriginalCheckpoint,
    pub tokenizer: Tokenizer,
    /// The bytes of the tokenizer's file.
    pub tokenizer_file: Vec<u8>,
}

#[derive(Deserialize)]
struct Version {
    #[serde(default)]
    miditok_version: String,
}

impl Original {
    /// Opens and checks the parts; no weights are read yet.
    pub fn open(config: &Path, checkpoint: &Path, tokenizer: &Path) -> anyhow::Result<Self> {
        let name = || tokenizer.display().to_string();
        let config = read_config(config)?;
        let tokenizer_file =
            std::fs::read(tokenizer).with_context(|| format!("cannot read {}", name()))?;
        let parsed = of_model(&config, &tokenizer_file, tokenizer)?;
        let checkpoint = OriginalCheckpoint::open(checkpoint)?;
        checkpoint.check(&config)?;
        Ok(Self {
            config,
            checkpoint,
            tokenizer: parsed,
            tokenizer_file,
        })
    }

    /// Tells on standard error what works otherwise than in the original.
    pub fn tell(&self) {
        let (ids, all) = (self.tokenizer.len(), self.config.vocab_size);
        if ids < all {
            eprintln!("the model has {all} ids, its tokenizer {ids}: the others are never chosen");
        }
        let version: Option<Version> = serde_json::from_slice(&self.tokenizer_file).ok();
        let version = version.map_or_else(String::new, |version| version.miditok_version);
        if version.starts_with("2.") {
            eprintln!(
                "the tokenizer is MidiTok {version}'s: its ids, BPE and decoding are kept; prompts are cut into base tokens by the rules of 3.1.0, which differ where docs/original.md says"
            );
        }
    }
}
