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

use std::ops::Range;

use super::block::{WeightGradient, norm_rows, sum_parts, weight_gradients};
use super::cells::{CellKernel, Cells, Layout, With};
use super::linear::Linear;
use super::norm::{Norm, norm_backward};
use super::over_tokens::{OverTokens, Side, Writer};
use super::panels::lines;
use super::product::{product, product_in_parts};
use super::rows::Rows;
use super::sinks::{Add, Logits, add_part};
use super::tile::Left;
use crate::exp::exp;
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
        let (stride, d_logits) = (self.d_logits.stride(), self.d_logits.cells_mut());
        let mut scales = [0.0; BLOCK];
        *self.loss = 0.0;
        let of_rows = logits.chunks_exact(vocab_size).zip(self.labels);
        let outs = d_logits.chunks_exact_mut(stride).zip(&mut scales);
        for ((logits, label), (out, scale)) in of_rows.zip(outs) {
            match *label {
                Some(label) => {
                    let row = loss_of_row::<S, C>(s, logits, label, out);
                    *self.loss += row.loss;
                    *scale = self.weight / row.sum;
                    d_bias[label] += row.rounding * *scale;
                }
                None => out.fill(0),
            }
        }
        // What is left there from before may not be a number.
        let cells = rows * stride..rows.next_multiple_of(C::GROUP) * stride;
        d_logits[cells].fill(0);
        let whole = &scales[..rows.next_multiple_of(C::GROUP)];
        // SAFETY: this task alone has these tokens.
        unsafe { lay_down::<S, C>(s, self.d_logits, whole, self.over_tokens, first, d_bias) };

        wide.fill(0.0);
        let left = Left::rows(self.d_logits.cells(), stride);
        let mut sink = Add::new(wide, dim);
        product_in_parts::<S, C>(s, left, rows, head.matrix.backward(), &mut sink);
        self.d_x.fill(0.0);
        for (((x, row), d_x), scale) in (self.x.chunks_exact(dim))
            .zip(wide.chunks_exact_mut(dim))
            .zip(self.d_x.chunks_exact_mut(dim))
            .zip(scales)
        {
            row.iter_mut().for_each(|d_y| *d_y *= scale);
            norm_backward(s, x, head.norm, row, d_x, norm_weight, norm_bias);
            row.iter_mut().for_each(|y| *y *= scale);
        }
        // SAFETY: as above.
        unsafe { self.normed.rows::<S, C>(s, wide, first) };
    }
}

/// What a row of logits gives.
struct OfRow {
    /// `-log p(label)`.
    loss: f64,
    /// Sum of `exp(z - largest)`.
    sum: f32,
    /// What the cell of the label lacks: it is a number near 1 among small ones,
    /// and the bias's gradient would show it.
    rounding: f32,
}

/// Writes `exp(z - largest)` of a row of logits, less their sum at the label:
/// divided by the sum they are the gradient of the loss.
#[inline(always)]
fn loss_of_row<S: Lanes, C: Cells>(s: S, logits: &[f32], label: usize, out: &mut [u32]) -> OfRow {
    let (lines, rest) = logits.as_chunks::<WIDTH>();
    let mut tail = [f32::NEG_INFINITY; WIDTH];
    tail[..rest.len()].copy_from_slice(rest);
    let lines = || lines.iter().chain(std::iter::once(&tail));
    let largest = lines().fold(s.splat(f32::MIN), |largest, line| {
        s.max(largest, s.load(line))
    });
    let largest = s.largest(largest);
    let mut sum = s.splat(0.0);
    for (line, out) in lines().zip(out.chunks_exact_mut(WIDTH / C::GROUP)) {
        let e = exp(s, s.sub(s.load(line), s.splat(largest)));
        C::line(s, e, out);
        sum = s.add(sum, e);
    }
    let sum = s.sum(sum);
    // From the exact value, not from what became of it in its cell: where the
    // label is almost certain, little is left of it.
    // Not from the cell: where the label is almost certain, little is left.
    let own = s.largest(exp(s, s.splat(logits[label] - largest))) - sum;
    let cell = &mut out[label / C::GROUP];
    let mut values = [0, 1].map(|index| C::value(*cell, index));
    values[label % C::GROUP] = own;
    *cell = C::cell(&values[..C::GROUP]);
    OfRow {
        loss: f64::from(sum).ln() + f64::from(largest) - f64::from(logits[label]),
        sum,
        rounding: own - C::value(*cell, label % C::GROUP),
    }
}

/// Lays rows down over the tokens from `token` on, as they are, and adds the sum
/// of the rows times `scales`, which are of whole cells, to `d_bias`. What a
/// panel gets lies together, so all rows come before the next columns.
///
/// # Safety
/// No one else may write these tokens.
#[inline(always)]
unsafe fn lay_down<S: Lanes, C: Cells>(
    s: S,
    rows: &Rows,
    scales: &[f32],
    to: &Writer,
    token: usize,
    d_bias: &mut [f32],
) {
    let (cells, stride, columns) = (rows.cells(), rows.stride(), rows.values());
    for column in (0..columns).step_by(S::LINES * WIDTH) {
        for line in 0..lines::<S>(column, columns) {
            let at = column + line * WIDTH;
            let mut sum = s.splat(0.0);
            for row in (0..scales.len()).step_by(C::GROUP) {
                let mut both = [s.splat(0.0); 2];
                for i in 0..C::GROUP {
                    let from = (row + i) * stride + at / C::GROUP;
                    both[i] = C::widen_line(s, &cells[from..][..WIDTH / C::GROUP]);
                    sum = s.mul_add(both[i], s.splat(scales[row + i]), sum);
                }
                let place = (token + row, column, line);
                // SAFETY: the caller's.
                unsafe { to.line::<S, C>(s, place, both[0], both[1]) };
            }
            add_part(s, sum, &mut d_bias[at..]);
        }
    }
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
