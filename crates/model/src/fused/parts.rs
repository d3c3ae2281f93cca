//! Which of the parameters is which, in the order of
//! [`parameters`](crate::parameters()).

use kernels::training::block::{Gradients, Vectors, Widths};
use kernels::training::head::HeadGradients;
use kernels::training::norm::Norm;

use crate::config::{MLP_MULTIPLE, ModelConfig};

/// Token and position embeddings come first.
const EMBEDDINGS: usize = 2;
/// Arrays a layer: query, key, value, output and its bias, up and its bias, down
/// and its bias, and the two norms' weights and biases.
const LAYER: usize = 13;
/// The final norm's weight and bias, the head's weight and bias.
const END: usize = 4;

/// The widths of a layer.
pub(super) fn widths(config: &ModelConfig) -> Widths {
    Widths {
        dim: config.dim,
        heads: config.heads,
        head_dim: config.head_dim,
        hidden: config.dim * MLP_MULTIPLE,
    }
}

/// The arrays of a layer.
pub(super) fn layer(values: &[Vec<f32>], layer: usize) -> &[Vec<f32>; LAYER] {
    let (layers, _) = values[EMBEDDINGS..].as_chunks();
    &layers[layer]
}

/// The matrices of a layer, in the order of `Matrices::pack`.
pub(super) fn matrices(layer: &[Vec<f32>; LAYER]) -> [&[f32]; 6] {
    let [query, key, value, output, _, up, _, down, ..] = layer;
    [query, key, value, output, up, down]
}

/// The other parameters of a layer.
pub(super) fn vectors(layer: &[Vec<f32>; LAYER]) -> Vectors<'_> {
    let [
        _,
        _,
        _,
        _,
        output_bias,
        _,
        up_bias,
        _,
        down_bias,
        weight1,
        bias1,
        weight2,
        bias2,
    ] = layer;
    Vectors {
        norm1: Norm {
            weight: weight1,
            bias: bias1,
        },
        norm2: Norm {
            weight: weight2,
            bias: bias2,
        },
        output_bias,
        up_bias,
        down_bias,
    }
}

/// The parameters behind the layers.
pub(super) struct End<'a> {
    pub(super) norm: Norm<'a>,
    pub(super) matrix: &'a [f32],
    pub(super) bias: &'a [f32],
}

/// The parameters behind the layers.
pub(super) fn end(values: &[Vec<f32>]) -> End<'_> {
    let Some([weight, offset, matrix, bias]) = values.last_chunk::<END>() else {
        panic!("parameters of another model");
    };
    End {
        norm: Norm {
            weight,
            bias: offset,
        },
        matrix,
        bias,
    }
}

/// Gradients, in the order of the parameters, as the kernels add to them.
pub(super) struct GradientParts<'a> {
    pub(super) table: &'a mut [f32],
    pub(super) positions: &'a mut [f32],
    pub(super) layers: Vec<Gradients<'a>>,
    pub(super) end: HeadGradients<'a>,
}

/// Takes gradients apart.
pub(super) fn gradient_parts(gradients: &mut [Vec<f32>]) -> GradientParts<'_> {
    let parts = gradients
        .split_first_chunk_mut::<EMBEDDINGS>()
        .and_then(|(embeddings, rest)| Some((embeddings, rest.split_last_chunk_mut::<END>()?)));
    let Some(([table, positions], (layers, end))) = parts else {
        panic!("gradients of another model");
    };
    let [norm_weight, norm_bias, matrix, bias] = end;
    GradientParts {
        table,
        positions,
        layers: layers.as_chunks_mut().0.iter_mut().map(of_layer).collect(),
        end: HeadGradients {
            norm_weight,
            norm_bias,
            matrix,
            bias,
        },
    }
}

fn of_layer(layer: &mut [Vec<f32>; LAYER]) -> Gradients<'_> {
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
    ] = layer;
    Gradients {
        matrices: [query, key, value, output, up, down],
        norms: [weight1, bias1, weight2, bias2],
        biases: [output_bias, up_bias, down_bias],
    }
}
