//! The gradients of weight matrices: `d_W += scale * d_y^T x`, sums over all
//! tokens.
//!
//! The matrices of a layer are cut into blocks of [`ROWS`] by [`COLUMNS`], one
//! task each, all in one phase. A block stays in the second-level cache while
//! its sum runs over the tokens.

use crate::lanes::{Lanes, WIDTH};
use crate::shared::SharedMut;
use crate::team::Team;
use crate::training::cells::{CellKernel, Cells, Layout, With};
use crate::training::over_tokens::OverTokens;
use crate::training::panels::width;
use crate::training::product::{DEPTH, Sink, product_before};
use crate::training::tile::Tile;

/// Rows of a block.
const ROWS: usize = 64;
/// Columns of a block: whole panels on every instruction set.
const COLUMNS: usize = 480;

/// One matrix.
pub(crate) struct WeightGradient<'a> {
    /// f32 `[rows, columns]`.
    out: &'a mut [f32],
    rows: usize,
    columns: usize,
    d_y: &'a OverTokens,
    x: &'a OverTokens,
    scale: f32,
}

impl<'a> WeightGradient<'a> {
    pub(crate) fn new(
        out: &'a mut [f32],
        d_y: &'a OverTokens,
        x: &'a OverTokens,
        scale: f32,
    ) -> Self {
        let (rows, columns) = (d_y.features(), x.features());
        assert_eq!(out.len(), rows * columns, "gradient of another shape");
        Self {
            out,
            rows,
            columns,
            d_y,
            x,
            scale,
        }
    }
}

/// Adds the gradients of all `matrices` over `tokens` tokens.
pub(crate) fn weight_gradients(
    team: &mut Team,
    layout: Layout,
    tokens: usize,
    matrices: &mut [WeightGradient],
) {
    let isa = team.isa();
    let k = layout.cells(tokens);
    let shared: Vec<_> = (matrices.iter_mut())
        .map(|m| {
            let across = m.columns.div_ceil(COLUMNS);
            let tasks = m.rows.div_ceil(ROWS) * across;
            (
                SharedMut::new(m.out),
                m.rows,
                m.columns,
                m.d_y,
                m.x,
                m.scale,
                across,
                tasks,
            )
        })
        .collect();
    let tasks = shared.iter().map(|m| m.7).sum();
    team.run(tasks, &|_, mut task| {
        for (out, rows, columns, d_y, x, scale, across, tasks) in &shared {
            if task >= *tasks {
                task -= tasks;
                continue;
            }
            let (row, column) = (task / across * ROWS, task % across * COLUMNS);
            isa.run(With(
                layout,
                Block {
                    out,
                    all_columns: *columns,
                    rows: row..(*rows).min(row + ROWS),
                    columns: column..(*columns).min(column + COLUMNS),
                    d_y,
                    x,
                    scale: *scale,
                    tokens,
                    k,
                },
            ));
            return;
        }
    });
}

struct Block<'a> {
    out: &'a SharedMut<'a, f32>,
    all_columns: usize,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    d_y: &'a OverTokens,
    x: &'a OverTokens,
    scale: f32,
    tokens: usize,
    k: usize,
}

impl CellKernel for Block<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(mut self, s: S) {
        let left = self.d_y.left::<S>(self.tokens).skip(self.rows.start);
        let right = self.x.right(self.tokens);
        let (rows, columns, all) = (self.rows.len(), self.columns.clone(), self.k);
        for from in (0..all).step_by(DEPTH) {
            let k = from..all.min(from + DEPTH);
            let next = if k.end < all { k.end } else { 0 };
            let to = all.min(next + DEPTH);
            let (then, _) = right.panel::<S>(columns.start, next, to);
            product_before::<S, C>(
                s,
                left,
                rows,
                right,
                [columns.clone(), k],
                Some(then),
                &mut self,
            );
        }
    }
}

impl<S: Lanes> Sink<S> for Block<'_> {
    #[inline(always)]
    fn expect(&self, s: S, row: usize, column: usize) {
        let width = width::<S>(column, self.all_columns);
        for row in (self.rows.start + row..self.rows.end).take(S::HEIGHT) {
            let at = row * self.all_columns + column;
            for line in (0..width).step_by(WIDTH) {
                self.out.prefetch(s, at + line);
            }
        }
    }
    #[inline(always)]
    fn take(&mut self, s: S, tile: &Tile, row: usize, column: usize) {
        let width = width::<S>(column, self.all_columns);
        let scale = s.splat(self.scale);
        let rows = (self.rows.start + row..self.rows.end).take(S::HEIGHT);
        for (sums, row) in tile.iter().zip(rows) {
            // SAFETY: these rows and columns are of this task's block.
            let out = unsafe { self.out.part(row * self.all_columns + column, width) };
            let (lines, rest) = out.as_chunks_mut::<16>();
            let full = 16 * lines.len();
            for (out, sum) in lines.iter_mut().zip(sums.as_chunks::<16>().0) {
                s.store(s.mul_add(s.load(sum), scale, s.load(out)), out);
            }
            for (out, sum) in rest.iter_mut().zip(&sums[full..]) {
                *out += sum * self.scale;
            }
        }
    }
}
