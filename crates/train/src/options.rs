//! Every option of a training run, with the defaults of the JAX original.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::pieces::Chunks;
use crate::precision::Precision;
use crate::schedule::Schedule;

/// What computes a step on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernels {
    /// The fused kernels, where the model is one that they know.
    #[default]
    Fused,
    /// Tensor operations, as on any other device.
    Composite,
}

impl Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fused => "fused",
            Self::Composite => "composite",
        })
    }
}

/// The options of a run; the model's shape is apart, in
/// [`ModelConfig`](model::ModelConfig).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainOptions {
    /// Seeds initial weights, order of examples, windows and dropout.
    pub seed: u64,
    /// Times that all examples are seen, when `steps` is not given.
    pub epochs: u64,
    /// Optimiser steps of the whole run; 0 only writes the initial model.
    pub steps: Option<u64>,
    /// Examples an optimiser step.
    pub batch_size: usize,
    /// Examples computed at once; has to divide `batch_size`. Chosen to fit
    /// memory when not given.
    pub micro_batch_size: Option<usize>,
    /// Linear warm-up and decay of the learning rate; otherwise it is constant.
    pub use_lr_scheduler: bool,
    /// Learning rate (after the warm-up).
    pub learning_rate: f64,
    /// Learning rate at the end of the schedule.
    pub end_learning_rate: f64,
    /// Part of all steps that are warm-up.
    pub warmup_proportion: f64,
    /// Norm that gradients are clipped to.
    pub global_norm: f64,
    /// Decay of the weights of linear layers and norms.
    pub weight_decay: f64,
    /// Pieces of fewer tokens are dropped.
    pub min_sequence_length: usize,
    /// How pieces become examples.
    pub chunks: Chunks,
    /// Part of the training pieces that is used.
    pub subset_proportion: f64,
    /// Part of the training pieces held out for validation, chosen by their
    /// notes; when not given, only where the dataset holds out none itself.
    pub val_proportion: Option<f64>,
    /// Whether pieces are transposed and made louder or softer.
    pub augment: bool,
    /// Threads that prepare an epoch; all cores when not given.
    pub num_workers: Option<usize>,
    /// Precision of matrix products.
    pub precision: Precision,
    /// What computes a step on the CPU.
    pub kernels: Kernels,
    /// Steps between evaluations; once an epoch when not given.
    pub eval_every: Option<u64>,
    /// Windows of validation pieces an evaluation scores, spread evenly.
    pub eval_examples: usize,
    /// Steps between checkpoints; once an epoch when not given.
    pub checkpoint_every: Option<u64>,
    /// Newest checkpoints to keep; the best one is kept beside them.
    pub keep: usize,
    /// Ends the run after so many evaluations without a better one.
    pub early_stop: Option<u32>,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            seed: 0xFF,
            epochs: 5,
            steps: None,
            batch_size: 64,
            micro_batch_size: None,
            use_lr_scheduler: false,
            learning_rate: 4e-4,
            end_learning_rate: 1e-6,
            warmup_proportion: 0.05,
            global_norm: 1.0,
            weight_decay: 0.1,
            min_sequence_length: 128,
            chunks: Chunks::Windows,
            subset_proportion: 1.0,
            val_proportion: None,
            augment: false,
            num_workers: None,
            precision: Precision::F32,
            kernels: Kernels::Fused,
            eval_every: None,
            eval_examples: 64,
            checkpoint_every: None,
            keep: 3,
            early_stop: None,
        }
    }
}

impl TrainOptions {
    /// Checks all values.
    ///
    /// # Errors
    /// [`TrainError::Option`] for the first impossible one.
    pub fn validate(&self) -> Result<(), TrainError> {
        at_least_one("--batch-size", self.batch_size)?;
        at_least_one("--keep", self.keep)?;
        at_least_one("--min-sequence-length", self.min_sequence_length)?;
        at_least_one("--eval-every", self.eval_every.unwrap_or(1))?;
        at_least_one("--checkpoint-every", self.checkpoint_every.unwrap_or(1))?;
        at_least_one("--eval-examples", self.eval_examples)?;
        at_least_one("--num-workers", self.num_workers.unwrap_or(1))?;
        at_least_one("--epochs", self.epochs)?;
        if let Some(patience) = self.early_stop {
            at_least_one("--early-stop", u64::from(patience))?;
        }
        if let Some(micro) = self.micro_batch_size
            && (micro == 0 || !self.batch_size.is_multiple_of(micro))
        {
            let remedy = format!("it has to divide --batch-size {}", self.batch_size);
            return Err(wrong("--micro-batch-size", micro, &remedy));
        }
        for (option, value) in [
            ("--learning-rate", self.learning_rate),
            ("--end-learning-rate", self.end_learning_rate),
            ("--weight-decay", self.weight_decay),
            ("--global-norm", self.global_norm),
        ] {
            if !value.is_finite() || value < 0.0 || (option == "--global-norm" && value == 0.0) {
                return Err(wrong(option, value, "give a positive number"));
            }
        }
        if !(0.0..=1.0).contains(&self.warmup_proportion) {
            let remedy = "give a part of the run, 0 to 1";
            return Err(wrong("--warmup-proportion", self.warmup_proportion, remedy));
        }
        if !(self.subset_proportion > 0.0 && self.subset_proportion <= 1.0) {
            let remedy = "give a part of the pieces, above 0 and at most 1";
            return Err(wrong("--subset-proportion", self.subset_proportion, remedy));
        }
        if let Some(share) = self.val_proportion
            && !(0.0..1.0).contains(&share)
        {
            let remedy = "give a part of the pieces, at least 0 and below 1";
            return Err(wrong("--val-proportion", share, remedy));
        }
        Ok(())
    }

    /// Optimiser steps of the whole run, for an epoch of `examples`: at least
    /// one unless 0 was asked for.
    pub fn total_steps(&self, examples: usize) -> u64 {
        let seen = self.epochs * examples as u64;
        self.steps
            .unwrap_or_else(|| (seen / self.batch_size as u64).max(1))
    }

    /// The learning rate's schedule over `steps`.
    pub fn schedule(&self, steps: u64) -> Schedule {
        match self.use_lr_scheduler {
            false => Schedule::Constant {
                rate: self.learning_rate,
            },
            true => Schedule::Linear {
                peak: self.learning_rate,
                end: self.end_learning_rate,
                warmup_steps: (steps as f64 * self.warmup_proportion) as u64,
                steps,
            },
        }
    }

    /// Checks that a run with `self` can be gone on with by `now`: what decides
    /// the examples has to be the same. Its length, its rates and its limits
    /// may change, evaluations and checkpoints too.
    ///
    /// # Errors
    /// [`TrainError::OtherRun`] for the first option that differs.
    pub fn check_resume(&self, now: &Self) -> Result<(), TrainError> {
        same("--seed", self.seed, now.seed)?;
        same("--batch-size", self.batch_size, now.batch_size)?;
        let [stored, given] = [self, now].map(|options| options.min_sequence_length);
        same("--min-sequence-length", stored, given)?;
        same("--chunks", self.chunks, now.chunks)?;
        let [stored, given] = [self, now].map(|options| options.subset_proportion);
        same("--subset-proportion", stored, given)?;
        let [stored, given] = [self, now].map(|options| Given(options.val_proportion));
        same("--val-proportion", stored, given)?;
        same("--augment", self.augment, now.augment)?;
        same("--kernels", self.kernels, now.kernels)?;
        same("--use-bf16 (precision)", self.precision, now.precision)
    }
}

/// An option that may be left out.
#[derive(PartialEq)]
struct Given(Option<f64>);

impl Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("left out"),
        }
    }
}

/// Refuses to resume with another value of `option`.
pub(crate) fn same<T: Display + PartialEq>(
    option: &'static str,
    stored: T,
    given: T,
) -> Result<(), TrainError> {
    if stored == given {
        return Ok(());
    }
    Err(TrainError::OtherRun {
        option,
        stored: stored.to_string(),
        given: given.to_string(),
    })
}

fn at_least_one(option: &'static str, value: impl Into<Count>) -> Result<(), TrainError> {
    match value.into().0 {
        0 => Err(wrong(option, 0, "it has to be at least 1")),
        _ => Ok(()),
    }
}

struct Count(u64);

impl From<usize> for Count {
    fn from(value: usize) -> Self {
        Self(value as u64)
    }
}

impl From<u64> for Count {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

fn wrong(option: &'static str, value: impl Display, remedy: &str) -> TrainError {
    TrainError::Option {
        option,
        value: value.to_string(),
        remedy: remedy.to_owned(),
    }
}
