//! The operands of attention's products, cut out of the rows of one head.
//!
//! All are made of the same rows of cells `[position, head_dim]`:
//! - the rows themselves as a left operand: [`copy_rows`], close together, since
//!   rows a power of two apart would share a few lines of the cache;
//! - a right operand over (`k` = feature, column = position): [`pack_positions`],
//!   whole cells, in panels of its own ([`Positions`]);
//! - a right operand over (`k` = position, column = feature):
//!   [`pack_features`], where pairs of features become pairs of positions, in the
//!   panels of [`super::super::panels`].

use std::ops::Range;

use crate::lanes::{Lanes, WIDTH};
use crate::training::cells::Cells;
use crate::training::panels::{lines, starts};

/// How many positions ahead of those that are being read rows are asked for.
pub(super) const AHEAD: usize = 32;

/// The rows of one head of one sequence.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    /// From the head's first cell of the first position on.
    pub(super) cells: &'a [u32],
    /// Cells from a row to the next.
    pub(super) stride: usize,
    /// Positions.
    pub(super) length: usize,
    /// Cells of a row.
    pub(super) width: usize,
}

impl<'a> Head<'a> {
    #[inline(always)]
    pub(super) fn row(self, position: usize) -> &'a [u32] {
        &self.cells[position * self.stride..][..self.width]
    }

    /// Asks for rows that will be read, as far as they exist. They lie far apart,
    /// so the processor would not ask for them itself.
    #[inline(always)]
    pub(super) fn ask<S: Lanes>(self, s: S, positions: Range<usize>) {
        for position in positions.start..positions.end.min(self.length) {
            let row = self.cells.as_ptr().wrapping_add(position * self.stride);
            for at in (0..self.width).step_by(WIDTH) {
                s.prefetch(row.wrapping_add(at));
            }
        }
    }
}

/// Copies the rows from `first` on to `out`, `[rows, width]`; rows that do not
/// exist are zeros.
#[inline(always)]
pub(super) fn copy_rows(head: Head, first: usize, out: &mut [u32]) {
    for (i, out) in out.chunks_exact_mut(head.width).enumerate() {
        match first + i < head.length {
            true => out.copy_from_slice(head.row(first + i)),
            false => out.fill(0),
        }
    }
}

/// A right operand over (feature, position). All its panels but the last are as
/// wide as a tile, as blocks of queries and keys are made of whole panels.
#[derive(Clone, Copy)]
pub(super) struct Positions<'a> {
    pub(super) cells: &'a [u32],
    /// Cells along the features.
    pub(super) k: usize,
    pub(super) length: usize,
}

impl<'a> Positions<'a> {
    /// The panel at `position`, and its lines.
    #[inline(always)]
    pub(super) fn panel<S: Lanes>(self, position: usize) -> (&'a [u32], usize) {
        let lines = lines_from::<S>(position, self.length);
        let cells = &self.cells[position * self.k..][..self.k * lines * WIDTH];
        (cells, lines)
    }
}

/// Lines of the panel at `position`.
#[inline(always)]
fn lines_from<S: Lanes>(position: usize, length: usize) -> usize {
    (length - position).div_ceil(WIDTH).min(S::LINES)
}

/// Packs [`Positions`], sixteen positions by sixteen cells at a time.
#[inline(always)]
pub(super) fn pack_positions<S: Lanes>(s: S, head: Head, out: &mut [u32]) {
    let k = head.width;
    for column in (0..head.length).step_by(S::LINES * WIDTH) {
        let width = lines_from::<S>(column, head.length) * WIDTH;
        head.ask(s, column + width..column + 2 * width);
        let panel = &mut out[column * k..][..k * width];
        for (first, from) in blocks(width, k) {
            let mut block = [[0; WIDTH]; WIDTH];
            let positions = column + first..head.length;
            for (cells, position) in block.iter_mut().zip(positions) {
                *cells = line_of(&head.row(position)[from..]);
            }
            s.transpose(&mut block);
            let rows = panel.chunks_exact_mut(width).skip(from);
            for (cells, row) in block.iter().zip(rows) {
                row[first..first + WIDTH].copy_from_slice(cells);
            }
        }
    }
}

/// Where blocks of sixteen by sixteen begin.
fn blocks(width: usize, k: usize) -> impl Iterator<Item = (usize, usize)> {
    let firsts = (0..width).step_by(WIDTH);
    firsts.flat_map(move |first| (0..k).step_by(WIDTH).map(move |from| (first, from)))
}

/// The first sixteen of `cells`; zeros for those that do not exist.
#[inline(always)]
fn line_of(cells: &[u32]) -> [u32; WIDTH] {
    match cells.first_chunk() {
        Some(line) => *line,
        None => {
            let mut line = [0; WIDTH];
            line[..cells.len()].copy_from_slice(cells);
            line
        }
    }
}

/// Packs the panels over (position, feature) of `positions` positions from
/// `first` on; those that do not exist are zeros. `pair` holds two rows of
/// values, each `features` and zeros up to a whole line.
#[inline(always)]
pub(super) fn pack_features<S: Lanes, C: Cells>(
    s: S,
    head: Head,
    first: usize,
    positions: usize,
    features: usize,
    pair: &mut [f32],
    out: &mut [u32],
) {
    let k = positions.div_ceil(C::GROUP);
    let (low, high) = pair.split_at_mut(features.next_multiple_of(WIDTH));
    for group in 0..k {
        let position = first + group * C::GROUP;
        head.ask(s, position + AHEAD..position + AHEAD + C::GROUP);
        for (i, values) in [&mut *low, &mut *high][..C::GROUP].iter_mut().enumerate() {
            match position + i < head.length {
                true => C::widen(s, head.row(position + i), &mut values[..features]),
                false => values[..features].fill(0.0),
            }
        }
        let (low, high) = (low.as_chunks().0, high.as_chunks().0);
        for column in starts::<S>(0..features, features) {
            let lines = lines::<S>(column, features);
            let out = &mut out[column * k + group * lines * WIDTH..][..lines * WIDTH];
            let from = column / WIDTH;
            for (line, out) in out.as_chunks_mut().0.iter_mut().enumerate() {
                let (low, high) = (s.load(&low[from + line]), s.load(&high[from + line]));
                C::across(s, low, high, out);
            }
        }
    }
}
