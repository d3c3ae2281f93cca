//! Operands cut into panels, so that a tile reads them from front to back.
//!
//! A matrix over `[k, n]` becomes panels of `width` columns, each `[k, width]`
//! in cells; the right operand's panels are as wide as a tile, the left
//! operand's as wide as a tile is high. Where a panel's last columns do not
//! exist they are zeros; the right operand's last panel is only as many lines of
//! sixteen wide as it needs. Values past the last of `k` in a cell are zeros.

use super::cells::Cells;
use super::tile::COLUMNS;
use crate::lanes::{Lanes, WIDTH};

/// Lines of sixteen columns in the panel of a right operand that begins at
/// `column` of `columns`.
#[inline(always)]
pub(crate) fn lines<S: Lanes>(column: usize, columns: usize) -> usize {
    (columns - column).div_ceil(WIDTH).min(S::LINES)
}

/// Cells of a right operand of `k` cells by `columns` columns, enough for every
/// instruction set.
pub(crate) fn right_len(k: usize, columns: usize) -> usize {
    k * columns.next_multiple_of(WIDTH)
}

/// Cells of a left operand in panels of `k` cells by `rows` rows.
pub(crate) fn left_len(k: usize, rows: usize) -> usize {
    k * rows.next_multiple_of(COLUMNS)
}

/// A right operand.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a> {
    /// Panels, see the module's head.
    pub(crate) cells: &'a [u32],
    /// Cells along `k` of the whole operand.
    pub(crate) k: usize,
    /// Columns.
    pub(crate) columns: usize,
}

impl<'a> Right<'a> {
    /// Cells `from..to` along `k` of the panel that begins at `column`, and its
    /// lines.
    #[inline(always)]
    pub(crate) fn panel<S: Lanes>(
        self,
        column: usize,
        from: usize,
        to: usize,
    ) -> (&'a [u32], usize) {
        let lines = lines::<S>(column, self.columns);
        let width = lines * WIDTH;
        let panel = &self.cells[column * self.k..];
        (&panel[from * width..to * width], lines)
    }
}

/// Packs the panel of a right operand that begins at `column`, from a matrix
/// `[columns, values]` row by row in which `k` runs along the rows: the weights
/// of a linear layer for the forward pass.
#[inline(always)]
pub(crate) fn pack_transposed<S: Lanes, C: Cells>(
    matrix: &[f32],
    values: usize,
    column: usize,
    columns: usize,
    out: &mut [u32],
) {
    let width = lines::<S>(column, columns) * WIDTH;
    for i in 0..width {
        let row = match column + i < columns {
            true => &matrix[(column + i) * values..][..values],
            false => &[],
        };
        let mut groups = row.chunks(C::GROUP);
        for cell in out[i..].iter_mut().step_by(width) {
            *cell = groups.next().map_or(0, C::cell);
        }
    }
}

/// Packs the panel of a right operand that begins at `column`, from a matrix
/// `[values, columns]` row by row in which `k` runs down the rows: the weights
/// of a linear layer for the backward pass.
#[inline(always)]
pub(crate) fn pack_across<S: Lanes, C: Cells>(
    s: S,
    matrix: &[f32],
    columns: usize,
    column: usize,
    out: &mut [u32],
) {
    let lines = lines::<S>(column, columns);
    let cells = out.as_chunks_mut::<WIDTH>().0.chunks_exact_mut(lines);
    let rows = matrix.len() / columns;
    for (group, cells) in cells.enumerate() {
        for (line, cells) in cells.iter_mut().enumerate() {
            let first = column + WIDTH * line;
            let load = |row: usize| {
                let mut values = [0.0; WIDTH];
                if row < rows {
                    let row = &matrix[row * columns..][..columns];
                    let row = &row[first.min(columns)..columns.min(first + WIDTH)];
                    values[..row.len()].copy_from_slice(row);
                }
                values
            };
            let row = s.load(&load(group * C::GROUP));
            let next = s.load(&load(group * C::GROUP + 1));
            C::across(s, row, next, cells);
        }
    }
}
