//! Models to play with, and `/api/models`.

use std::error::Error;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use generate::{Decoder, Rules};
use model::ModelConfig;
use remi::{Time, Tokenizer};
use serde::Serialize;

use crate::limits::Limits;
use crate::studio::Studio;

/// Makes an engine for so many sequences; called in the thread that uses it.
pub type OpenEngine =
    Arc<dyn Fn(usize) -> Result<Box<dyn Decoder>, Box<dyn Error + Send + Sync>> + Send + Sync>;

/// A model to play with.
pub struct Model {
    name: String,
    config: ModelConfig,
    tokenizer: Tokenizer,
    rules: Rules,
    open: OpenEngine,
}

impl Model {
    /// A model under a name that requests call it by.
    pub fn new(
        name: impl Into<String>,
        config: ModelConfig,
        tokenizer: Tokenizer,
        open: OpenEngine,
    ) -> Self {
        Self {
            name: name.into(),
            rules: Rules::new(&tokenizer),
            config,
            tokenizer,
            open,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn open(&self, sequences: usize) -> Result<Box<dyn Decoder>, String> {
        (self.open)(sequences).map_err(|error| error.to_string())
    }

    fn describe(&self) -> Description {
        Description {
            name: self.name.clone(),
            parameters: self.config.parameter_count(),
            positions: self.config.max_sequence_length,
            vocabulary: self.config.vocab_size,
            pedal: self.tokenizer.config().use_sustain_pedals,
            velocities: self.tokenizer.config().use_velocities,
            time: match self.tokenizer.time() {
                Time::Performance => "seconds",
                Time::Score => "bars",
            },
        }
    }
}

/// A model in words.
#[derive(Serialize)]
struct Description {
    name: String,
    parameters: usize,
    /// Tokens that it sees at once.
    positions: usize,
    vocabulary: usize,
    pedal: bool,
    velocities: bool,
    /// What its time is made of: `seconds` or `bars`.
    time: &'static str,
}

/// What the server can do.
#[derive(Serialize)]
pub(crate) struct Answer {
    version: &'static str,
    models: Vec<Description>,
    limits: Limits,
}

/// Answers `GET /api/models`; the first model is the default.
pub(crate) async fn get(State(studio): State<Studio>) -> Json<Answer> {
    Json(Answer {
        version: env!("CARGO_PKG_VERSION"),
        models: studio.models().iter().map(Model::describe).collect(),
        limits: *studio.limits(),
    })
}
