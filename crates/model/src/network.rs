//! A model in training or under evaluation, whatever computes it.

use burn::module::Module;
use burn::tensor::Device;
use kernels::{Piece, Pool, Team};
use rayon::prelude::*;
use thiserror::Error;

use crate::access::ComputeError;
use crate::batch::Batch;
use crate::config::ModelConfig;
use crate::dropout::Dropout;
use crate::fused::{Fused, Precision};
use crate::loss::Score;
use crate::transformer::Transformer;
use crate::weights::{Weights, WeightsError};

/// What a network is computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compute {
    /// Whether the fused kernels of the CPU are taken where they can be.
    pub fused: bool,
    /// Precision of matrix products; bf16 is the fused kernels' alone.
    pub precision: Precision,
    /// Whether gradients will be asked for.
    pub training: bool,
}

/// Why a network cannot be made.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// The weights do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Products in bf16 where there are none.
    #[error(
        "products in bf16 are the fused kernels', which do not compute {what}: \
         leave --use-bf16 out"
    )]
    Bf16 {
        /// What is in the way.
        what: &'static str,
    },
}

/// A model with its parameters.
pub enum Network {
    /// By the fused kernels.
    Fused(Box<Fused>),
    /// By tensor operations, on any device.
    Composite(Box<Composite>),
}

/// The tensors of a network.
pub struct Composite {
    /// `None` only while it is changed, or after that failed.
    model: Option<Transformer>,
    training: bool,
    team: Team,
}

impl Network {
    /// Whether the fused kernels compute on `device`.
    pub fn fused(device: &Device) -> bool {
        *device == Device::flex()
    }

    /// Takes `weights`: by the fused kernels where `compute` asks for them and
    /// they can, else as tensors on `device`.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub fn new(
        config: &ModelConfig,
        weights: Weights,
        device: &Device,
        compute: Compute,
    ) -> Result<Self, NetworkError> {
        let way = match (Self::fused(device), compute.fused) {
            (true, true) => None,
            (true, false) => Some("composite operations"),
            (false, _) => Some("on other devices than the CPU"),
        };
        let Compute {
            precision,
            training,
            ..
        } = compute;
        match way {
            None => {
                let fused = Fused::new(config, weights, precision, training, 0)?;
                Ok(Self::Fused(Box::new(fused)))
            }
            Some(what) if precision == Precision::Bf16 => Err(NetworkError::Bf16 { what }),
            Some(_) => {
                let device = match training {
                    true => device.clone().autodiff(),
                    false => device.clone(),
                };
                Ok(Self::Composite(Box::new(Composite {
                    model: Some(Transformer::new(config, weights, &device)?),
                    training,
                    team: Team::new(0),
                })))
            }
        }
    }

    /// A copy of all parameters.
    ///
    /// # Errors
    /// [`ComputeError`] when the device cannot be read.
    pub fn to_weights(&self) -> Result<Weights, ComputeError> {
        match self {
            Self::Fused(fused) => Ok(fused.to_weights()),
            Self::Composite(composite) => composite.model()?.to_weights(),
        }
    }

    /// The loss of a batch; its gradient goes into `mean`, which holds the mean
    /// of those of `before` batches, in the order of
    /// [`parameters`](crate::parameters()): empty or zeros when that is none.
    ///
    /// # Errors
    /// [`ComputeError`] when the device fails.
    pub fn accumulate(
        &mut self,
        batch: &Batch,
        dropout: Option<Dropout>,
        before: u32,
        mean: &mut Vec<Piece<f32>>,
    ) -> Result<f64, ComputeError> {
        let share = 1.0 / (before + 1) as f32;
        match self {
            Self::Fused(fused) => {
                if mean.is_empty() {
                    mean.extend(fused.zeros());
                } else if before > 0 {
                    let scale = |values: &mut Piece<f32>| {
                        let chunks = values.par_chunks_mut(1 << 15);
                        chunks.for_each(|chunk| chunk.iter_mut().for_each(|x| *x *= 1.0 - share));
                    };
                    mean.iter_mut().for_each(scale);
                }
                Ok(fused.loss_and_gradients(batch, dropout, share, mean))
            }
            Self::Composite(composite) => {
                let (loss, gradients) = composite.model()?.loss_and_gradients(batch, dropout)?;
                if before == 0 {
                    let mut pool = Pool::default();
                    *mean = gradients.iter().map(|new| pool.copied(new)).collect();
                    return Ok(loss);
                }
                for (mean, new) in mean.iter_mut().zip(&gradients) {
                    let pairs = mean.par_iter_mut().with_min_len(1 << 15).zip(new);
                    pairs.for_each(|(mean, &new)| *mean += (new - *mean) * share);
                }
                Ok(loss)
            }
        }
    }

    /// The threads that work on the network.
    pub fn team(&mut self) -> &mut Team {
        match self {
            Self::Fused(fused) => fused.team(),
            Self::Composite(composite) => &mut composite.team,
        }
    }

    /// Changes every parameter in place: `change` gets threads to work with, the
    /// parameter's index and its values.
    ///
    /// # Errors
    /// [`ComputeError`] when the device cannot be read.
    pub fn change(
        &mut self,
        mut change: impl FnMut(&mut Team, usize, &mut [f32]),
    ) -> Result<(), ComputeError> {
        match self {
            Self::Fused(fused) => {
                let (team, values) = fused.parameters_mut();
                for (index, values) in values.iter_mut().enumerate() {
                    change(team, index, values);
                }
            }
            Self::Composite(composite) => {
                let model = composite.model.take().ok_or_else(lost)?;
                let team = &mut composite.team;
                let model = model.map_values(|index, values| change(team, index, values))?;
                composite.model = Some(model);
            }
        }
        Ok(())
    }

    /// The score of every row of the batch, without dropout. A label whose
    /// logit others share counts as late as it can: ties are no merit.
    ///
    /// # Errors
    /// [`ComputeError`] when the device fails.
    pub fn score(&mut self, batch: &Batch) -> Result<Vec<Score>, ComputeError> {
        match self {
            Self::Fused(fused) => Ok(fused.score(batch)),
            Self::Composite(composite) => match composite.training {
                true => composite.model()?.valid().score(batch),
                false => composite.model()?.score(batch),
            },
        }
    }

    /// The model's shape.
    ///
    /// # Errors
    /// [`ComputeError`] when a change failed before.
    pub fn config(&self) -> Result<&ModelConfig, ComputeError> {
        match self {
            Self::Fused(fused) => Ok(fused.config()),
            Self::Composite(composite) => Ok(composite.model()?.config()),
        }
    }
}

impl Composite {
    fn model(&self) -> Result<&Transformer, ComputeError> {
        self.model.as_ref().ok_or_else(lost)
    }
}

fn lost() -> ComputeError {
    ComputeError("an earlier step failed".to_owned())
}
