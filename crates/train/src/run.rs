//! A training run from start or checkpoint to its end.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use model::{ModelConfig, ModelFolder};

use crate::card::About;
use crate::checkpoint::{Best, Checkpoint};
use crate::error::TrainError;
use crate::metrics::Observer;
use crate::options::TrainOptions;
use crate::pieces::Pieces;
use crate::session::Session;

/// What a run starts from.
pub enum Start {
    /// Fresh weights of this shape, for the tokenizer of these bytes
    /// (`tokenizer.json`).
    Fresh(ModelConfig, Vec<u8>),
    /// The weights of a model, trained further with a new optimiser. They are no
    /// longer the original's bf16, even where they begin as that.
    FineTune(ModelFolder),
    /// A checkpoint, gone on with as if the run had not been stopped.
    Resume(Box<Checkpoint>),
}

/// A run's inputs.
pub struct Run<'a> {
    /// The options. Those of a resumed run may only differ in its length,
    /// evaluations and checkpoints.
    pub options: TrainOptions,
    /// What to start from.
    pub start: Start,
    /// Pieces to learn from.
    pub train: &'a dyn Pieces,
    /// Pieces to evaluate on; may be empty.
    pub valid: &'a dyn Pieces,
    /// The run's folder.
    pub out: &'a Path,
    /// Where to compute.
    pub device: Device,
    /// For the model card.
    pub about: About,
    /// Set from elsewhere to end the run after the current micro batch, saved.
    pub stop: &'a AtomicBool,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All steps were taken.
    Finished,
    /// The stop flag was set.
    Stopped,
    /// Evaluations stopped getting better.
    StoppedEarly,
}

/// What a run left.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// The last checkpoint.
    pub checkpoint: PathBuf,
    /// Steps taken in all sittings.
    pub steps: u64,
    /// The best evaluation.
    pub best: Option<Best>,
}

/// Trains until the end, the stop flag or an error. Checkpoints and metrics are
/// in the run's folder.
///
/// # Errors
/// A [`TrainError`]; checkpoints written before stay.
pub fn run(run: Run<'_>, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
    let mut session = Session::new(run)?;
    observer.planned(session.plan());
    if session.state().step == 0 && session.state().accumulations == 0 {
        session.save(observer)?;
    }
    let end = session.train(observer)?;
    let checkpoint = session.save(observer)?;
    Ok(Outcome {
        end,
        checkpoint,
        steps: session.state().step,
        best: session.state().best,
    })
}
