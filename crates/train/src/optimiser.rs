//! Accumulation, clipping and AdamW, as the JAX original chains them:
//! `optax.MultiSteps(chain(clip_by_global_norm, adamw))`.

use kernels::training::adamw::{BETA1, BETA2, Update, adamw};
use kernels::training::squares::sum_of_squares;
use kernels::{Piece, Pool};
use model::{ComputeError, ModelConfig, Network, Parameter, Weights, WeightsError, parameters};

use crate::schedule::Schedule;

/// What one optimiser step did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Norm of the whole averaged gradient, before clipping.
    pub gradient_norm: f64,
    /// The learning rate used.
    pub learning_rate: f32,
}

/// The optimiser with its state, all f32, in the order of
/// [`model::parameters()`].
pub struct Optimiser {
    parameters: Vec<Parameter>,
    schedule: Schedule,
    global_norm: f32,
    weight_decay: f32,
    first: Vec<Piece<f32>>,
    second: Vec<Piece<f32>>,
    steps: u64,
    accumulated: Vec<Piece<f32>>,
    accumulations: u32,
}

impl Optimiser {
    /// An optimiser that has done nothing yet. Gradients are clipped to
    /// `global_norm`; weights of linear layers and norms decay by
    /// `weight_decay` times the learning rate a step.
    pub fn new(
        config: &ModelConfig,
        schedule: Schedule,
        global_norm: f32,
        weight_decay: f32,
    ) -> Self {
        let parameters = parameters(config);
        let mut pool = Pool::default();
        let mut none = || {
            let count = |parameter: &Parameter| parameter.shape.iter().product();
            let counts = parameters.iter().map(count);
            counts.map(|count| pool.zeros(count)).collect()
        };
        Self {
            first: none(),
            second: none(),
            parameters,
            schedule,
            global_norm,
            weight_decay,
            steps: 0,
            accumulated: Vec::new(),
            accumulations: 0,
        }
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Gradients accumulated since the last step.
    pub fn accumulations(&self) -> u32 {
        self.accumulations
    }

    /// The mean of the accumulated gradients, for the next micro batch's to be
    /// added to, and how many it is the mean of.
    pub fn accumulated(&mut self) -> (u32, &mut Vec<Piece<f32>>) {
        (self.accumulations, &mut self.accumulated)
    }

    /// Notes that one micro batch's gradients were added.
    pub fn note_accumulation(&mut self) {
        self.accumulations += 1;
    }

    /// Takes one step with the accumulated gradients and forgets them. A
    /// gradient that is not finite changes nothing, and is told by its norm.
    ///
    /// # Errors
    /// [`ComputeError`] when the device cannot be read.
    pub fn step(&mut self, network: &mut Network) -> Result<Step, ComputeError> {
        let gradient_norm = sum_of_squares(network.team(), &self.accumulated).sqrt();
        let step = Step {
            gradient_norm,
            learning_rate: self.schedule.rate(self.steps),
        };
        if !gradient_norm.is_finite() {
            return Ok(step);
        }
        self.accumulations = 0;
        self.steps += 1;
        let count = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let norm = gradient_norm as f32;
        let update = Update {
            clip: match norm >= self.global_norm {
                true => self.global_norm / norm,
                false => 1.0,
            },
            correction1: 1.0 - BETA1.powi(count),
            correction2: 1.0 - BETA2.powi(count),
            learning_rate: step.learning_rate,
            decay: 0.0,
        };
        let Self {
            parameters,
            first,
            second,
            accumulated,
            weight_decay,
            ..
        } = self;
        let moments = first.iter_mut().zip(second);
        let mut state = parameters.iter().zip(accumulated).zip(moments);
        network.change(|team, _, values| {
            if let Some(((parameter, gradient), (first, second))) = state.next() {
                let update = Update {
                    decay: match parameter.role.is_decayed() {
                        true => *weight_decay,
                        false => 0.0,
                    },
                    ..update
                };
                adamw(team, update, values, gradient, first, second);
            }
        })?;
        Ok(step)
    }

    /// The state as tensors: `first.<name>`, `second.<name>` and, in the middle
    /// of an accumulation, `accumulated.<name>`.
    pub fn to_weights(&self) -> Weights {
        let mut weights = Weights::default();
        let none = Vec::new();
        for (part, all) in [
            ("first", &self.first),
            ("second", &self.second),
            (
                "accumulated",
                // Zeros, or memory kept for the next step, are no state.
                if self.accumulations == 0 {
                    &none
                } else {
                    &self.accumulated
                },
            ),
        ] {
            for (parameter, values) in self.parameters.iter().zip(all) {
                let name = format!("{part}.{}", parameter.name);
                weights.insert(name, parameter.shape.clone(), values.to_vec());
            }
        }
        weights
    }

    /// Takes back a state of [`to_weights`](Self::to_weights), saved after
    /// `steps` steps and `accumulations` micro batches.
    ///
    /// # Errors
    /// [`WeightsError`] when it is the state of another model.
    pub fn restore(
        &mut self,
        mut state: Weights,
        steps: u64,
        accumulations: u32,
    ) -> Result<(), WeightsError> {
        let mut pool = Pool::default();
        let mut read = |part: &str| -> Result<Vec<Piece<f32>>, WeightsError> {
            let take = |parameter: &Parameter| {
                let name = format!("{part}.{}", parameter.name);
                let array = state.take(&name)?;
                if array.shape == parameter.shape {
                    return Ok(pool.copied(&array.values));
                }
                Err(WeightsError::Shape {
                    name,
                    found: array.shape,
                    expected: parameter.shape.clone(),
                })
            };
            self.parameters.iter().map(take).collect()
        };
        let (first, second) = (read("first")?, read("second")?);
        let accumulated = match accumulations {
            0 => Vec::new(),
            _ => read("accumulated")?,
        };
        self.first = first;
        self.second = second;
        self.accumulated = accumulated;
        self.steps = steps;
        self.accumulations = accumulations;
        Ok(())
    }
}
