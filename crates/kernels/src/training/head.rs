//! The end of the network: final norm, head and masked cross-entropy, forward
//! and backward in one pass.
//!
//! With `y = norm(x)`, logits `z = y W^T + b` and the label `t` of a token, the
//! loss is the sum over tokens with a label of `weight (logsumexp(z) - z_t)`,
//! and its gradient by `z` is `weight (softmax(z) - onehot(t))`. Because the
//! loss is the end, its gradient is taken where the logits are: those of a block
//! of `BLOCK` tokens exist at a time and thread. Their gradients are kept for
//! `CHUNK` tokens, for the gradient of `W`, which is a sum over tokens.

use std::ops::Range;

use super::block::{WeightGradient, norm_rows, sum_parts, to_cells, weight_gradients};
use super::cells::{CellKernel, Cells, Layout, With};
use super::linear::Linear;
use super::norm::{Norm, norm_backward};
use super::over_tokens::{OverTokens, Side, Writer};
use super::product::{product, product_in_parts};
use super::rows::Rows;
use super::sinks::{Add, Logits};
use super::tile::Left;
use crate::exp::exp_and_sum;
use crate::lanes::{Lanes, WIDTH};
use crate::memory::Piece;
use crate::shared::SharedMut;
use crate::team::Team;

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
    narrow: Rows,
    /// f32 `[BLOCK, vocab_size]`.
    logits: Piece<f32>,
}

struct Backward {
    /// A row of logits' gradients for each of a thread's tokens.
    d_logits: Vec<Rows>,
    over_tokens: OverTokens,
    normed: OverTokens,
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
        let pool = team.pool();
        let mut desk = || Desk {
            wide: vec![0.0; BLOCK * dim],
            narrow: Rows::new(pool, layout, BLOCK, dim),
            logits: pool.take(BLOCK * vocab_size),
        };
        let desks = (0..threads).map(|_| desk()).collect();
        let mut rows = || Rows::new(pool, layout, BLOCK, vocab_size);
        let d_logits = (0..threads).map(|_| rows()).collect();
        let backward = backward.then(|| Backward {
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
        weight_gradients(team, layout, count, &mut [matrix]);
    }
    losses.iter().sum()
}

/// A block of tokens, there and back.
struct Block<'a> {
    head: &'a Head<'a>,
    labels: &'a [Option<usize>],
    weight: f32,
    x: &'a [f32],
    desk: &'a mut Desk,
    d_logits: &'a mut Rows,
    over_tokens: &'a Writer<'a>,
    normed: &'a Writer<'a>,
    tokens: Range<usize>,
    d_x: &'a mut [f32],
    loss: &'a mut f64,
    /// Gradients of the norm's weight and bias and of the head's bias.
    part: &'a mut [f32],
}

impl CellKernel for Block<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(self, s: S) {
        let (head, rows, first) = (self.head, self.labels.len(), self.tokens.start);
        let vocab_size = head.bias.len();
        let dim = head.norm.weight.len();
        let logits = &mut self.desk.logits[..rows * vocab_size];
        let wide = &mut self.desk.wide[..rows * dim];
        logits_of::<S, C>(s, head, self.x, wide, &mut self.desk.narrow, logits);

        let (norm_weight, part) = self.part.split_at_mut(dim);
        let (norm_bias, d_bias) = part.split_at_mut(dim);
        *self.loss = 0.0;
        for (logits, label) in logits.chunks_exact_mut(vocab_size).zip(self.labels) {
            *self.loss += match label {
                Some(label) => loss_of_row(s, logits, *label, self.weight, d_bias),
                None => {
                    logits.fill(0.0);
                    0.0
                }
            };
        }
        to_cells::<S, C>(s, logits, self.d_logits);
        // SAFETY: this task alone has these tokens.
        unsafe { self.over_tokens.rows::<S, C>(s, logits, first) };

        wide.fill(0.0);
        let left = Left::rows(self.d_logits.cells(), self.d_logits.stride());
        let mut sink = Add::new(wide, dim);
        product_in_parts::<S, C>(s, left, rows, head.matrix.backward(), &mut sink);
        self.d_x.fill(0.0);
        for ((x, d_y), d_x) in (self.x.chunks_exact(dim))
            .zip(wide.chunks_exact_mut(dim))
            .zip(self.d_x.chunks_exact_mut(dim))
        {
            norm_backward(s, x, head.norm, d_y, d_x, norm_weight, norm_bias);
        }
        // SAFETY: as above.
        unsafe { self.normed.rows::<S, C>(s, wide, first) };
    }
}

/// `-log p(label)`; replaces the logits by the loss's gradient, which it adds to
/// `d_bias` too.
#[inline(always)]
fn loss_of_row<S: Lanes>(
    s: S,
    logits: &mut [f32],
    label: usize,
    weight: f32,
    d_bias: &mut [f32],
) -> f64 {
    let own = logits[label];
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum = exp_and_sum(s, logits);
    let scale = s.splat(weight / sum);
    let (lines, rest) = logits.as_chunks_mut::<WIDTH>();
    for line in lines {
        s.store(s.mul(s.load(line), scale), line);
    }
    for value in rest {
        *value *= weight / sum;
    }
    logits[label] -= weight;
    super::norm::add_row(s, logits, d_bias);
    f64::from(sum).ln() + f64::from(largest) - f64::from(own)
}

/// The logits of rows of `x`, f32 `[rows, vocab_size]`.
#[inline(always)]
fn logits_of<S: Lanes, C: Cells>(
    s: S,
    head: &Head,
    x: &[f32],
    wide: &mut [f32],
    narrow: &mut Rows,
    logits: &mut [f32],
) {
    norm_rows::<S, C>(s, x, head.norm, wide, narrow);
    let rows = x.len() / head.norm.weight.len();
    let left = Left::rows(narrow.cells(), narrow.stride());
    let right = head.matrix.forward();
    let mut sink = Logits {
        out: logits,
        columns: right.columns,
        bias: head.bias,
    };
    product::<S, C>(
        s,
        left,
        rows,
        right,
        0..right.columns,
        0..right.k,
        &mut sink,
    );
}

/// Puts `take(token, logits)` of each token into `out`. `x` is f32
/// `[tokens, dim]`.
pub fn each_logits<T: Send>(
    team: &mut Team,
    scratch: &mut HeadScratch,
    head: &Head,
    x: &[f32],
    out: &mut [T],
    take: impl Fn(usize, &[f32]) -> T + Sync,
) {
    let (dim, vocab_size, layout) = (scratch.dim, scratch.vocab_size, scratch.layout);
    let isa = team.isa();
    let desks = SharedMut::new(&mut scratch.desks);
    let count = out.len();
    assert_eq!(x.len(), count * dim, "x is not [tokens, dim]");
    let out = SharedMut::new(out);
    team.run(count.div_ceil(BLOCK), &|thread, index| {
        let tokens = index * BLOCK..count.min((index + 1) * BLOCK);
        // SAFETY: one running task a thread, one task a block of tokens.
        let (desk, out) = unsafe {
            (
                &mut desks.part(thread, 1)[0],
                out.part(tokens.start, tokens.len()),
            )
        };
        let logits = &mut desk.logits[..tokens.len() * vocab_size];
        let x = &x[tokens.start * dim..tokens.end * dim];
        isa.run(With(
            layout,
            LogitsOf {
                head,
                x,
                wide: &mut desk.wide[..x.len()],
                narrow: &mut desk.narrow,
                logits,
            },
        ));
        let logits = logits.chunks_exact(vocab_size);
        for ((token, logits), out) in tokens.zip(logits).zip(out) {
            *out = take(token, logits);
        }
    });
}

struct LogitsOf<'a> {
    head: &'a Head<'a>,
    x: &'a [f32],
    wide: &'a mut [f32],
    narrow: &'a mut Rows,
    logits: &'a mut [f32],
}

impl CellKernel for LogitsOf<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(self, s: S) {
        logits_of::<S, C>(s, self.head, self.x, self.wide, self.narrow, self.logits);
    }
}
