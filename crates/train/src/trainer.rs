//! The model, its optimiser and their state: one micro batch at a time.

use burn::tensor::Device;
use model::{Batch, Compute, Dropout, ModelConfig, Network, Weights};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::TrainError;
use crate::evaluate::check_ids;
use crate::optimiser::{Optimiser, Step};
use crate::options::{Kernels, TrainOptions};
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
    network: Network,
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
        let compute = Compute {
            fused: options.kernels == Kernels::Fused,
            precision: options.precision.of_products(),
            training: true,
        };
        let network = Network::new(config, weights, device, compute)?;
        let (norm, decay) = (options.global_norm as f32, options.weight_decay as f32);
        Ok(Self {
            network,
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
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The model, to be scored.
    pub fn network_mut(&mut self) -> &mut Network {
        &mut self.network
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
        let config = self.network.config()?;
        check_ids(batch, config.vocab_size)?;
        let dropout = config.dropout;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(DROPOUT_STREAMS + self.micro_batches);
        let dropout = Dropout::new(dropout, rng.next_u64());

        let (before, mean) = self.optimiser.accumulated();
        let loss = self.network.accumulate(batch, dropout, before, mean)?;
        if !loss.is_finite() {
            return Err(self.not_finite(loss));
        }
        self.micro_batches += 1;
        self.loss_sum += loss;
        self.optimiser.note_accumulation();
        if self.optimiser.accumulations() < self.every {
            return Ok(None);
        }
        let step = self.optimiser.step(&mut self.network)?;
        if !step.gradient_norm.is_finite() {
            return Err(self.not_finite(loss));
        }
        let loss = std::mem::take(&mut self.loss_sum) / f64::from(self.every);
        Ok(Some(Finished { loss, step }))
    }

    fn not_finite(&self, loss: f64) -> TrainError {
        TrainError::NotFinite {
            loss,
            step: self.optimiser.steps() + 1,
        }
    }
}
