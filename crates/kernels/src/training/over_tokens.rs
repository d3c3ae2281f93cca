//! Operands over tokens, for the gradients of weights.
//!
//! The gradient of a weight matrix is `d_y^T x`, a product whose `k` runs over
//! the tokens. Its operands are laid down in panels while the rows that they are
//! made of are at hand: groups of tokens become cells, features become the
//! columns of panels. A block of tokens owns its part of every panel.

use std::ops::Range;

use super::cells::{Cells, Layout};
use super::panels::{Right, lines, starts};
use super::tile::{COLUMNS, Left};
use crate::lanes::{Lanes, WIDTH, load_part};
use crate::memory::{Piece, Pool};
use crate::shared::SharedMut;

/// Which operand of the product it will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The gradients `d_y`.
    Left,
    /// The activations `x`.
    Right,
}

/// `[features, tokens]` in panels.
pub(crate) struct OverTokens {
    side: Side,
    layout: Layout,
    features: usize,
    /// Cells along the tokens that there is room for.
    room: usize,
    cells: Piece<u32>,
}

impl OverTokens {
    /// Room for `tokens` tokens.
    pub(crate) fn new(
        pool: &mut Pool,
        side: Side,
        layout: Layout,
        features: usize,
        tokens: usize,
    ) -> Self {
        let room = layout.cells(tokens);
        Self {
            side,
            layout,
            features,
            room,
            cells: pool.take(room * features.next_multiple_of(COLUMNS)),
        }
    }

    /// Features of a token.
    pub(crate) fn features(&self) -> usize {
        self.features
    }

    /// Takes `tokens` tokens, which tasks then write in disjoint blocks.
    pub(crate) fn writer(&mut self, tokens: usize) -> Writer<'_> {
        let k = self.layout.cells(tokens);
        assert!(k <= self.room, "more tokens than planned");
        Writer {
            side: self.side,
            features: self.features,
            k,
            cells: SharedMut::new(&mut self.cells),
        }
    }

    /// As left operand of `tokens` tokens.
    pub(crate) fn left<S: Lanes>(&self, tokens: usize) -> Left<'_> {
        Left::panels::<S>(&self.cells, self.layout.cells(tokens))
    }

    /// As right operand of `tokens` tokens.
    pub(crate) fn right(&self, tokens: usize) -> Right<'_> {
        Right {
            cells: &self.cells,
            k: self.layout.cells(tokens),
            columns: self.features,
        }
    }
}

/// Writes blocks of tokens.
pub(crate) struct Writer<'a> {
    side: Side,
    features: usize,
    k: usize,
    cells: SharedMut<'a, u32>,
}

impl Writer<'_> {
    /// Asks for what a tile of `tokens` will write in the panel of a right operand that
    /// begins at `column`.
    #[inline(always)]
    pub(crate) fn expect<S: Lanes, C: Cells>(&self, s: S, tokens: Range<usize>, column: usize) {
        let (cell, cells) = (tokens.start / C::GROUP, tokens.len() / C::GROUP);
        let width = lines::<S>(column, self.features) * WIDTH;
        let panel = match self.side {
            Side::Right => width,
            Side::Left => S::HEIGHT,
        };
        for first in (column..column + width).step_by(panel) {
            let from = first * self.k + cell * panel;
            for at in (0..cells * panel).step_by(WIDTH) {
                self.cells.prefetch(s, from + at);
            }
        }
    }

    /// Where line `line` of the panel of a right operand that begins at `column` takes
    /// cells of `group` tokens, from `token` on.
    #[inline(always)]
    pub(crate) fn line<S: Lanes>(
        &self,
        (token, column, line): (usize, usize, usize),
        group: usize,
    ) -> FeatureLine<'_> {
        let (cell, first) = (token / group, column + line * WIDTH);
        let (from, step) = match self.side {
            Side::Right => {
                let step = lines::<S>(column, self.features) * WIDTH;
                (column * self.k + cell * step + line * WIDTH, step)
            }
            Side::Left => (first * self.k + cell * S::HEIGHT, S::HEIGHT * self.k),
        };
        FeatureLine {
            side: self.side,
            cells: &self.cells,
            from,
            step,
        }
    }

    /// Writes `rows`, f32 row by row, as the tokens from `token` on, which is a
    /// multiple of a tile's height.
    ///
    /// # Safety
    /// As for [`put`](FeatureLine::put), for all features.
    #[inline(always)]
    pub(crate) unsafe fn rows<S: Lanes, C: Cells>(&self, s: S, rows: &[f32], token: usize) {
        let features = self.features;
        for (tile, rows) in rows.chunks(S::HEIGHT * features).enumerate() {
            let token = token + tile * S::HEIGHT;
            for column in starts::<S>(0..features, features) {
                for line in 0..lines::<S>(column, features) {
                    let first = column + line * WIDTH;
                    let place = (token, column, line);
                    let to = self.line::<S>(place, C::GROUP);
                    for (group, rows) in rows.chunks(C::GROUP * features).enumerate() {
                        let (row, next) = rows.split_at(features);
                        let row = load_part(s, &row[first..]);
                        let next = match next.is_empty() {
                            true => s.splat(0.0),
                            false => load_part(s, &next[first..]),
                        };
                        let mut cells = [0; WIDTH];
                        C::across(s, row, next, &mut cells);
                        // SAFETY: the caller's.
                        unsafe { to.put::<S>(group, &cells) };
                    }
                }
            }
        }
    }

    /// Writes rows that are cells along the features, as the tokens from `token`
    /// on, which is a multiple of a tile's height. Rows are `stride` apart, and
    /// there is room behind the last value for a whole line.
    ///
    /// # Safety
    /// As for [`put`](FeatureLine::put), for all features.
    #[inline(always)]
    pub(crate) unsafe fn cells<S: Lanes, C: Cells>(
        &self,
        s: S,
        rows: &[u32],
        stride: usize,
        token: usize,
    ) {
        let features = self.features;
        let none = [0; WIDTH];
        for (tile, rows) in rows.chunks(S::HEIGHT * stride).enumerate() {
            let token = token + tile * S::HEIGHT;
            for column in starts::<S>(0..features, features) {
                for line in 0..lines::<S>(column, features) {
                    let first = (column + line * WIDTH) / C::GROUP;
                    let place = (token, column, line);
                    let to = self.line::<S>(place, C::GROUP);
                    for (group, rows) in rows.chunks(C::GROUP * stride).enumerate() {
                        let (row, next) = rows.split_at(stride);
                        for row in [row, next] {
                            s.prefetch(row.as_ptr().wrapping_add(S::HEIGHT * stride + first));
                        }
                        let next = match next.is_empty() {
                            true => &none,
                            false => &next[first..],
                        };
                        let mut cells = none;
                        C::across_cells(s, &row[first..], next, &mut cells);
                        // SAFETY: the caller's.
                        unsafe { to.put::<S>(group, &cells) };
                    }
                }
            }
        }
    }
}

/// A line of sixteen features, over the tokens.
#[derive(Clone, Copy)]
pub(crate) struct FeatureLine<'a> {
    side: Side,
    cells: &'a SharedMut<'a, u32>,
    /// Of the first token.
    from: usize,
    /// Cells from there to the next token's in the one panel of a right operand; of a left
    /// operand, to the next panel's.
    step: usize,
}

impl FeatureLine<'_> {
    /// Writes the features of the tokens of cell `group`.
    ///
    /// # Safety
    /// No one else may write features of these tokens meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn put<S: Lanes>(&self, group: usize, values: &[u32; WIDTH]) {
        match self.side {
            Side::Right => {
                // SAFETY: the caller's; the part ends its life here.
                let line = unsafe { self.cells.part(self.from + group * self.step, WIDTH) };
                line.copy_from_slice(values);
            }
            Side::Left => {
                let from = self.from + group * S::HEIGHT;
                for (panel, values) in values.chunks_exact(S::HEIGHT).enumerate() {
                    // SAFETY: as above.
                    let row = unsafe { self.cells.part(from + panel * self.step, S::HEIGHT) };
                    row.copy_from_slice(values);
                }
            }
        }
    }
}
