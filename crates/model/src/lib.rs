//! The transformer of TchAIkovsky: its configuration, its weights and folder on
//! disk (both free of any framework), and the network itself on Burn.

pub mod atomic;
pub mod config;
pub mod folder;
pub mod parameters;
pub mod weights;

pub use config::{BOS, ConfigError, EOS, ModelConfig, PAD, Size};
pub use folder::{FolderError, ModelFolder};
pub use parameters::{Parameter, Role, parameters};
pub use weights::{Array, Weights, WeightsError};
