//! Accumulation, clipping and AdamW, as the JAX original chains them:
//! `optax.MultiSteps(chain(clip_by_global_norm, adamw))`.

use model::{ComputeError, ModelConfig, Parameter, Transformer, Weights, WeightsError, parameters};
use rayon::prelude::*;

use crate::schedule::Schedule;

/// AdamW's decay of the first moment.
const BETA1: f32 = 0.9;
/// AdamW's decay of the second moment.
const BETA2: f32 = 0.999;
/// `1 - BETA1` and `1 - BETA2` before rounding to f32, as the original has them.
const REST1: f32 = 0.1;
const REST2: f32 = 0.001;
/// AdamW's epsilon, added outside the square root.
const EPSILON: f32 = 1e-8;
/// Elements that one task sums or updates: fixed, so that sums do not depend on
/// the number of threads.
const CHUNK: usize = 1 << 15;

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
#[derive(Debug, Clone)]
pub struct Optimiser {
    parameters: Vec<Parameter>,
    schedule: Schedule,
    global_norm: f32,
    weight_decay: f32,
    first: Vec<Vec<f32>>,
    second: Vec<Vec<f32>>,
    steps: u64,
    accumulated: Vec<Vec<f32>>,
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
        let zeros = zeros(&parameters);
        Self {
            parameters,
            schedule,
            global_norm,
            weight_decay,
            first: zeros.clone(),
            second: zeros,
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

    /// Adds one micro batch's gradients to the running mean.
    pub fn accumulate(&mut self, gradients: Vec<Vec<f32>>) {
        self.accumulations += 1;
        if self.accumulations == 1 {
            self.accumulated = gradients;
            return;
        }
        let count = self.accumulations as f32;
        for (mean, new) in self.accumulated.iter_mut().zip(&gradients) {
            let pairs = mean.par_iter_mut().with_min_len(CHUNK).zip(new);
            pairs.for_each(|(mean, &new)| *mean += (new - *mean) / count);
        }
    }

    /// Takes one step with the accumulated gradients and forgets them.
    ///
    /// # Errors
    /// [`ComputeError`] when the device cannot be read.
    pub fn step(&mut self, model: Transformer) -> Result<(Transformer, Step), ComputeError> {
        let gradients = std::mem::take(&mut self.accumulated);
        self.accumulations = 0;
        let gradient_norm = global_norm(&gradients);
        let norm = gradient_norm as f32;
        let learning_rate = self.schedule.rate(self.steps);
        self.steps += 1;
        let count = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let update = Update {
            clip: (norm >= self.global_norm).then_some((norm, self.global_norm)),
            correction1: 1.0 - BETA1.powi(count),
            correction2: 1.0 - BETA2.powi(count),
            learning_rate,
            decay: 0.0,
        };
        let model = model.map_values(|index, values| {
            let decayed = self
                .parameters
                .get(index)
                .is_some_and(|p| p.role.is_decayed());
            let update = Update {
                decay: if decayed { self.weight_decay } else { 0.0 },
                ..update
            };
            if let (Some(first), Some(second), Some(gradient)) = (
                self.first.get_mut(index),
                self.second.get_mut(index),
                gradients.get(index),
            ) {
                let chunks = values.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
                let moments = first
                    .par_chunks_mut(CHUNK)
                    .zip(second.par_chunks_mut(CHUNK));
                chunks
                    .zip(moments)
                    .for_each(|((values, gradient), (first, second))| {
                        update.apply(values, gradient, first, second);
                    });
            }
        })?;
        let step = Step {
            gradient_norm,
            learning_rate,
        };
        Ok((model, step))
    }

    /// The state as tensors: `first.<name>`, `second.<name>` and, in the middle
    /// of an accumulation, `accumulated.<name>`.
    pub fn to_weights(&self) -> Weights {
        let mut weights = Weights::default();
        for (part, all) in [
            ("first", &self.first),
            ("second", &self.second),
            ("accumulated", &self.accumulated),
        ] {
            for (parameter, values) in self.parameters.iter().zip(all) {
                let name = format!("{part}.{}", parameter.name);
                weights.insert(name, parameter.shape.clone(), values.clone());
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
        let mut read = |part: &str| -> Result<Vec<Vec<f32>>, WeightsError> {
            let take = |parameter: &Parameter| {
                let name = format!("{part}.{}", parameter.name);
                let array = state.take(&name)?;
                if array.shape == parameter.shape {
                    return Ok(array.values);
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

/// The numbers of one step's update of one parameter.
#[derive(Clone, Copy)]
struct Update {
    /// Norm of the gradient and norm to clip it to.
    clip: Option<(f32, f32)>,
    correction1: f32,
    correction2: f32,
    learning_rate: f32,
    decay: f32,
}

impl Update {
    fn apply(&self, values: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        let moments = first.iter_mut().zip(second);
        for ((value, &gradient), (first, second)) in values.iter_mut().zip(gradient).zip(moments) {
            let gradient = match self.clip {
                Some((norm, limit)) => gradient / norm * limit,
                None => gradient,
            };
            *first = REST1 * gradient + BETA1 * *first;
            *second = REST2 * (gradient * gradient) + BETA2 * *second;
            let direction =
                (*first / self.correction1) / ((*second / self.correction2).sqrt() + EPSILON);
            *value -= self.learning_rate * (direction + self.decay * *value);
        }
    }
}

fn zeros(parameters: &[Parameter]) -> Vec<Vec<f32>> {
    let count = |parameter: &Parameter| parameter.shape.iter().product();
    parameters
        .iter()
        .map(|parameter| vec![0.0; count(parameter)])
        .collect()
}

/// Root of the sum of all squares, summed in f64 in a fixed order.
fn global_norm(gradients: &[Vec<f32>]) -> f64 {
    let of_chunk = |chunk: &[f32]| {
        chunk
            .iter()
            .map(|&g| f64::from(g) * f64::from(g))
            .sum::<f64>()
    };
    let chunks = gradients.iter().flat_map(|gradient| gradient.chunks(CHUNK));
    let sums: Vec<f64> = chunks
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(of_chunk)
        .collect();
    sums.iter().sum::<f64>().sqrt()
}
