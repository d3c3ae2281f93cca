//! What a run reports, to its observer and to its log.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ngram::Nats;
use crate::precision::Precision;

/// What a run is going to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Trained parameters of the model.
    pub parameters: usize,
    /// Pieces that examples are cut from.
    pub pieces: usize,
    /// Pieces left out because they are shorter than `--min-sequence-length`.
    pub dropped: usize,
    /// Examples an epoch.
    pub examples: usize,
    /// Labels an epoch.
    pub tokens: usize,
    /// Optimiser steps of the whole run.
    pub steps: u64,
    /// Steps already taken when the run was resumed.
    pub taken: u64,
    /// Examples computed at once.
    pub micro_batch_size: usize,
    /// Micro batches a step.
    pub accumulations: u32,
    /// Precision of matrix products.
    pub precision: Precision,
    /// Windows that an evaluation scores.
    pub validation: usize,
    /// Estimated peak memory in bytes.
    pub memory: u64,
    /// Memory that the system says is free, in bytes.
    pub available: u64,
    /// Counting baselines on the evaluated windows; none without validation.
    pub baseline: Option<Nats>,
}

/// One optimiser step: a line of `metrics.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Steps taken, this one included.
    pub step: u64,
    /// Epochs done, with the part of the current one.
    pub epoch: f64,
    /// Mean of the micro batches' losses, nats per token.
    pub loss: f64,
    /// Learning rate of the step.
    pub learning_rate: f32,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Labels trained on a second.
    pub tokens_per_second: f64,
    /// Seconds since the run began, earlier sittings included.
    pub seconds: f64,
}

/// One evaluation: a line of `metrics.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EvalMetrics {
    /// Steps taken.
    pub step: u64,
    /// Epochs done, with the part of the current one.
    pub epoch: f64,
    /// Nats per token on validation windows.
    pub validation_loss: f64,
    /// Part of the labels with the highest logit.
    pub accuracy: f64,
    /// Part of the labels among the five highest logits.
    pub top5: f64,
    /// Labels scored.
    pub tokens: usize,
    /// Seconds since the run began, earlier sittings included.
    pub seconds: f64,
}

/// Follows a run; every method may be left out.
pub trait Observer {
    /// Before the first step.
    fn planned(&mut self, _plan: &Plan) {}
    /// After every step.
    fn stepped(&mut self, _metrics: &StepMetrics) {}
    /// After every evaluation.
    fn evaluated(&mut self, _metrics: &EvalMetrics) {}
    /// After a checkpoint appeared at `path`.
    fn saved(&mut self, _path: &Path) {}
}

impl Observer for () {}
