//! Checkpoints: model folders that also hold the state of the run.
//!
//! A run's folder holds `metrics.jsonl` and a folder `step-00000100` for each
//! checkpoint (`step-00000100.3` when three micro batches of the next step were
//! accumulated): a model folder with `training/state.json` and
//! `training/optimiser.safetensors` in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use model::atomic::write_synced;
use model::folder::CONFIG_FILE;
use model::{ModelConfig, ModelFolder, Weights};
use serde::{Deserialize, Serialize};

use crate::batches::Position;
use crate::error::TrainError;
use crate::memory::Memory;
use crate::options::{TrainOptions, same};

const PREFIX: &str = "step-";
const STATE_FILE: &str = "training/state.json";
const OPTIMISER_FILE: &str = "training/optimiser.safetensors";

/// The best evaluation so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Steps taken then.
    pub step: u64,
    /// Nats per token.
    pub validation_loss: f64,
}

/// Everything that a run needs to go on as if it had not been stopped, beside
/// the weights and the optimiser's moments. Random numbers need no state: they
/// are functions of the seed and of the counters here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainState {
    /// The options the run was started with.
    pub options: TrainOptions,
    /// Examples computed at once.
    pub micro_batch_size: usize,
    /// Optimiser steps of the whole run.
    pub total_steps: u64,
    /// Optimiser steps taken.
    pub step: u64,
    /// Micro batches accumulated since.
    pub accumulations: u32,
    /// Micro batches of the whole run, which seed their dropout.
    pub micro_batches: u64,
    /// Sum of the losses of the accumulated micro batches.
    pub loss_sum: f64,
    /// Where the next example is taken from.
    pub position: Position,
    /// Pieces in the training set.
    pub pieces: usize,
    /// Examples in its first epoch.
    pub examples: usize,
    /// Whole epochs done at the last step.
    pub epochs_done: u64,
    /// The best evaluation.
    pub best: Option<Best>,
    /// Evaluations since the best.
    pub evaluations_without_gain: u32,
    /// Seconds of training in all sittings.
    pub seconds: f64,
}

impl TrainState {
    /// The state of a run that has done nothing yet, with a micro batch that
    /// fits memory where none is asked for.
    pub fn fresh(
        options: &TrainOptions,
        config: &ModelConfig,
        pieces: usize,
        examples: usize,
        memory: Memory,
    ) -> Self {
        Self {
            options: options.clone(),
            micro_batch_size: memory.chosen(options, config),
            total_steps: options.total_steps(examples),
            step: 0,
            accumulations: 0,
            micro_batches: 0,
            loss_sum: 0.0,
            position: Position::default(),
            pieces,
            examples,
            epochs_done: 0,
            best: None,
            evaluations_without_gain: 0,
            seconds: 0.0,
        }
    }

    /// This state, gone on with under `options` on a training set of `pieces`
    /// pieces and `examples` examples.
    ///
    /// # Errors
    /// [`TrainError::OtherRun`] when it would be another run.
    pub fn continued(
        &self,
        options: &TrainOptions,
        pieces: usize,
        examples: usize,
    ) -> Result<Self, TrainError> {
        self.options.check_resume(options)?;
        same("a number of training pieces of", self.pieces, pieces)?;
        same("a number of examples of", self.examples, examples)?;
        if let Some(micro) = options.micro_batch_size {
            same("--micro-batch-size", self.micro_batch_size, micro)?;
        }
        Ok(Self {
            options: options.clone(),
            total_steps: options.total_steps(examples),
            ..self.clone()
        })
    }
}

/// A checkpoint, read.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The model.
    pub folder: ModelFolder,
    /// The run's state.
    pub state: TrainState,
    /// The optimiser's state.
    pub optimiser: Weights,
}

impl Checkpoint {
    /// Reads a checkpoint, or the newest one of a run's folder.
    ///
    /// # Errors
    /// [`TrainError::NoCheckpoint`], [`TrainError::DamagedState`],
    /// [`TrainError::Folder`] or [`TrainError::Weights`].
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let path = match path.join(STATE_FILE).is_file() {
            true => path.to_owned(),
            false => newest(path)?,
        };
        let state = read_state(&path)?;
        Ok(Self {
            folder: ModelFolder::read(&path)?,
            state,
            optimiser: Weights::read(&path.join(OPTIMISER_FILE))?,
        })
    }

    /// Writes the checkpoint of its step into the run's folder `out`, whole or
    /// not at all, and returns its path.
    ///
    /// # Errors
    /// [`TrainError::Folder`].
    pub fn write(&self, out: &Path) -> Result<PathBuf, TrainError> {
        let TrainState {
            step,
            accumulations,
            ..
        } = self.state;
        let path = match accumulations {
            0 => out.join(format!("{PREFIX}{step:08}")),
            _ => out.join(format!("{PREFIX}{step:08}.{accumulations}")),
        };
        self.folder.write_with(&path, |inside| {
            let state = serde_json::to_vec_pretty(&self.state)?;
            let optimiser = self.optimiser.to_bytes(&[]).map_err(io::Error::other)?;
            fs::create_dir(inside.join("training"))?;
            write_synced(&inside.join(STATE_FILE), &state)?;
            write_synced(&inside.join(OPTIMISER_FILE), &optimiser)
        })?;
        Ok(path)
    }
}

/// Reads the options of a checkpoint or of a run's newest one.
///
/// # Errors
/// [`TrainError::NoCheckpoint`] or [`TrainError::DamagedState`].
pub fn read_options(path: &Path) -> Result<TrainOptions, TrainError> {
    match path.join(STATE_FILE).is_file() {
        true => Ok(read_state(path)?.options),
        false => Ok(read_state(&newest(path)?)?.options),
    }
}

/// The checkpoints in a run's folder, oldest first: (steps, path).
pub fn list(out: &Path) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(out).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut found: Vec<_> = paths
        .filter_map(|path| Some((progress(&path)?, path)))
        .collect();
    found.sort();
    let step = |((step, _), path)| (step, path);
    found.into_iter().map(step).collect()
}

/// Steps and accumulations in the name of a checkpoint.
fn progress(path: &Path) -> Option<(u64, u32)> {
    let name = path.file_name()?.to_str()?.strip_prefix(PREFIX)?;
    match name.split_once('.') {
        Some((steps, accumulations)) => Some((steps.parse().ok()?, accumulations.parse().ok()?)),
        None => Some((name.parse().ok()?, 0)),
    }
}

/// The model folder that `path` means: itself, or in a run's folder the best
/// checkpoint, or the newest where none was evaluated.
///
/// # Errors
/// [`TrainError::NoCheckpoint`] or [`TrainError::DamagedState`].
pub fn resolve(path: &Path) -> Result<PathBuf, TrainError> {
    if path.join(CONFIG_FILE).is_file() {
        return Ok(path.to_owned());
    }
    let newest = newest(path)?;
    let best = read_state(&newest)?.best.map(|best| best.step);
    let of_best = list(path).into_iter().find(|(step, _)| Some(*step) == best);
    Ok(of_best.map_or(newest, |(_, path)| path))
}

/// Removes all but the `keep` newest checkpoints and that of step `best`.
///
/// # Errors
/// [`TrainError::Io`].
pub fn prune(out: &Path, keep: usize, best: Option<u64>) -> Result<(), TrainError> {
    let all = list(out);
    let old = all.len().saturating_sub(keep);
    for (step, path) in all.into_iter().take(old) {
        if Some(step) != best {
            fs::remove_dir_all(&path).map_err(TrainError::io(&path))?;
        }
    }
    Ok(())
}

fn newest(out: &Path) -> Result<PathBuf, TrainError> {
    let newest = list(out).pop().map(|(_, path)| path);
    newest.ok_or_else(|| TrainError::NoCheckpoint(out.to_owned()))
}

fn read_state(folder: &Path) -> Result<TrainState, TrainError> {
    let path = folder.join(STATE_FILE);
    let bytes = fs::read(&path).map_err(TrainError::io(&path))?;
    serde_json::from_slice(&bytes).map_err(|error| TrainError::DamagedState {
        path,
        reason: error.to_string(),
    })
}
