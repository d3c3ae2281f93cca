//! Why the server cannot work.

use std::io;

use thiserror::Error;

/// Why the server cannot start or go on.
#[derive(Debug, Error)]
pub enum StudioError {
    /// The engine of a model cannot be made.
    #[error("the model {model} cannot play: {reason}")]
    Engine {
        /// The model's name.
        model: String,
        /// What the engine says.
        reason: String,
    },
    /// Two models have one name.
    #[error("two models are called {0}: rename a folder, or leave one out")]
    SameName(String),
    /// A thread could not be started, or ended before it was ready.
    #[error("a thread for generation cannot be started: {0}")]
    Thread(String),
    /// The network or the runtime failed.
    #[error("the server cannot listen: {0}")]
    Io(#[from] io::Error),
}
