//! Operands over tokens, for the gradients of weights.
//!
//! The gradient of a weight matrix is `d_y^T x`, a product whose `k` runs over
//! the tokens. Its operands are laid down in panels while the rows that they are
//! made of are at hand: groups of tokens become cells, features become the
//! columns of panels. A block of tokens owns its part of every panel.

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
    /// Writes sixteen features of the tokens of one cell: line `line` of the
    /// panel of a right operand that begins at `column`. `token` is the cell's
    /// first; `next` belongs to its second and is ignored where a cell holds one
    /// value.
    ///
    /// # Safety
    /// No two calls that run at the same time may write the same tokens and
    /// features.
    #[inline(always)]
    pub(crate) unsafe fn line<S: Lanes, C: Cells>(
        &self,
        s: S,
        (token, column, line): (usize, usize, usize),
        row: S::F,
        next: S::F,
    ) {
        let cell = token / C::GROUP;
        match self.side {
            Side::Right => {
                let width = lines::<S>(column, self.features) * WIDTH;
                let from = column * self.k + cell * width + line * WIDTH;
                // SAFETY: the caller's; the line lies in this panel alone.
                let out = unsafe { self.cells.part(from, WIDTH) };
                C::across(s, row, next, &mut out.as_chunks_mut().0[0]);
            }
            Side::Left => {
                let mut cells = [0; WIDTH];
                C::across(s, row, next, &mut cells);
                let first = column + line * WIDTH;
                let panels = cells.chunks_exact(S::HEIGHT).enumerate();
                for (panel, cells) in panels {
                    let from = (first + panel * S::HEIGHT) * self.k + cell * S::HEIGHT;
                    // SAFETY: the caller's; the cells lie in this panel alone.
                    let out = unsafe { self.cells.part(from, S::HEIGHT) };
                    out.copy_from_slice(cells);
                }
            }
        }
    }

    /// Writes `rows`, f32 row by row, as the tokens from `token` on, which is a
    /// multiple of a tile's height.
    ///
    /// # Safety
    /// As for [`line`](Self::line), for all features.
    #[inline(always)]
    pub(crate) unsafe fn rows<S: Lanes, C: Cells>(&self, s: S, rows: &[f32], token: usize) {
        let features = self.features;
        for (tile, rows) in rows.chunks(S::HEIGHT * features).enumerate() {
            let token = token + tile * S::HEIGHT;
            for column in starts::<S>(0..features, features) {
                for (group, rows) in rows.chunks(C::GROUP * features).enumerate() {
                    let token = token + group * C::GROUP;
                    let (row, next) = rows.split_at(features);
                    for line in 0..lines::<S>(column, features) {
                        let first = column + line * WIDTH;
                        let row = load_part(s, &row[first..]);
                        let next = match next.is_empty() {
                            true => s.splat(0.0),
                            false => load_part(s, &next[first..]),
                        };
                        // SAFETY: the caller's.
                        unsafe { self.line::<S, C>(s, (token, column, line), row, next) };
                    }
                }
            }
        }
    }
}
