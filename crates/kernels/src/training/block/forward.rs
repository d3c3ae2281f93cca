//! The layer's forward pass.
//!
//! 1. Blocks of tokens: norm1, queries, keys and values, the first two turned to
//!    their positions where these are rotary; norm2, hidden layer, SiLU, and the
//!    MLP's output onto `x` and the biases.
//! 2. Attention.
//! 3. Blocks of tokens: attention's output matrix onto the sum.

use std::ops::Range;

use super::scratch::Desk;
use super::{Layer, Matrices, Saved, Scratch, tokens_of};
use crate::lanes::Lanes;
use crate::norm::Statistics;
use crate::shared::SharedMut;
use crate::team::Team;
use crate::training::attention;
use crate::training::cells::{CellKernel, Cells, With};
use crate::training::norm::{norm_rows, sum_rows};
use crate::training::product::{product, product_in_parts};
use crate::training::rows::Rows;
use crate::training::sinks::{Add, Hidden, Project, ToRows};
use crate::training::tile::Left;

/// Computes `out` from `x`, both f32 `[tokens, dim]`, and keeps in `saved` what
/// the backward pass needs.
pub fn forward(
    team: &mut Team,
    scratch: &mut Scratch,
    layer: &Layer,
    x: &[f32],
    saved: &mut Saved,
    out: &mut [f32],
) {
    let (dim, count) = (scratch.widths.dim, layer.tokens.count());
    assert!(
        x.len() == count * dim && out.len() == count * dim,
        "x is not [tokens, dim]"
    );
    let (isa, layout, block) = (team.isa(), scratch.layout, scratch.block);
    {
        let desks = SharedMut::new(&mut scratch.desks);
        let out = SharedMut::new(out);
        let rows = [
            RowsMut::new(&mut saved.query),
            RowsMut::new(&mut saved.key),
            RowsMut::new(&mut saved.value),
            RowsMut::new(&mut saved.hidden),
        ];
        let statistics = SharedMut::new(&mut saved.norms[..count]);
        team.run(count.div_ceil(block), &|thread, index| {
            let tokens = tokens_of(index, block, count);
            // SAFETY: one task a block of tokens, one running task a thread.
            let (desk, out, rows, statistics) = unsafe {
                (
                    &mut desks.part(thread, 1)[0],
                    out.part(tokens.start * dim, tokens.len() * dim),
                    rows.each_ref().map(|rows| rows.part(&tokens)),
                    statistics.part(tokens.start, tokens.len()),
                )
            };
            isa.run(With(
                layout,
                BeforeAttention {
                    layer,
                    first: tokens.start,
                    x: &x[tokens.start * dim..tokens.end * dim],
                    desk,
                    rows,
                    statistics,
                    out,
                },
            ));
        });
    }
    let tokens = layer.tokens;
    attention::forward(
        team,
        &scratch.widths.attention(tokens),
        &attention_inputs(layer, &saved.query, &saved.key, &saved.value),
        &mut scratch.attention,
        saved.attended.view_mut(),
        &mut saved.statistics[..count * scratch.widths.heads],
    );
    let (attended, stride) = (saved.attended.cells(), saved.attended.stride());
    let out = SharedMut::new(out);
    team.run(count.div_ceil(block), &|_, index| {
        let tokens = tokens_of(index, block, count);
        // SAFETY: one task a block of tokens.
        let out = unsafe { out.part(tokens.start * dim, tokens.len() * dim) };
        isa.run(With(
            layout,
            AfterAttention {
                attended: Left::rows(&attended[tokens.start * stride..], stride),
                matrices: layer.matrices,
                out,
            },
        ));
    });
}

/// What both passes of attention read.
pub(super) fn attention_inputs<'a>(
    layer: &Layer<'a>,
    query: &'a Rows,
    key: &'a Rows,
    value: &'a Rows,
) -> attention::Inputs<'a> {
    attention::Inputs {
        q: query.view(),
        k: key.view(),
        v: value.view(),
        visible: layer.visible,
        dropout: layer.dropout,
        rotary: layer.rotary,
    }
}

/// Rows of cells that tasks write block by block.
pub(super) struct RowsMut<'a> {
    stride: usize,
    values: usize,
    cells: SharedMut<'a, u32>,
}

impl<'a> RowsMut<'a> {
    pub(super) fn new(rows: &'a mut Rows) -> Self {
        let (stride, values) = (rows.stride(), rows.values());
        Self {
            stride,
            values,
            cells: SharedMut::new(rows.cells_mut()),
        }
    }

    /// The rows of `tokens`.
    ///
    /// # Safety
    /// Parts that live at the same time must not overlap.
    pub(super) unsafe fn part(&self, tokens: &Range<usize>) -> ToRows<'_> {
        let (from, len) = (tokens.start * self.stride, tokens.len() * self.stride);
        ToRows {
            // SAFETY: the caller's.
            rows: unsafe { self.cells.part(from, len) },
            stride: self.stride,
            columns: self.values,
        }
    }
}

struct BeforeAttention<'a> {
    layer: &'a Layer<'a>,
    /// The first token.
    first: usize,
    x: &'a [f32],
    desk: &'a mut Desk,
    /// Queries, keys, values, hidden.
    rows: [ToRows<'a>; 4],
    /// Of the rows of `x`.
    statistics: &'a mut [Statistics],
    out: &'a mut [f32],
}

impl CellKernel for BeforeAttention<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(self, s: S) {
        let Layer {
            vectors, matrices, ..
        } = *self.layer;
        let Desk { narrow, hidden, .. } = self.desk;
        let wide = &mut self.desk.wide[..self.x.len()];
        let dim = vectors.output_bias.len();
        let tokens = self.x.len() / dim;
        let [query, key, value, before] = self.rows;

        for (statistics, x) in self.statistics.iter_mut().zip(self.x.chunks_exact(dim)) {
            *statistics = Statistics::of(s, x);
        }
        norm_rows::<S, C>(s, self.x, self.statistics, vectors.norm1, narrow);
        let left = Left::rows(narrow.cells(), narrow.stride());
        let length = self.layer.tokens.length;
        let positions = (self.first..self.first + tokens).map(|token| token % length);
        let projections = [
            (&matrices.query, query, self.layer.rotary),
            (&matrices.key, key, self.layer.rotary),
            (&matrices.value, value, None),
        ];
        for (matrix, mut out, rotary) in projections {
            let right = matrix.forward();
            let (columns, k) = (0..right.columns, 0..right.k);
            let Some(rotary) = rotary else {
                let mut sink = Project::<C>::new(out);
                product::<S, C>(s, left, tokens, right, columns, k, &mut sink);
                continue;
            };
            wide.fill(0.0);
            let mut sink = Add::new(wide, dim);
            product::<S, C>(s, left, tokens, right, columns, k, &mut sink);
            let rows = wide.chunks_exact_mut(dim).enumerate();
            for ((row, wide), position) in rows.zip(positions.clone()) {
                rotary.turn(position, wide);
                out.row::<S, C>(s, row, wide);
            }
        }

        norm_rows::<S, C>(s, self.x, self.statistics, vectors.norm2, narrow);
        let left = Left::rows(narrow.cells(), narrow.stride());
        let right = matrices.up.forward();
        let (stride, columns) = (hidden.stride(), hidden.values());
        let mut sink = Hidden::<C>::new(
            vectors.up_bias,
            before,
            ToRows {
                rows: hidden.cells_mut(),
                stride,
                columns,
            },
        );
        product::<S, C>(
            s,
            left,
            tokens,
            right,
            0..right.columns,
            0..right.k,
            &mut sink,
        );

        let biases = [vectors.output_bias, vectors.down_bias];
        for (out, x) in self.out.chunks_exact_mut(dim).zip(self.x.chunks_exact(dim)) {
            sum_rows(s, [x, biases[0], biases[1]], out);
        }
        let left = Left::rows(hidden.cells(), stride);
        let mut sink = Add::new(self.out, dim);
        product_in_parts::<S, C>(s, left, tokens, matrices.down.forward(), &mut sink);
    }
}

struct AfterAttention<'a> {
    attended: Left<'a>,
    matrices: &'a Matrices,
    out: &'a mut [f32],
}

impl CellKernel for AfterAttention<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(self, s: S) {
        let right = self.matrices.output.forward();
        let tokens = self.out.len() / right.columns;
        let mut sink = Add::new(self.out, right.columns);
        product_in_parts::<S, C>(s, self.attended, tokens, right, &mut sink);
    }
}

/// Converts rows of f32.
#[inline(always)]
pub(crate) fn to_cells<S: Lanes, C: Cells>(s: S, wide: &[f32], narrow: &mut Rows) {
    let (stride, dim) = (narrow.stride(), narrow.values());
    let rows = wide.chunks_exact(dim);
    for (wide, narrow) in rows.zip(narrow.cells_mut().chunks_exact_mut(stride)) {
        C::along(s, wide, &mut narrow[..dim.div_ceil(C::GROUP)]);
    }
}
