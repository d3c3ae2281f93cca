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
    /// Asks for what a tile of tokens from `token` on will write in the panel of
    /// a right operand that begins at `column`.
    #[inline(always)]
    pub(crate) fn expect<S: Lanes, C: Cells>(&self, s: S, token: usize, column: usize) {
        let (cell, cells) = (token / C::GROUP, S::HEIGHT / C::GROUP);
        let width = lines::<S>(column, self.features) * WIDTH;
        let (panels, panel) = match self.side {
            Side::Right => (1, width),
            Side::Left => (width / S::HEIGHT, S::HEIGHT),
        };
        for first in (0..panels).map(|index| column + index * panel) {
            let from = first * self.k + cell * panel;
            for at in (0..cells * panel).step_by(WIDTH) {
                self.cells.prefetch(s, from + at);
            }
        }
    }

    /// Where line `line` of the panel of a right operand that begins at `column`
    /// takes `groups` cells of tokens, from `token` on.
    ///
    /// # Safety
    /// No two results that live at the same time may be of the same tokens and
    /// features.
    #[inline(always)]
    pub(crate) unsafe fn line<S: Lanes>(
        &self,
        (token, column, line): (usize, usize, usize),
        (groups, group): (usize, usize),
    ) -> Lines<'_> {
        let (cell, first) = (token / group, column + line * WIDTH);
        match self.side {
            Side::Right => {
                let step = lines::<S>(column, self.features) * WIDTH;
                let from = column * self.k + cell * step + line * WIDTH;
                // SAFETY: the caller's; the lines lie in this panel alone.
                let part = unsafe { self.cells.part(from, (groups - 1) * step + WIDTH) };
                Lines::Right(part, step)
            }
            Side::Left => {
                let mut parts: [&mut [u32]; 4] = Default::default();
                for (panel, part) in parts[..WIDTH / S::HEIGHT].iter_mut().enumerate() {
                    let from = (first + panel * S::HEIGHT) * self.k + cell * S::HEIGHT;
                    // SAFETY: the caller's; the cells lie in this panel alone.
                    *part = unsafe { self.cells.part(from, groups * S::HEIGHT) };
                }
                Lines::Left(parts)
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
                let groups = rows.len().div_ceil(C::GROUP * features);
                for line in 0..lines::<S>(column, features) {
                    let first = column + line * WIDTH;
                    let place = (token, column, line);
                    // SAFETY: the caller's.
                    let mut to = unsafe { self.line::<S>(place, (groups, C::GROUP)) };
                    for (group, rows) in rows.chunks(C::GROUP * features).enumerate() {
                        let (row, next) = rows.split_at(features);
                        let row = load_part(s, &row[first..]);
                        let next = match next.is_empty() {
                            true => s.splat(0.0),
                            false => load_part(s, &next[first..]),
                        };
                        let mut cells = [0; WIDTH];
                        C::across(s, row, next, &mut cells);
                        to.put::<S>(group, &cells);
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
    /// As for [`line`](Self::line), for all features.
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
                let groups = rows.len().div_ceil(C::GROUP * stride);
                for line in 0..lines::<S>(column, features) {
                    let first = (column + line * WIDTH) / C::GROUP;
                    let place = (token, column, line);
                    // SAFETY: the caller's.
                    let mut to = unsafe { self.line::<S>(place, (groups, C::GROUP)) };
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
                        to.put::<S>(group, &cells);
                    }
                }
            }
        }
    }
}

/// A line of sixteen features of some tokens.
pub(crate) enum Lines<'a> {
    /// From the line of the first cell on, and cells from one to the next.
    Right(&'a mut [u32], usize),
    /// In each panel that has a share of it.
    Left([&'a mut [u32]; 4]),
}

impl Lines<'_> {
    /// Writes the features of the tokens of cell `group`.
    #[inline(always)]
    pub(crate) fn put<S: Lanes>(&mut self, group: usize, cells: &[u32; WIDTH]) {
        match self {
            Self::Right(line, step) => line[group * *step..][..WIDTH].copy_from_slice(cells),
            Self::Left(parts) => {
                for (part, cells) in parts.iter_mut().zip(cells.chunks_exact(S::HEIGHT)) {
                    part[group * S::HEIGHT..][..S::HEIGHT].copy_from_slice(cells);
                }
            }
        }
    }
}
