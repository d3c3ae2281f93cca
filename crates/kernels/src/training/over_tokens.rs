//! Operands over tokens, for the gradients of weights.
//!
//! The gradient of a weight matrix is `d_y^T x`, a product whose `k` runs over
//! the tokens. Its operands are laid down in panels while the rows that they are
//! made of are at hand: groups of tokens become cells, features become the
//! columns of panels. A block of tokens owns its part of every panel.

use super::cells::{Cells, Layout};
use super::panels::{Right, lines};
use super::tile::{COLUMNS, EMPTY, Left, ROWS, Tile};
use crate::lanes::{Lanes, WIDTH};
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
    /// Writes the first `rows` rows of `tile`: the tokens from `token` on, which
    /// is a multiple of a tile's height, and the features of the panel of a
    /// right operand that begins at `column`. Rows from `rows` on are taken as
    /// zeros.
    ///
    /// # Safety
    /// No two calls that run at the same time may write the same tokens and
    /// columns.
    #[inline(always)]
    pub(crate) unsafe fn tile<S: Lanes, C: Cells>(
        &self,
        s: S,
        tile: &Tile,
        rows: usize,
        token: usize,
        column: usize,
    ) {
        let lines = lines::<S>(column, self.features);
        let groups = rows.div_ceil(C::GROUP);
        let first = token / C::GROUP;
        let mut cells = [[[0; WIDTH]; COLUMNS / WIDTH]; ROWS];
        for (group, cells) in cells[..groups].iter_mut().enumerate() {
            let load = |row: usize, line: usize| match row < rows {
                true => s.load(&tile[row].as_chunks().0[line]),
                false => s.splat(0.0),
            };
            for (line, cells) in cells[..lines].iter_mut().enumerate() {
                let row = load(group * C::GROUP, line);
                let next = load((group * C::GROUP + 1).min(ROWS - 1), line);
                let next = match group * C::GROUP + 1 < ROWS {
                    true => next,
                    false => s.splat(0.0),
                };
                C::across(s, row, next, cells);
            }
        }
        let cells = &cells[..groups];
        match self.side {
            Side::Right => {
                let width = lines * WIDTH;
                let from = column * self.k + first * width;
                // SAFETY: the caller's; the block lies in this panel alone.
                let out = unsafe { self.cells.part(from, groups * width) };
                for (out, cells) in out.chunks_exact_mut(width).zip(cells) {
                    out.copy_from_slice(cells[..lines].as_flattened());
                }
            }
            Side::Left => {
                for panel in (0..lines * WIDTH).step_by(S::HEIGHT) {
                    let from = (column + panel) * self.k + first * S::HEIGHT;
                    // SAFETY: the caller's; the block lies in this panel alone.
                    let out = unsafe { self.cells.part(from, groups * S::HEIGHT) };
                    for (out, cells) in out.chunks_exact_mut(S::HEIGHT).zip(cells) {
                        out.copy_from_slice(&cells.as_flattened()[panel..][..S::HEIGHT]);
                    }
                }
            }
        }
    }

    /// Writes `rows`, f32 row by row, as the tokens from `token` on.
    ///
    /// # Safety
    /// As for [`tile`](Self::tile), for all columns.
    #[inline(always)]
    pub(crate) unsafe fn rows<S: Lanes, C: Cells>(&self, s: S, rows: &[f32], token: usize) {
        let mut tile = EMPTY;
        for (index, rows) in rows.chunks(S::HEIGHT * self.features).enumerate() {
            for column in (0..self.features).step_by(S::LINES * WIDTH) {
                let end = self.features.min(column + S::LINES * WIDTH);
                let rows = rows.chunks_exact(self.features);
                let count = rows.len();
                for (tile, row) in tile.iter_mut().zip(rows) {
                    tile[..end - column].copy_from_slice(&row[column..end]);
                    tile[end - column..].fill(0.0);
                }
                let token = token + index * S::HEIGHT;
                // SAFETY: the caller's.
                unsafe { self.tile::<S, C>(s, &tile, count, token, column) };
            }
        }
    }
}
