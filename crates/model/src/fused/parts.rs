//! Which of the parameters is which, in the order of
//! [`parameters`](crate::parameters()).

use kernels::Piece;
use kernels::training::block::{Gradients, Vectors, Widths};
use kernels::training::head::HeadGradients;
use kernels::training::norm::Norm;

use crate::config::{MLP_MULTIPLE, ModelConfig};

/// Arrays a layer: query, key, value, output and its bias, up and its bias, down
/// and its bias, and the two norms' weights and biases.
const LAYER: usize = 13;

/// The widths of a layer.
pub(super) fn widths(config: &ModelConfig) -> Widths {
    Widths {
        dim: config.dim,
        heads: config.heads,
        head_dim: config.head_dim,
        hidden: config.dim * MLP_MULTIPLE,
    }
}

/// The arrays of a model, or their gradients, taken apart.
pub(super) struct Parts<T> {
    /// Embeddings of tokens.
    pub(super) table: T,
    /// Embeddings of positions, where these are learned.
    pub(super) positions: Option<T>,
    /// Those of the layers, [`LAYER`] each.
    layers: Vec<[T; LAYER]>,
    /// The final norm.
    norm: [T; 2],
    /// The head's matrix, where it is not the table.
    matrix: Option<T>,
    /// The head's bias.
    pub(super) bias: T,
}

impl<T> Parts<T> {
    /// Takes `arrays` apart, which are those of a model of this shape.
    fn new(config: &ModelConfig, arrays: impl Iterator<Item = T>) -> Self {
        let mut arrays = arrays;
        let mut next = || match arrays.next() {
            Some(array) => array,
            None => panic!("parameters of another model"),
        };
        Self {
            table: next(),
            positions: (!config.rotary).then(&mut next),
            layers: (0..config.num_layers)
                .map(|_| std::array::from_fn(|_| next()))
                .collect(),
            norm: [next(), next()],
            matrix: (!config.tied).then(&mut next),
            bias: next(),
        }
    }
}

impl<'a> Parts<&'a [f32]> {
    /// Of parameters.
    pub(super) fn of(config: &ModelConfig, values: &'a [Piece<f32>]) -> Self {
        Self::new(config, values.iter().map(|values| &values[..]))
    }

    /// The matrices of a layer, in the order of `Matrices::pack`.
    pub(super) fn matrices(&self, layer: usize) -> [&'a [f32]; 6] {
        let [query, key, value, output, _, up, _, down, ..] = self.layers[layer];
        [query, key, value, output, up, down]
    }

    /// The other parameters of a layer.
    pub(super) fn vectors(&self, layer: usize) -> Vectors<'a> {
        let [
            ..,
            output_bias,
            _,
            up_bias,
            _,
            down_bias,
            weight1,
            bias1,
            weight2,
            bias2,
        ] = self.layers[layer];
        let norm = |weight, bias| Norm { weight, bias };
        Vectors {
            norm1: norm(weight1, bias1),
            norm2: norm(weight2, bias2),
            output_bias,
            up_bias,
            down_bias,
        }
    }

    /// The final norm.
    pub(super) fn norm(&self) -> Norm<'a> {
        let [weight, bias] = self.norm;
        Norm { weight, bias }
    }

    /// The head's matrix, `[vocab_size, dim]`.
    pub(super) fn head_matrix(&self) -> &'a [f32] {
        self.matrix.unwrap_or(self.table)
    }
}

impl<'a> Parts<&'a mut [f32]> {
    /// Of gradients.
    pub(super) fn of_mut(config: &ModelConfig, gradients: &'a mut [Piece<f32>]) -> Self {
        Self::new(config, gradients.iter_mut().map(|values| &mut values[..]))
    }

    /// Those of the end, as the kernels add to them.
    pub(super) fn head(&mut self) -> HeadGradients<'_> {
        let [norm_weight, norm_bias] = &mut self.norm;
        HeadGradients {
            norm_weight,
            norm_bias,
            matrix: self.matrix.as_mut().unwrap_or(&mut self.table),
            bias: self.bias,
        }
    }

    /// Those of a layer, as the kernels add to them.
    pub(super) fn layer(&mut self, layer: usize) -> Gradients<'_> {
        let [
            query,
            key,
            value,
            output,
            output_bias,
            up,
            up_bias,
            down,
            down_bias,
            weight1,
            bias1,
            weight2,
            bias2,
        ] = &mut self.layers[layer];
        Gradients {
            matrices: [query, key, value, output, up, down],
            norms: [weight1, bias1, weight2, bias2],
            biases: [output_bias, up_bias, down_bias],
        }
    }
}
