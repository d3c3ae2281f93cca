//! The gradients of weight matrices: `d_W += scale * d_y^T x`, sums over all
//! tokens.
//!
//! The matrices of a layer are cut into blocks, one task each, all in one phase. A
//! block stays in the second-level cache while its sum runs over the tokens.

use crate::isa::Isa;
use crate::lanes::{Lanes, WIDTH};
use crate::memory::Piece;
use crate::shared::SharedMut;
use crate::team::{Tasks, Team};
use crate::training::cells::{CellKernel, Cells, Layout, With};
use crate::training::over_tokens::OverTokens;
use crate::training::panels::width;
use crate::training::product::{DEPTH, Sink, product_before};
use crate::training::tile::TileRow;
use std::ops::Range;

/// Rows and columns of a block: whole panels on every instruction set.
const BLOCK: [usize; 2] = [64, 480];
/// The same where tiles multiply: operands come from further away than arithmetic waits for,
/// and what is turned is turned for all columns at once.
const TILED: [usize; 2] = [128, 1056];

/// One matrix.
pub(crate) struct WeightGradient<'a> {
    /// f32 `[rows, columns]`.
    out: SharedMut<'a, f32>,
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
            out: SharedMut::new(out),
            rows,
            columns,
            d_y,
            x,
            scale,
        }
    }
}

/// Memory of the gradients: for each thread, a block's rows of the left operand, where
/// tiles multiply and they have to lie in rows.
pub(crate) struct Turned(Piece<u32>);

/// Cells from one of these rows to the next: not a power of two.
const STRIDE: usize = DEPTH + WIDTH;

impl Turned {
    /// For all threads of `team`.
    pub(crate) fn new(team: &mut Team, layout: Layout) -> Self {
        let threads = match team.isa().multiplies_tiles() && layout == Layout::Pairs {
            true => team.threads(),
            false => 0,
        };
        Self(team.pool().take(threads * TILED[0] * STRIDE))
    }
}

/// Adds the gradients of all `matrices` over `tokens` tokens.
pub(crate) fn weight_gradients(
    team: &mut Team,
    turned: &mut Turned,
    layout: Layout,
    tokens: usize,
    matrices: &[WeightGradient],
) {
    let isa = team.isa();
    let turned = SharedMut::new(&mut turned.0);
    let block = if turned.is_empty() { BLOCK } else { TILED };
    let blocks = matrices.iter().map(|matrix| Blocks {
        isa,
        layout,
        tokens,
        matrix,
        block,
        turned: &turned,
    });
    let blocks: Vec<_> = blocks.collect();
    let parts: Vec<_> = blocks.iter().map(|blocks| blocks as &dyn Tasks).collect();
    team.run_all(&parts);
}

/// The blocks of a matrix.
struct Blocks<'a> {
    isa: Isa,
    layout: Layout,
    tokens: usize,
    matrix: &'a WeightGradient<'a>,
    /// Rows and columns of a block.
    block: [usize; 2],
    turned: &'a SharedMut<'a, u32>,
}

impl Blocks<'_> {
    /// Blocks side by side.
    fn across(&self) -> usize {
        self.matrix.columns.div_ceil(self.block[1])
    }
}

impl Tasks for Blocks<'_> {
    fn count(&self) -> usize {
        self.matrix.rows.div_ceil(self.block[0]) * self.across()
    }

    fn run(&self, thread: usize, index: usize) {
        let (matrix, across) = (self.matrix, self.across());
        let [rows, columns] = self.block;
        let (row, column) = (index / across * rows, index % across * columns);
        let turned = match self.turned.is_empty() {
            true => &mut [],
            // SAFETY: one running task a thread.
            false => unsafe {
                self.turned
                    .part(thread * TILED[0] * STRIDE, TILED[0] * STRIDE)
            },
        };
        let block = Block {
            turned,
            matrix,
            rows: row..matrix.rows.min(row + rows),
            columns: column..matrix.columns.min(column + columns),
            tokens: self.tokens,
            k: self.layout.cells(self.tokens),
        };
        self.isa.run(With(self.layout, block));
    }
}

struct Block<'a> {
    turned: &'a mut [u32],
    matrix: &'a WeightGradient<'a>,
    rows: Range<usize>,
    columns: Range<usize>,
    tokens: usize,
    k: usize,
}

impl CellKernel for Block<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(mut self, s: S) {
        let left = self.matrix.d_y.left::<S>(self.tokens).skip(self.rows.start);
        let right = self.matrix.x.right(self.tokens);
        let (rows, columns, all) = (self.rows.len(), self.columns.clone(), self.k);
        let turned = std::mem::take(&mut self.turned);
        for from in (0..all).step_by(DEPTH) {
            let k = from..all.min(from + DEPTH);
            let next = if k.end < all { k.end } else { 0 };
            let to = all.min(next + DEPTH);
            let (then, _) = right.panel::<S>(columns.start, next, to);
            let left = match S::TILED {
                true => left.turn(s, rows, k.clone(), (turned, STRIDE)),
                false => left.tile(0, k.start),
            };
            let part = [columns.clone(), k];
            product_before::<S, C>(s, left, rows, right, part, Some(then), &mut self);
        }
    }
}

impl<S: Lanes> Sink<S> for Block<'_> {
    #[inline(always)]
    fn expect(&self, s: S, rows: Range<usize>, column: usize) {
        let width = width::<S>(column, self.matrix.columns);
        for row in (self.rows.start + rows.start..self.rows.end).take(rows.len()) {
            let at = row * self.matrix.columns + column;
            for line in (0..width).step_by(WIDTH) {
                self.matrix.out.prefetch(s, at + line);
            }
        }
    }
    #[inline(always)]
    fn take(&mut self, s: S, tile: &[TileRow], row: usize, column: usize) {
        let width = width::<S>(column, self.matrix.columns);
        let scale = s.splat(self.matrix.scale);
        let rows = self.rows.start + row..self.rows.end;
        for (sums, row) in tile.iter().zip(rows) {
            // SAFETY: these rows and columns are of this task's block.
            let out = unsafe {
                self.matrix
                    .out
                    .part(row * self.matrix.columns + column, width)
            };
            let (lines, rest) = out.as_chunks_mut::<16>();
            let full = 16 * lines.len();
            for (out, sum) in lines.iter_mut().zip(sums.as_chunks::<16>().0) {
                s.store(s.mul_add(s.load(sum), scale, s.load(out)), out);
            }
            for (out, sum) in rest.iter_mut().zip(&sums[full..]) {
                *out += sum * self.matrix.scale;
            }
        }
    }
}
