//! The model, its optimiser and their state: one micro batch at a time.

use burn::tensor::Device;
use model::{Batch, Dropout, ModelConfig, Transformer, Weights};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::error::TrainError;
use crate::evaluate::check_ids;
use crate::optimiser::{Optimiser, Step};
use crate::options::TrainOptions;
use crate::schedule::Schedule;

/// Streams of the seeded generator from here on seed the dropout.
const DROPOUT_STREAMS: u64 = 2 << 32;

/// One finished optimiser step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finished {
    /// Mean of the micro batches' losses, nats per token.
    pub loss: f64,
    /// What the optimiser did.
    pub step: Step,
}

/// A model in training.
pub struct Trainer {
    /// `None` only while a step is taken, or after one failed.
    model: Option<Transformer>,
    optimiser: Optimiser,
    seed: u64,
    every: u32,
    micro_batches: u64,
    loss_sum: f64,
}

impl Trainer {
    /// Puts `weights` on `device` and trains them with `every` micro batches a
    /// step.
    ///
    /// # Errors
    /// [`TrainError::Weights`] when the weights do not fit the configuration.
    pub fn new(
        config: &ModelConfig,
        weights: Weights,
        options: &TrainOptions,
        schedule: Schedule,
        every: u32,
        device: &Device,
    ) -> Result<Self, TrainError> {
        options.precision.check()?;
        let model = Transformer::new(config, weights, &device.clone().autodiff())?;
        let (norm, decay) = (options.global_norm as f32, options.weight_decay as f32);
        Ok(Self {
            model: Some(model),
            optimiser: Optimiser::new(config, schedule, norm, decay),
            seed: options.seed,
            every,
            micro_batches: 0,
            loss_sum: 0.0,
        })
    }

    /// Goes back to where `micro_batches` were seen, with the losses of the
    /// accumulated ones summing to `loss_sum`.
    ///
    /// # Errors
    /// [`TrainError::Weights`] when the state is that of another model.
    pub fn restore(
        &mut self,
        optimiser: Weights,
        steps: u64,
        accumulations: u32,
        micro_batches: u64,
        loss_sum: f64,
    ) -> Result<(), TrainError> {
        self.optimiser.restore(optimiser, steps, accumulations)?;
        self.micro_batches = micro_batches;
        self.loss_sum = loss_sum;
        Ok(())
    }

    /// The model.
    ///
    /// # Errors
    /// [`TrainError::Compute`] when a step failed before.
    pub fn model(&self) -> Result<&Transformer, TrainError> {
        self.model.as_ref().ok_or_else(lost)
    }

    /// The optimiser.
    pub fn optimiser(&self) -> &Optimiser {
        &self.optimiser
    }

    /// Micro batches seen, and the sum of the losses of those that no step has
    /// used yet.
    pub fn progress(&self) -> (u64, f64) {
        (self.micro_batches, self.loss_sum)
    }

    /// Learns from one micro batch; a step is taken when there are enough.
    ///
    /// # Errors
    /// [`TrainError::UnknownId`], [`TrainError::NotFinite`] or
    /// [`TrainError::Compute`].
    pub fn learn(&mut self, batch: &Batch) -> Result<Option<Finished>, TrainError> {
        let model = self.model.as_ref().ok_or_else(lost)?;
        let config = model.config();
        check_ids(batch, config.vocab_size)?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(DROPOUT_STREAMS + self.micro_batches);
        let dropout = Dropout::new(config.dropout, rng.next_u64());

        let (loss, gradients) = model.loss_and_gradients(batch, dropout)?;
        // Checked before anything changes: the state stays that of before.
        if !loss.is_finite() || !all_finite(&gradients) {
            return Err(TrainError::NotFinite {
                loss,
                step: self.optimiser.steps() + 1,
            });
        }
        self.micro_batches += 1;
        self.loss_sum += loss;
        self.optimiser.accumulate(gradients);
        if self.optimiser.accumulations() < self.every {
            return Ok(None);
        }
        let model = self.model.take().ok_or_else(lost)?;
        let (model, step) = self.optimiser.step(model)?;
        self.model = Some(model);
        let loss = std::mem::take(&mut self.loss_sum) / f64::from(self.every);
        Ok(Some(Finished { loss, step }))
    }
}

/// Whether no gradient is NaN or infinite.
fn all_finite(gradients: &[Vec<f32>]) -> bool {
    let finite = |gradient: &Vec<f32>| {
        // Zero times what is not finite is NaN, which a sum keeps.
        let sums = gradient.par_chunks(1 << 15);
        let sum = |chunk: &[f32]| chunk.iter().map(|value| value * 0.0).sum::<f32>();
        sums.map(sum).sum::<f32>() == 0.0
    };
    gradients.iter().all(finite)
}

fn lost() -> TrainError {
    TrainError::Compute(model::ComputeError("an earlier step failed".to_owned()))
}
