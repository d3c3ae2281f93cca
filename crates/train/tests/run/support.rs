//! What the runs of the tests share.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use model::ModelConfig;
use train::log::METRICS_FILE;
use train::{
    About, Checkpoint, EvalMetrics, Observer, Outcome, Plan, Run, Start, StepMetrics, TrainError,
    TrainOptions, run,
};

/// A model that trains in milliseconds.
pub fn config() -> ModelConfig {
    ModelConfig {
        dim: 32,
        heads: 2,
        head_dim: 16,
        num_layers: 2,
        vocab_size: 40,
        max_sequence_length: 24,
        ..ModelConfig::default()
    }
}

/// Melodies that repeat with a period of their own.
pub fn pieces(count: u32) -> Vec<Vec<u32>> {
    let piece = |p: u32| {
        (0..50)
            .map(|i| 3 + (i * (p + 2) + i * i * p) % 36)
            .collect()
    };
    (0..count).map(piece).collect()
}

/// Eight steps over two epochs.
pub fn options() -> TrainOptions {
    TrainOptions {
        steps: Some(8),
        batch_size: 4,
        micro_batch_size: Some(2),
        min_sequence_length: 8,
        use_lr_scheduler: true,
        learning_rate: 3e-3,
        eval_every: Some(3),
        checkpoint_every: Some(3),
        ..TrainOptions::default()
    }
}

/// Sets the stop flag when this many steps were taken, and collects.
pub struct Stopper<'a> {
    pub stop: &'a AtomicBool,
    pub after: u64,
    pub steps: Vec<StepMetrics>,
    pub evaluations: Vec<EvalMetrics>,
    pub plan: Option<Plan>,
}

impl Observer for Stopper<'_> {
    fn planned(&mut self, plan: &Plan) {
        self.plan = Some(plan.clone());
    }
    fn stepped(&mut self, metrics: &StepMetrics) {
        self.steps.push(*metrics);
        self.stop
            .store(metrics.step >= self.after, Ordering::Relaxed);
    }
    fn evaluated(&mut self, metrics: &EvalMetrics) {
        self.evaluations.push(*metrics);
    }
}

/// Runs, stopping after step `after`.
pub fn train_with<'a>(
    out: &Path,
    start: Start,
    options: TrainOptions,
    train: &[Vec<u32>],
    stop: &'a AtomicBool,
    after: u64,
) -> Result<(Outcome, Stopper<'a>), TrainError> {
    let mut observer = Stopper {
        stop,
        after,
        steps: Vec::new(),
        evaluations: Vec::new(),
        plan: None,
    };
    let outcome = run(
        Run {
            options,
            start,
            train: &train.to_vec(),
            valid: &pieces(9)[7..].to_vec(),
            out,
            device: device(),
            about: About::default(),
            stop,
        },
        &mut observer,
    )?;
    Ok((outcome, observer))
}

/// The device that is tested: `TEST_DEVICE` names another than the CPU.
pub fn device() -> Device {
    let name = std::env::var("TEST_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    let name: model::DeviceName = name.parse().unwrap();
    name.open().unwrap().device
}

/// Fresh weights.
pub fn fresh() -> Start {
    Start::Fresh(config(), b"{}".to_vec())
}

/// The newest checkpoint in `out`.
pub fn resume(out: &Path) -> Start {
    Start::Resume(Box::new(Checkpoint::read(out).unwrap()))
}

/// The metrics without what the clock decides.
pub fn curve(out: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(out.join(METRICS_FILE)).unwrap();
    let mut lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for line in &mut lines {
        let fields = line.as_object_mut().unwrap();
        fields.remove("seconds");
        fields.remove("tokens_per_second");
    }
    lines
}

/// Same curve, weights, optimiser and position: on the CPU bit for bit. On a GPU each
/// process takes the kernels that it measures to be the fastest, so there losses
/// agree to a part in a hundred thousand.
pub fn assert_same_end(one: &Path, two: &Path) {
    let curves = [one, two].map(curve);
    let [one, two] = [one, two].map(|out| Checkpoint::read(out).unwrap());
    assert_eq!(one.state.position, two.state.position);
    if std::env::var("TEST_DEVICE").is_ok_and(|name| name != "cpu") {
        assert_eq!(curves[0].len(), curves[1].len());
        for (one, two) in curves[0].iter().zip(&curves[1]) {
            assert_eq!(one["step"], two["step"]);
            for name in ["loss", "validation_loss"] {
                let [one, two] = [one, two].map(|line| line[name].as_f64().unwrap_or(1.0));
                assert!((one / two - 1.0).abs() < 1e-5, "{name}: {one} and {two}");
            }
        }
        return;
    }
    assert_eq!(curves[0], curves[1]);
    assert!(one.folder.weights.iter().eq(two.folder.weights.iter()));
    assert_eq!(one.optimiser, two.optimiser);
    assert_eq!(one.state.best, two.state.best);
}
