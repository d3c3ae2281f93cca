//! A block of tokens through the end of the network, there and back.

use std::ops::Range;

use super::logits::logits_of;
use super::{BLOCK, Desk, Head};
use crate::lanes::{Lanes, WIDTH};
use crate::training::cells::{CellKernel, Cells};
use crate::training::norm::norm_backward;
use crate::training::over_tokens::Writer;
use crate::training::panels::{lines, starts};
use crate::training::product::product_in_parts;
use crate::training::rows::Rows;
use crate::training::sinks::{Add, add_part};
use crate::training::tile::Left;

/// A block of tokens, there and back.
pub(super) struct Block<'a> {
    pub(super) head: &'a Head<'a>,
    pub(super) labels: &'a [Option<usize>],
    pub(super) weight: f32,
    pub(super) x: &'a [f32],
    pub(super) desk: &'a mut Desk,
    pub(super) d_logits: &'a mut Rows,
    pub(super) over_tokens: &'a Writer<'a>,
    pub(super) normed: &'a Writer<'a>,
    pub(super) tokens: Range<usize>,
    pub(super) d_x: &'a mut [f32],
    pub(super) loss: &'a mut f64,
    /// Gradients of the norm's weight and bias and of the head's bias.
    pub(super) part: &'a mut [f32],
}

impl CellKernel for Block<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(self, s: S) {
        let (head, rows, first) = (self.head, self.labels.len(), self.tokens.start);
        let vocab_size = head.bias.len();
        let dim = head.norm.weight.len();
        let logits = &mut self.desk.logits[..rows * vocab_size];
        let wide = &mut self.desk.wide[..rows * dim];
        let statistics = &mut self.desk.statistics[..];
        logits_of::<S, C>(s, head, self.x, statistics, &mut self.desk.narrow, logits);

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
        for ((((x, statistics), row), d_x), scale) in (self.x.chunks_exact(dim))
            .zip(statistics)
            .zip(wide.chunks_exact_mut(dim))
            .zip(self.d_x.chunks_exact_mut(dim))
            .zip(scales)
        {
            row.iter_mut().for_each(|d_y| *d_y *= scale);
            norm_backward(
                s,
                x,
                *statistics,
                head.norm,
                row,
                d_x,
                [norm_weight, norm_bias],
            );
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
    let mut most = s.load(&tail);
    for line in lines {
        most = s.max(most, s.load(line));
    }
    let largest = s.largest(most).max(f32::MIN);
    let mut sum = s.splat(0.0);
    let lines = lines.iter().chain(std::iter::once(&tail));
    for (line, out) in lines.zip(out.chunks_exact_mut(WIDTH / C::GROUP)) {
        let e = C::exp(s, s.sub(s.load(line), s.splat(largest)));
        C::line(s, e, out);
        sum = s.add(sum, e);
    }
    let sum = s.sum(sum);
    // From the exact value, not from what became of it in its cell: where the
    // label is almost certain, little is left of it.
    let own = s.largest(C::exp(s, s.splat(logits[label] - largest))) - sum;
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
    for column in starts::<S>(0..columns, columns) {
        for line in 0..lines::<S>(column, columns) {
            let at = column + line * WIDTH;
            let mut sum = s.splat(0.0);
            let to = to.line::<S>((token, column, line), C::GROUP);
            for row in (0..scales.len()).step_by(C::GROUP) {
                let mut both = [s.splat(0.0); 2];
                for i in 0..C::GROUP {
                    let from = (row + i) * stride + at / C::GROUP;
                    both[i] = C::widen_line(s, &cells[from..][..WIDTH / C::GROUP]);
                    sum = s.mul_add(both[i], s.splat(scales[row + i]), sum);
                }
                let mut cells = [0; WIDTH];
                C::across(s, both[0], both[1], &mut cells);
                // SAFETY: the caller's.
                unsafe { to.put::<S>(row / C::GROUP, &cells) };
            }
            add_part(s, sum, &mut d_bias[at..]);
        }
    }
}
