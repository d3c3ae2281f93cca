//! The files that a run's metrics go to: `metrics.jsonl`, TensorBoard's events,
//! and the picture of the losses.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use model::atomic::write_file;
use serde::{Deserialize, Serialize};

use crate::curve::Curve;
use crate::error::TrainError;
use crate::metrics::{EvalMetrics, StepMetrics};
use crate::tensorboard::EventFile;

/// Name of the file of metrics in a run's folder, a JSON object a line.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// Name of the picture of the losses.
pub const CURVE_FILE: &str = "loss.png";

/// The log of a run: `metrics.jsonl` and a TensorBoard event file, open for more.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    events: EventFile,
}

#[derive(Deserialize)]
struct Line {
    step: u64,
    loss: Option<f64>,
    validation_loss: Option<f64>,
}

impl Log {
    /// Opens the log of the run in `out`, keeping what is of the first `steps`
    /// steps: the rest is of steps that a kill undid.
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
        write_file(&path, kept.as_bytes()).map_err(TrainError::io(&path))?;
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(TrainError::io(&path))?;
        let events = EventFile::open(out, steps)
            .map_err(|(path, source)| TrainError::Io { path, source })?;
        Ok(Self { path, file, events })
    }

    /// Appends a step.
    ///
    /// # Errors
    /// [`TrainError::Io`].
    pub fn step(&mut self, metrics: &StepMetrics) -> Result<(), TrainError> {
        self.line(metrics)?;
        let scalars = [
            ("train/loss", metrics.loss),
            ("train/learning_rate", f64::from(metrics.learning_rate)),
            ("train/gradient_norm", metrics.gradient_norm),
            ("train/tokens_per_second", metrics.tokens_per_second),
            ("train/epoch", metrics.epoch),
        ];
        self.event(metrics.step, &scalars)
    }

    /// Appends an evaluation.
    ///
    /// # Errors
    /// [`TrainError::Io`].
    pub fn evaluation(&mut self, metrics: &EvalMetrics) -> Result<(), TrainError> {
        self.line(metrics)?;
        let scalars = [
            ("valid/loss", metrics.validation_loss),
            ("valid/accuracy", metrics.accuracy),
            ("valid/top5", metrics.top5),
        ];
        self.event(metrics.step, &scalars)
    }

    fn event(&mut self, step: u64, scalars: &[(&str, f64)]) -> Result<(), TrainError> {
        let written = self.events.write(step, scalars);
        written.map_err(TrainError::io(self.events.path()))
    }

    fn line(&mut self, metrics: &impl Serialize) -> Result<(), TrainError> {
        let mut line = serde_json::to_vec(metrics)
            .map_err(|error| TrainError::io(&self.path)(error.into()))?;
        line.push(b'\n');
        self.file
            .write_all(&line)
            .map_err(TrainError::io(&self.path))
    }
}

/// Draws `loss.png` of the run in `out` from its `metrics.jsonl`, where that
/// holds anything.
///
/// # Errors
/// [`TrainError::Io`].
pub fn draw_curve(out: &Path) -> Result<(), TrainError> {
    let path = out.join(METRICS_FILE);
    let text = fs::read_to_string(&path).map_err(TrainError::io(&path))?;
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut curve = Curve::default();
    for line in lines {
        let Line {
            step,
            loss,
            validation_loss,
        } = line;
        curve.training.extend(loss.map(|loss| (step, loss)));
        let validation = validation_loss.map(|loss| (step, loss));
        curve.validation.extend(validation);
    }
    let Some(png) = curve.to_png() else {
        return Ok(());
    };
    let path = out.join(CURVE_FILE);
    write_file(&path, &png).map_err(TrainError::io(&path))
}
