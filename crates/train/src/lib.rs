//! Training: pieces of token ids become a model.

pub mod optimiser;
pub mod schedule;

pub use optimiser::{Optimiser, Step};
pub use schedule::Schedule;
