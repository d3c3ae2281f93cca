//! The transformer by the fused kernels of the CPU: the same mathematics as
//! [`Transformer`](crate::Transformer), whose composite body is the reference
//! that tests hold it to.
//!
//! It is not an operation inside an autodiff graph but the whole network on
//! plain slices, because that is what makes it fast: parameters stay where they
//! are, weights are packed once a step, gradients are added in place to the
//! accumulated ones, and every large buffer is taken once (`plan`). A graph of
//! tensors would own and free each of them in every pass.

mod backward;
mod forward;
mod parts;
mod plan;

use kernels::training::block::{Layer, Matrices, Tokens};
use kernels::training::cells::Layout;
pub use kernels::training::cells::Precision;
use kernels::training::head::Head;
use kernels::training::linear::Linear;
use kernels::{Piece, Rotary, Team};

use crate::batch::Batch;
use crate::config::ModelConfig;
use crate::dropout::Dropout;
use crate::parameters::{Parameter, parameters};
use crate::weights::{Weights, WeightsError};
use parts::Parts;
use plan::Plan;

/// A model on the CPU, for training and for scoring.
pub struct Fused {
    config: ModelConfig,
    team: Team,
    list: Vec<Parameter>,
    /// In the order of [`parameters`].
    values: Vec<Piece<f32>>,
    packed: Packed,
    rotary: Option<Rotary>,
    plan: Plan,
}

/// The weights as the products want them.
struct Packed {
    layers: Vec<Matrices>,
    head: Linear,
    /// Whether `values` have changed since.
    stale: bool,
}

impl Packed {
    /// The end of the network.
    fn head<'a>(&'a self, config: &ModelConfig, values: &'a [Piece<f32>]) -> Head<'a> {
        let values = Parts::of(config, values);
        Head {
            norm: values.norm(),
            matrix: &self.head,
            bias: values.bias,
        }
    }
}

impl Fused {
    /// Takes `weights`. `backward` says whether gradients will be asked for;
    /// `threads` 0 means one a core.
    ///
    /// # Errors
    /// [`WeightsError`] when the weights are not those of a model of this shape.
    pub fn new(
        config: &ModelConfig,
        mut weights: Weights,
        precision: Precision,
        backward: bool,
        threads: usize,
    ) -> Result<Self, WeightsError> {
        weights.check(config)?;
        let list = parameters(config);
        let mut team = Team::new(threads);
        let pool = team.pool();
        let values = list
            .iter()
            .map(|parameter| Ok(pool.copied(&weights.take(&parameter.name)?.values)))
            .collect::<Result<Vec<_>, WeightsError>>()?;
        let layout = match config.head_dim.is_multiple_of(2) {
            true => Layout::of(precision, team.isa()),
            // Two values of a pair may not belong to two heads.
            false => Layout::without_pairs(precision),
        };
        let widths = parts::widths(config);
        let packed = Packed {
            layers: (0..config.num_layers)
                .map(|_| Matrices::new(&mut team, layout, widths, backward))
                .collect(),
            head: Linear::new(&mut team, layout, config.vocab_size, config.dim, backward),
            stale: true,
        };
        Ok(Self {
            config: config.clone(),
            rotary: (config.rotary)
                .then(|| Rotary::new(config.max_sequence_length, config.head_dim)),
            plan: Plan::new(config, layout, backward),
            team,
            list,
            values,
            packed,
        })
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// A copy of all parameters.
    pub fn to_weights(&self) -> Weights {
        let mut weights = Weights::default();
        for (parameter, values) in self.list.iter().zip(&self.values) {
            let Parameter { name, shape, .. } = parameter.clone();
            weights.insert(name, shape, values.to_vec());
        }
        weights
    }

    /// Gradients of all parameters, zeros.
    pub fn zeros(&mut self) -> Vec<Piece<f32>> {
        let pool = self.team.pool();
        self.values
            .iter()
            .map(|values| pool.zeros(values.len()))
            .collect()
    }

    /// The threads.
    pub fn team(&mut self) -> &mut Team {
        &mut self.team
    }

    /// All parameters, to be changed in place, and the threads to do it with.
    pub fn parameters_mut(&mut self) -> (&mut Team, &mut [Piece<f32>]) {
        self.packed.stale = true;
        (&mut self.team, &mut self.values)
    }

    /// Takes the memory for batches of `rows` sequences of `length` positions
    /// now instead of when the first one comes.
    pub fn reserve(&mut self, rows: usize, length: usize) {
        let tokens = Tokens {
            sequences: rows,
            length,
        };
        self.plan.reserve(&mut self.team, tokens);
    }

    /// Packs the weights if they have changed.
    fn pack(&mut self) {
        if !self.packed.stale {
            return;
        }
        let values = Parts::of(&self.config, &self.values);
        for (layer, matrices) in self.packed.layers.iter_mut().enumerate() {
            matrices.pack(&mut self.team, values.matrices(layer));
        }
        let head = values.head_matrix();
        self.packed.head.pack(&mut self.team, head, 1.0);
        self.packed.stale = false;
    }

    /// Plans for a batch and says what it looks like to the kernels.
    fn prepare(&mut self, batch: &Batch) -> Input {
        let tokens = Tokens {
            sequences: batch.rows(),
            length: batch.length(),
        };
        self.plan.reserve(&mut self.team, tokens);
        self.pack();
        Input::new(batch, tokens)
    }
}

/// A batch as the kernels take it.
struct Input {
    tokens: Tokens,
    ids: Vec<u32>,
    /// Which keys are not PAD; `None` where none is.
    visible: Option<Vec<bool>>,
    labels: Vec<Option<usize>>,
}

impl Input {
    fn new(batch: &Batch, tokens: Tokens) -> Self {
        use crate::config::PAD;
        let ids = batch.inputs();
        let padded = ids.contains(&PAD);
        let labels = batch.labels().into_iter();
        Self {
            tokens,
            visible: padded.then(|| ids.iter().map(|&id| id != PAD).collect()),
            ids,
            labels: labels
                .map(|id| (id != PAD).then_some(id as usize))
                .collect(),
        }
    }

    /// Layer `index` of a pass over the batch.
    fn layer<'a>(
        &'a self,
        index: usize,
        values: &Parts<&'a [f32]>,
        matrices: &'a Matrices,
        dropout: Option<Dropout>,
        rotary: Option<&'a Rotary>,
    ) -> Layer<'a> {
        Layer {
            tokens: self.tokens,
            vectors: values.vectors(index),
            matrices,
            visible: self.visible.as_deref(),
            dropout: dropout.and_then(|dropout| dropout.of_layer(index)),
            rotary,
        }
    }
}
