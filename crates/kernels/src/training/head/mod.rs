//! The end of the network: final norm, head and masked cross-entropy, forward
//! and backward in one pass.
//!
//! With `y = norm(x)`, logits `z = y W^T + b` and the label `t` of a token, the
//! loss is the sum over tokens with a label of `weight (logsumexp(z) - z_t)`,
//! and its gradient by `z` is `weight (softmax(z) - onehot(t))`. Because the
//! loss is the end, its gradient is taken where the logits are: those of a block
//! of `BLOCK` tokens exist at a time and thread. Their gradients are kept for
//! `CHUNK` tokens, for the gradient of `W`, which is a sum over tokens.
//!
//! What is kept of a token is not its gradient `g` but `e = g / scale`, with
//! `scale = weight / sum of exp(z - largest)`, which is known only after all of
//! its exponentials: the products are `g W = scale (e W)` and
//! `g^T y = e^T (scale y)`.

mod gradient;
mod logits;

pub use logits::each_logits;

use super::block::{Turned, WeightGradient, sum_parts, weight_gradients};
use super::cells::{Layout, With};
use super::linear::Linear;
use super::norm::Norm;
use super::over_tokens::{OverTokens, Side};
use super::rows::Rows;
use crate::memory::Piece;
use crate::norm::Statistics;
use crate::shared::SharedMut;
use crate::team::Team;
use gradient::Block;

/// Tokens whose logits a thread holds at a time.
const BLOCK: usize = 32;
/// Tokens whose logits' gradients are held at a time.
const CHUNK: usize = 1024;

/// The parameters of the end of the network.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// The final norm, `[dim]`.
    pub norm: Norm<'a>,
    /// The head, `[vocab_size, dim]`, packed.
    pub matrix: &'a Linear,
    /// Its bias, `[vocab_size]`.
    pub bias: &'a [f32],
}

/// What the tokens are to say.
#[derive(Clone, Copy)]
pub struct Labels<'a> {
    /// `[tokens]`; `None` where there is nothing to say.
    pub ids: &'a [Option<usize>],
    /// What the loss is multiplied by before gradients are taken.
    pub weight: f32,
}

/// The gradients of these parameters, to which [`loss_and_gradient`] adds.
pub struct HeadGradients<'a> {
    /// Of the norm's weight, `[dim]`.
    pub norm_weight: &'a mut [f32],
    /// Of the norm's bias, `[dim]`.
    pub norm_bias: &'a mut [f32],
    /// Of the matrix, `[vocab_size, dim]`.
    pub matrix: &'a mut [f32],
    /// Of the bias, `[vocab_size]`.
    pub bias: &'a mut [f32],
}

/// Memory of the pass, taken once.
pub struct HeadScratch {
    layout: Layout,
    dim: usize,
    vocab_size: usize,
    desks: Vec<Desk>,
    backward: Option<Backward>,
    losses: Vec<f64>,
}

/// What a thread works on.
struct Desk {
    wide: Vec<f32>,
    /// Of the rows that are normed.
    statistics: Vec<Statistics>,
    narrow: Rows,
    /// f32 `[BLOCK, vocab_size]`.
    logits: Piece<f32>,
}

struct Backward {
    /// A row of logits' gradients for each of a thread's tokens.
    d_logits: Vec<Rows>,
    over_tokens: OverTokens,
    normed: OverTokens,
    turned: Turned,
    /// Each block's share of the gradients of vectors.
    parts: Vec<f32>,
}

impl HeadScratch {
    /// Memory for micro batches of up to `tokens` tokens.
    pub fn new(
        team: &mut Team,
        layout: Layout,
        dim: usize,
        vocab_size: usize,
        tokens: usize,
        backward: bool,
    ) -> Self {
        let chunk = tokens.min(CHUNK);
        let threads = team.threads();
        let turned = backward.then(|| Turned::new(team, layout));
        let pool = team.pool();
        let mut desk = || Desk {
            wide: vec![0.0; BLOCK * dim],
            statistics: vec![Statistics::default(); BLOCK],
            narrow: Rows::new(pool, layout, BLOCK, dim),
            logits: pool.take(BLOCK * vocab_size),
        };
        let desks = (0..threads).map(|_| desk()).collect();
        let mut rows = || Rows::new(pool, layout, BLOCK, vocab_size);
        let d_logits = (0..threads).map(|_| rows()).collect();
        let backward = turned.map(|turned| Backward {
            turned,
            d_logits,
            over_tokens: OverTokens::new(pool, Side::Left, layout, vocab_size, chunk),
            normed: OverTokens::new(pool, Side::Right, layout, dim, chunk),
            parts: vec![0.0; chunk.div_ceil(BLOCK) * (2 * dim + vocab_size)],
        });
        Self {
            layout,
            dim,
            vocab_size,
            desks,
            backward,
            losses: vec![0.0; tokens.div_ceil(BLOCK)],
        }
    }
}

/// The sum of `-log p(label)` over the tokens that have a label, in nats; `d_x`
/// becomes the gradient of `labels.weight` times that sum by `x`. Both are f32
/// `[tokens, dim]`. Panics when the scratch was not made for a backward pass.
pub fn loss_and_gradient(
    team: &mut Team,
    scratch: &mut HeadScratch,
    head: &Head,
    labels: Labels,
    x: &[f32],
    d_x: &mut [f32],
    gradients: HeadGradients,
) -> f64 {
    let Labels {
        ids: labels,
        weight,
    } = labels;
    let (dim, layout) = (scratch.dim, scratch.layout);
    assert!(
        x.len() == labels.len() * dim && d_x.len() == x.len(),
        "x is not [tokens, dim]"
    );
    let Some(room) = &mut scratch.backward else {
        panic!("no memory was planned for a backward pass");
    };
    let isa = team.isa();
    let width = 2 * dim + scratch.vocab_size;
    let losses = &mut scratch.losses[..labels.len().div_ceil(BLOCK)];
    let chunks = labels.chunks(CHUNK).zip(x.chunks(CHUNK * dim));
    let outs = d_x
        .chunks_mut(CHUNK * dim)
        .zip(losses.chunks_mut(CHUNK / BLOCK));
    for ((labels, x), (d_x, losses)) in chunks.zip(outs) {
        let count = labels.len();
        let parts = &mut room.parts[..losses.len() * width];
        parts.fill(0.0);
        {
            let desks = SharedMut::new(&mut scratch.desks);
            let d_logits = SharedMut::new(&mut room.d_logits);
            let shared = (SharedMut::new(d_x), SharedMut::new(losses));
            let parts = SharedMut::new(parts);
            let over_tokens = room.over_tokens.writer(count);
            let normed = room.normed.writer(count);
            team.run(count.div_ceil(BLOCK), &|thread, index| {
                let tokens = index * BLOCK..count.min((index + 1) * BLOCK);
                let floats = tokens.start * dim..tokens.end * dim;
                // SAFETY: one task a block of tokens, one running task a thread.
                let (desk, d_logits, d_x, loss, part) = unsafe {
                    (
                        &mut desks.part(thread, 1)[0],
                        &mut d_logits.part(thread, 1)[0],
                        shared.0.part(floats.start, floats.len()),
                        &mut shared.1.part(index, 1)[0],
                        parts.part(index * width, width),
                    )
                };
                isa.run(With(
                    layout,
                    Block {
                        head,
                        labels: &labels[tokens.clone()],
                        weight,
                        x: &x[floats],
                        desk,
                        d_logits,
                        over_tokens: &over_tokens,
                        normed: &normed,
                        tokens,
                        d_x,
                        loss,
                        part,
                    },
                ));
            });
        }
        let sums = &mut [
            &mut *gradients.norm_weight,
            &mut *gradients.norm_bias,
            &mut *gradients.bias,
        ];
        sum_parts(team, parts, width, sums);
        let (d_y, normed) = (&room.over_tokens, &room.normed);
        let matrix = WeightGradient::new(gradients.matrix, d_y, normed, 1.0);
        weight_gradients(team, &mut room.turned, layout, count, &[matrix]);
    }
    losses.iter().sum()
}
