//! The tokenizer of a model.

use std::path::Path;

use anyhow::Context;
use model::ModelConfig;
use remi::Tokenizer;

/// Reads the contents of the tokenizer file `path`, which has to fit the model.
pub fn of_model(config: &ModelConfig, json: &[u8], path: &Path) -> anyhow::Result<Tokenizer> {
    let tokenizer = Tokenizer::from_json(&String::from_utf8_lossy(json), path)?;
    let fits = config.check_vocab(tokenizer.len());
    fits.with_context(|| path.display().to_string())?;
    Ok(tokenizer)
}
