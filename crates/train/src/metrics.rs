//! What a run reports: to its observer and to `metrics.jsonl`.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::ngram::Nats;

/// Name of the file of metrics in a run's folder, a JSON object a line.
pub const METRICS_FILE: &str = "metrics.jsonl";

/// What a run is going to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Trained parameters of the model.
    pub parameters: usize,
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
    /// Estimated peak memory in bytes.
    pub memory: u64,
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

/// `metrics.jsonl`, open for more lines.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

#[derive(Deserialize)]
struct Line {
    step: u64,
}

impl MetricsLog {
    /// Opens the log of the run in `out`, keeping the lines of the first
    /// `steps` steps: later ones are of steps that a kill undid.
    ///
    /// # Errors
    /// [`TrainError::Io`].
    pub fn open(out: &Path, steps: u64) -> Result<Self, TrainError> {
        let path = out.join(METRICS_FILE);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let step = |line: &str| {
            serde_json::from_str::<Line>(line)
                .ok()
                .map(|line| line.step)
        };
        let kept = text
            .lines()
            .filter(|line| step(line).is_some_and(|step| step <= steps));
        let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
        let shorter = out.join(".metrics.jsonl.new");
        model::atomic::write_synced(&shorter, kept.as_bytes()).map_err(TrainError::io(&shorter))?;
        fs::rename(&shorter, &path).map_err(TrainError::io(&path))?;
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(TrainError::io(&path))?;
        Ok(Self { path, file })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// [`TrainError::Io`].
    pub fn write(&mut self, metrics: &impl Serialize) -> Result<(), TrainError> {
        let mut line = serde_json::to_vec(metrics)
            .map_err(|error| TrainError::io(&self.path)(error.into()))?;
        line.push(b'\n');
        self.file
            .write_all(&line)
            .map_err(TrainError::io(&self.path))
    }
}
