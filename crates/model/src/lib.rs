//! The transformer of TchAIkovsky: its configuration, its weights and folder on
//! disk (all free of any framework), and the network itself on Burn.

pub mod access;
pub mod atomic;
pub mod batch;
pub mod block;
pub mod config;
pub mod dropout;
pub mod folder;
pub mod loss;
pub mod orbax;
pub mod original;
pub mod parameters;
pub mod rotary;
pub mod save;
pub mod torch;
pub mod transformer;
pub mod weights;

pub use access::ComputeError;
pub use batch::Batch;
pub use config::{BOS, ConfigError, EOS, ModelConfig, PAD, Size};
pub use dropout::Dropout;
pub use folder::{FolderError, ModelFolder};
pub use loss::Score;
pub use orbax::OrbaxError;
pub use original::OriginalCheckpoint;
pub use parameters::{Parameter, Role, parameters};
pub use transformer::Transformer;
pub use weights::{Array, Weights, WeightsError};
