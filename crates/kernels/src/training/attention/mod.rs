//! Causal attention of training, forward and backward.
//!
//! For each head of each sequence, with the queries divided by
//! `sqrt(head_dim)` beforehand:
//! ```text
//! s[i][j] = q[i] . k[j]                   for keys j <= i that are visible
//! p[i][j] = exp(s[i][j] - l[i])           l[i] = log sum over j of exp(s[i][j])
//! w[i][j] = p[i][j] f[i][j]               f = 0 or 1 / (1 - probability)
//! out[i]  = sum over j of w[i][j] v[j]
//! ```
//! and backward, where nothing but `l` is kept of the weights:
//! ```text
//! D[i]     = dout[i] . out[i]             = sum over j of p[i][j] dp[i][j]
//! dp[i][j] = f[i][j] (dout[i] . v[j])
//! ds[i][j] = p[i][j] (dp[i][j] - D[i])
//! dq[i]    = sum over j of ds[i][j] k[j]
//! dk[j]    = sum over i of ds[i][j] q[i]
//! dv[j]    = sum over i of w[i][j] dout[i]
//! ```
//! as in FlashAttention-2 (Dao 2023). A query that sees no key at all gets equal
//! weights over all keys of its sequence, see `blind`.
//!
//! One task is one head of one sequence: its packed operands stay in the
//! second-level cache of the core that runs it, and no two tasks write the same
//! memory, so results do not depend on the number of threads.

mod backward;
mod blind;

mod forward;
mod gradients;
mod operands;

use std::ops::Range;

use super::cells::{Layout, With};
use super::dropout::Dropout;
use crate::lanes::{Lanes, WIDTH};
use crate::rotary::Rotary;
use crate::shared::SharedMut;
use crate::team::Team;
use operands::Head;

/// The shape of attention. Rows of all operands are tokens: row
/// `sequence * length + position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Sequences.
    pub sequences: usize,
    /// Heads.
    pub heads: usize,
    /// Positions of a sequence.
    pub length: usize,
    /// Features of a head; even with [`Layout::Pairs`].
    pub head_dim: usize,
}

impl Shape {
    fn tasks(&self) -> usize {
        self.sequences * self.heads
    }
}

/// Rows of cells along the features; those of head `h` begin at cell
/// `h * cells(head_dim)` of a row.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The cells of all rows.
    pub cells: &'a [u32],
    /// Cells from a row to the next.
    pub stride: usize,
}

/// [`Rows`] to write.
#[derive(Debug)]
pub struct RowsMut<'a> {
    /// The cells of all rows.
    pub cells: &'a mut [u32],
    /// Cells from a row to the next.
    pub stride: usize,
}

/// What both passes read.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Queries, already divided by `sqrt(head_dim)`.
    pub q: Rows<'a>,
    /// Keys.
    pub k: Rows<'a>,
    /// Values.
    pub v: Rows<'a>,
    /// `[sequences, length]`: false where the key is PAD. `None`: all visible.
    pub visible: Option<&'a [bool]>,
    /// Drops weights; the same in both passes.
    pub dropout: Option<Dropout>,
    /// What queries and keys were turned by.
    pub rotary: Option<&'a Rotary>,
}

/// The memory of both passes, taken once.
pub struct Scratch {
    layout: Layout,
    length: usize,
    head_dim: usize,
    threads: Vec<(forward::Scratch, backward::Scratch)>,
}

impl Scratch {
    /// For sequences of up to `length` positions, heads of `head_dim` features
    /// and a team of up to `threads`.
    pub fn new(layout: Layout, length: usize, head_dim: usize, threads: usize) -> Self {
        let each = || {
            let forward = forward::Scratch::new(layout, length, head_dim);
            (forward, backward::Scratch::new(layout, length, head_dim))
        };
        Self {
            layout,
            length,
            head_dim,
            threads: (0..threads.max(1)).map(|_| each()).collect(),
        }
    }

    fn check(&self, team: &Team, shape: &Shape, inputs: &Inputs) {
        let Shape {
            length, head_dim, ..
        } = *shape;
        assert!(length <= self.length && head_dim == self.head_dim, "shape");
        assert!(team.threads() <= self.threads.len(), "too many threads");
        assert!(
            head_dim.is_multiple_of(self.layout.group()),
            "pairs need an even head_dim"
        );
        let visible = inputs.visible.map(<[bool]>::len);
        assert!(visible.is_none_or(|len| len == shape.sequences * length));
    }
}

/// One head of one sequence.
#[derive(Clone, Copy)]
struct Task<'a> {
    shape: &'a Shape,
    layout: Layout,
    inputs: &'a Inputs<'a>,
    /// `sequence * heads + head`.
    index: usize,
}

impl<'a> Task<'a> {
    fn first_row(&self) -> usize {
        self.index / self.shape.heads * self.shape.length
    }

    /// Cells of a row of the head.
    fn width(&self) -> usize {
        self.layout.cells(self.shape.head_dim)
    }

    fn head<'b>(&self, rows: Rows<'b>) -> Head<'b> {
        let width = self.width();
        let head = self.index % self.shape.heads;
        Head {
            cells: &rows.cells[self.first_row() * rows.stride + head * width..],
            stride: rows.stride,
            length: self.shape.length,
            width,
        }
    }

    /// Where the head's cells of `position` lie in rows of `stride`.
    fn cell(&self, stride: usize, position: usize) -> usize {
        let head = self.index % self.shape.heads;
        (self.first_row() + position) * stride + head * self.width()
    }

    /// Asks for the head's cells of positions that will be written.
    #[inline(always)]
    fn ask<S: Lanes>(&self, s: S, out: &SharedMut<u32>, stride: usize, positions: Range<usize>) {
        for position in positions.start..positions.end.min(self.shape.length) {
            let from = self.cell(stride, position);
            for at in (0..self.width()).step_by(WIDTH) {
                out.prefetch(s, from + at);
            }
        }
    }

    /// Which keys are visible; `None` where all are.
    fn visible(&self) -> Option<&'a [bool]> {
        let visible = self.inputs.visible?;
        let visible = &visible[self.first_row()..][..self.shape.length];
        visible.contains(&false).then_some(visible)
    }

    /// The row of the attention matrix of `query`, over all heads.
    fn row(&self, query: usize) -> usize {
        self.index * self.shape.length + query
    }

    fn scale(&self) -> f32 {
        self.inputs.dropout.map_or(1.0, |dropout| dropout.scale())
    }
}

/// Whole lines of `values` values.
fn whole_lines(values: usize) -> usize {
    values.next_multiple_of(WIDTH)
}

/// Attends: writes `out` and `statistics`, f32 `[sequences, heads, length]`, the
/// logarithms of the sums of exponentials of the scores, plus infinity for a
/// query that sees no key.
///
/// Panics when shapes do not fit one another or `scratch`.
pub fn forward(
    team: &mut Team,
    shape: &Shape,
    inputs: &Inputs,
    scratch: &mut Scratch,
    out: RowsMut,
    statistics: &mut [f32],
) {
    scratch.check(team, shape, inputs);
    assert_eq!(statistics.len(), shape.tasks() * shape.length);
    let (isa, layout) = (team.isa(), scratch.layout);
    let stride = out.stride;
    let (out, statistics) = (SharedMut::new(out.cells), SharedMut::new(statistics));
    let scratch = SharedMut::new(&mut scratch.threads);
    team.run(shape.tasks(), &|thread, index| {
        // SAFETY: one thread runs one task at a time.
        let scratch = unsafe { &mut scratch.part(thread, 1)[0].0 };
        // SAFETY: one task a head of a sequence.
        let statistics = unsafe { statistics.part(index * shape.length, shape.length) };
        let task = Task {
            shape,
            layout,
            inputs,
            index,
        };
        let kernel = forward::Forward {
            task,
            scratch,
            out: (&out, stride),
            statistics,
        };
        isa.run(With(layout, kernel));
    });
}

/// What the backward pass reads besides the inputs.
#[derive(Clone, Copy, Debug)]
pub struct Results<'a> {
    /// What [`forward`] wrote.
    pub statistics: &'a [f32],
    /// What [`forward`] wrote.
    pub out: Rows<'a>,
    /// The gradient with respect to `out`.
    pub d_out: Rows<'a>,
}

/// The gradients of [`backward`]: with respect to the divided queries, the keys
/// and the values, as queries and keys were before they were turned.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// With respect to `q`.
    pub q: RowsMut<'a>,
    /// With respect to `k`.
    pub k: RowsMut<'a>,
    /// With respect to `v`.
    pub v: RowsMut<'a>,
}

/// Writes the gradients, in cells as the inputs are.
///
/// Panics when shapes do not fit one another or `scratch`.
pub fn backward(
    team: &mut Team,
    shape: &Shape,
    inputs: &Inputs,
    results: &Results,
    scratch: &mut Scratch,
    gradients: Gradients,
) {
    scratch.check(team, shape, inputs);
    assert_eq!(results.statistics.len(), shape.tasks() * shape.length);
    let (isa, layout) = (team.isa(), scratch.layout);
    let gradients = [gradients.q, gradients.k, gradients.v]
        .map(|rows| (SharedMut::new(rows.cells), rows.stride));
    let scratch = SharedMut::new(&mut scratch.threads);
    team.run(shape.tasks(), &|thread, index| {
        // SAFETY: one thread runs one task at a time.
        let scratch = unsafe { &mut scratch.part(thread, 1)[0].1 };
        let task = Task {
            shape,
            layout,
            inputs,
            index,
        };
        let kernel = backward::Backward {
            task,
            scratch,
            results,
            gradients: &gradients,
        };
        isa.run(With(layout, kernel));
    });
}
