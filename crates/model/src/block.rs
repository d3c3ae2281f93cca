//! One layer of the transformer: attention and MLP in parallel.

use burn::module::{Module, Param};
use burn::tensor::activation::{silu, softmax};
use burn::tensor::module::layer_norm;
use burn::tensor::{Bool, Tensor, TensorData};

use crate::batch::Batch;
use crate::config::{NORM_EPSILON, PAD};
use crate::dropout::Dropout;
use crate::rotary::Rotary;

/// A linear layer: `weight` is `[out, in]` as Equinox stores it.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// `[rows, in]` to `[rows, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let y = x.matmul(self.weight.val().transpose());
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }
}

/// A layer norm over the last axis, with scale and offset.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Scale, `[dim]`.
    pub weight: Param<Tensor<1>>,
    /// Offset, `[dim]`.
    pub bias: Param<Tensor<1>>,
}

impl LayerNorm {
    /// Normalises each row of `[rows, dim]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        layer_norm(x, self.weight.val(), Some(self.bias.val()), NORM_EPSILON)
    }
}

/// The four projections of attention.
#[derive(Module, Debug)]
pub struct Attention {
    /// Queries, without bias.
    pub query_proj: Linear,
    /// Keys, without bias.
    pub key_proj: Linear,
    /// Values, without bias.
    pub value_proj: Linear,
    /// Output, with bias.
    pub output_proj: Linear,
}

/// The MLP: two linear layers with a SiLU between.
#[derive(Module, Debug)]
pub struct Mlp {
    /// `[4 dim, dim]`, then `[dim, 4 dim]`.
    pub layers: Vec<Linear>,
}

/// The parameters of one layer. Field names are those of the JAX original.
#[derive(Module, Debug)]
pub struct Block {
    /// Attention.
    pub attn: Attention,
    /// MLP.
    pub fc: Mlp,
    /// Norm before attention.
    pub norm1: LayerNorm,
    /// Norm before the MLP.
    pub norm2: LayerNorm,
}

/// What all layers of one forward pass share.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Attention heads.
    pub heads: usize,
    /// Sequences in the batch.
    pub rows: usize,
    /// Positions of a sequence.
    pub length: usize,
    /// `[rows, 1, length, length]` over (query, key); true hides the key.
    pub hidden: Tensor<4, Bool>,
    /// Attention dropout, `None` at inference.
    pub dropout: Option<Dropout>,
    /// Rotary positions; `None` where positions are learned.
    pub rotary: Option<Rotary>,
}

/// Which keys each query may not see, `[rows, length, length]` row-major: later
/// positions, and PAD.
pub fn hidden_keys(batch: &Batch) -> Vec<bool> {
    let length = batch.length();
    let inputs = batch.inputs();
    let rows = inputs.chunks_exact(length);
    rows.flat_map(|ids| {
        (0..length).flat_map(move |query| {
            let keys = ids.iter().enumerate();
            keys.map(move |(key, &id)| key > query || id == PAD)
        })
    })
    .collect()
}

/// `x + attention(norm1(x)) + mlp(norm2(x))` for `x` of `[rows * length, dim]`,
/// f32. `layer` counts from 0 and selects the dropout's random numbers. This is
/// the reference body, in plain tensor operations; a fused one has to agree
/// with it in value and in every gradient.
pub fn parallel_block(x: Tensor<2>, block: &Block, pass: &Pass, layer: usize) -> Tensor<2> {
    let attention = attend(block.norm1.forward(x.clone()), &block.attn, pass, layer);
    let mut hidden = block.norm2.forward(x.clone());
    for (index, linear) in block.fc.layers.iter().enumerate() {
        hidden = if index == 0 { hidden } else { silu(hidden) };
        hidden = linear.forward(hidden);
    }
    x + attention + hidden
}

fn attend(x: Tensor<2>, attn: &Attention, pass: &Pass, layer: usize) -> Tensor<2> {
    let Pass {
        heads,
        rows,
        length,
        ..
    } = *pass;
    let [_, dim] = x.dims();
    let head_dim = dim / heads;
    let split = |y: Tensor<2>| y.reshape([rows, length, heads, head_dim]).swap_dims(1, 2);
    let turn = |y: Tensor<4>| match &pass.rotary {
        Some(rotary) => rotary.turn(y),
        None => y,
    };
    let query = turn(split(attn.query_proj.forward(x.clone()))) / (head_dim as f64).sqrt();
    let key = turn(split(attn.key_proj.forward(x.clone())));
    let value = split(attn.value_proj.forward(x));

    let scores = query.matmul(key.swap_dims(2, 3));
    let hidden = pass.hidden.clone().expand([rows, heads, length, length]);
    // The original fills with the smallest f32, not with minus infinity: a query
    // that sees no key at all gets equal weights, not NaN.
    let mut weights = softmax(scores.mask_fill(hidden, f32::MIN), 3);
    if let Some(dropout) = pass.dropout {
        let factors = dropout.factors(layer, rows * heads * length, length);
        let data = TensorData::new(factors, [rows, heads, length, length]);
        weights = weights.clone() * Tensor::from_data(data, &weights.device());
    }
    let merged = weights
        .matmul(value)
        .swap_dims(1, 2)
        .reshape([rows * length, dim]);
    attn.output_proj.forward(merged)
}
