//! Why the engine refuses.

use model::{ComputeError, ConfigError, WeightsError};
use thiserror::Error;

/// Why the engine refuses.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The configuration describes no model.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The weights are not those of the configuration.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// More positions than the model has learned.
    #[error("a window of {capacity} positions was asked for: this model has {positions}")]
    Capacity {
        /// Positions asked for.
        capacity: usize,
        /// Positions of the model.
        positions: usize,
    },
    /// An id that the model has no embedding for.
    #[error("id {id} is outside the model's vocabulary of {vocabulary}: use its own tokenizer")]
    Id {
        /// The id.
        id: u32,
        /// The vocabulary's size.
        vocabulary: usize,
    },
    /// A sequence that is not there, or occurs twice in one step.
    #[error("sequence {sequence} is not one of the engine's {sequences}, or is named twice")]
    Sequence {
        /// Its number.
        sequence: usize,
        /// Sequences of the engine.
        sequences: usize,
    },
    /// The cache has no room for the ids.
    #[error("{ids} more ids do not fit the {capacity} positions, of which {used} are used")]
    Full {
        /// Ids to be added.
        ids: usize,
        /// Positions used.
        used: usize,
        /// Positions there are.
        capacity: usize,
    },
    /// No ids were given.
    #[error("there is no id to feed: an unconditional piece starts with BOS")]
    NoIds,
    /// The device failed; its caches are lost.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}
