//! One layer of the transformer, attention and MLP in parallel:
//! `y = x + attention(norm1(x)) W_o + b_o + silu(norm2(x) W_u + b_u) W_d + b_d`.
//!
//! Forward and backward are a few phases each. In a phase the tokens are cut
//! into blocks of some sixty; a task takes a block through everything that can be
//! done with these tokens alone (norm, conversion, products, activation), while
//! they are in its core's cache. Attention, which looks across tokens, and the
//! gradients of the weights, which sum over all tokens, are phases of their own.
//!
//! Every sum is taken in an order that depends on the shapes alone: tasks leave
//! their part of a sum in a place of their own, and the parts are added in
//! order. So the number of threads changes no bit.

mod backward;
mod forward;
mod scratch;
mod weight_gradients;

pub use backward::backward;
pub use forward::forward;
pub use scratch::Scratch;
pub(crate) use scratch::sum_parts;
pub(crate) use weight_gradients::{Turned, WeightGradient, weight_gradients};

use super::attention;
use super::cells::Layout;
use super::dropout::Dropout;
use super::linear::Linear;
use super::norm::Norm;
use super::rows::Rows;
use crate::norm::Statistics;
use crate::rotary::Rotary;
use crate::team::Team;

/// The tokens of the block with `index`, `block` long, of `count` tokens.
fn tokens_of(index: usize, block: usize, count: usize) -> std::ops::Range<usize> {
    index * block..count.min((index + 1) * block)
}

/// The widths of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    /// Residual stream: `heads * head_dim`.
    pub dim: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// The MLP's hidden layer.
    pub hidden: usize,
}

/// The sequences of a micro batch: token rows are `sequence * length + position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Sequences.
    pub sequences: usize,
    /// Positions of each.
    pub length: usize,
}

impl Tokens {
    /// How many there are.
    pub fn count(self) -> usize {
        self.sequences * self.length
    }
}

/// A layer and what its passes are about.
#[derive(Clone, Copy)]
pub struct Layer<'a> {
    /// The sequences.
    pub tokens: Tokens,
    /// Parameters.
    pub vectors: Vectors<'a>,
    /// Parameters.
    pub matrices: &'a Matrices,
    /// `[tokens]`, false for keys under PAD; `None` where there is none.
    pub visible: Option<&'a [bool]>,
    /// Dropout of this layer's attention weights.
    pub dropout: Option<Dropout>,
    /// Turns queries and keys; `None` where positions are learned.
    pub rotary: Option<&'a Rotary>,
}

/// The parameters of a layer that are no matrices.
#[derive(Clone, Copy)]
pub struct Vectors<'a> {
    /// Norm before attention.
    pub norm1: Norm<'a>,
    /// Norm before the MLP.
    pub norm2: Norm<'a>,
    /// Bias of attention's output, `[dim]`.
    pub output_bias: &'a [f32],
    /// Bias into the hidden layer, `[hidden]`.
    pub up_bias: &'a [f32],
    /// Bias out of the hidden layer, `[dim]`.
    pub down_bias: &'a [f32],
}

/// The matrices of a layer, packed.
pub struct Matrices {
    /// Queries, scaled by `1 / sqrt(head_dim)`, `[dim, dim]`.
    pub query: Linear,
    /// Keys, `[dim, dim]`.
    pub key: Linear,
    /// Values, `[dim, dim]`.
    pub value: Linear,
    /// Attention's output, `[dim, dim]`.
    pub output: Linear,
    /// Into the hidden layer, `[hidden, dim]`.
    pub up: Linear,
    /// Out of the hidden layer, `[dim, hidden]`.
    pub down: Linear,
    widths: Widths,
}

impl Matrices {
    /// Room for the matrices of a layer.
    pub fn new(team: &mut Team, layout: Layout, widths: Widths, backward: bool) -> Self {
        let Widths { dim, hidden, .. } = widths;
        let mut linear = |outputs, inputs| Linear::new(team, layout, outputs, inputs, backward);
        Self {
            query: linear(dim, dim),
            key: linear(dim, dim),
            value: linear(dim, dim),
            output: linear(dim, dim),
            up: linear(hidden, dim),
            down: linear(dim, hidden),
            widths,
        }
    }

    /// Packs f32 matrices `[outputs, inputs]`: query, key, value, output, up,
    /// down.
    pub fn pack(&mut self, team: &mut Team, weights: [&[f32]; 6]) {
        let [query, key, value, output, up, down] = weights;
        self.query.pack(team, query, self.widths.query_scale());
        self.key.pack(team, key, 1.0);
        self.value.pack(team, value, 1.0);
        self.output.pack(team, output, 1.0);
        self.up.pack(team, up, 1.0);
        self.down.pack(team, down, 1.0);
    }
}

impl Widths {
    fn attention(self, tokens: Tokens) -> attention::Shape {
        attention::Shape {
            sequences: tokens.sequences,
            heads: self.heads,
            length: tokens.length,
            head_dim: self.head_dim,
        }
    }

    /// What queries are multiplied by.
    pub(crate) fn query_scale(self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }
}

/// The gradients of a layer's parameters, to which `backward` adds.
pub struct Gradients<'a> {
    /// Of the matrices, in the order of [`Matrices::pack`].
    pub matrices: [&'a mut [f32]; 6],
    /// Of `norm1.weight`, `norm1.bias`, `norm2.weight`, `norm2.bias`.
    pub norms: [&'a mut [f32]; 4],
    /// Of the output, up and down biases.
    pub biases: [&'a mut [f32]; 3],
}

/// What a layer's backward pass needs from its forward pass, beside its input.
pub struct Saved {
    query: Rows,
    key: Rows,
    value: Rows,
    attended: Rows,
    hidden: Rows,
    /// Log-sum-exp of each attention row.
    statistics: Vec<f32>,
    /// What both norms divide each token's row by.
    norms: Vec<Statistics>,
}

impl Saved {
    /// Room for `tokens` tokens.
    pub fn new(team: &mut Team, layout: Layout, widths: Widths, tokens: usize) -> Self {
        let mut rows = |values| Rows::new(team.pool(), layout, tokens, values);
        Self {
            query: rows(widths.dim),
            key: rows(widths.dim),
            value: rows(widths.dim),
            attended: rows(widths.dim),
            hidden: rows(widths.hidden),
            statistics: vec![0.0; tokens * widths.heads],
            norms: vec![Statistics::default(); tokens],
        }
    }
}
