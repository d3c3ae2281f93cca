//! Training: pieces of token ids become a model.

pub mod batches;
pub mod card;
pub mod checkpoint;
pub mod error;
pub mod evaluate;
pub mod memory;
pub mod metrics;
pub mod ngram;
pub mod optimiser;
pub mod options;
pub mod pieces;
pub mod run;
pub mod schedule;
mod session;
pub mod trainer;
pub mod validation;

pub use batches::{Batches, Position};
pub use card::About;
pub use checkpoint::{Best, Checkpoint, TrainState};
pub use error::TrainError;
pub use evaluate::evaluate;
pub use metrics::{EvalMetrics, Observer, Plan, StepMetrics};
pub use ngram::{Baseline, Nats};
pub use optimiser::{Optimiser, Step};
pub use options::TrainOptions;
pub use pieces::{Chunks, Limits, Pieces, Window};
pub use run::{End, Outcome, Run, Start, run};
pub use schedule::Schedule;
pub use trainer::{Finished, Trainer};
pub use validation::Validation;
