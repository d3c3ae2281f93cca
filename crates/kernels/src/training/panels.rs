//! Operands cut into panels, so that a tile reads them from front to back.
//!
//! A matrix over `[k, n]` becomes panels of `width` columns, each `[k, width]`
//! in cells; the right operand's panels are as wide as a tile, the left
//! operand's as wide as a tile is high. Where a panel's last columns do not
//! exist they are zeros; the right operand's last panel is only as many lines of
//! sixteen wide as it needs. Where three lines a panel would leave one, the last
//! two panels have two each: the sums of one line are too few to keep the
//! arithmetic busy. Values past the last of `k` in a cell are zeros.

use std::ops::Range;

use super::cells::Cells;
use crate::lanes::{Lanes, WIDTH, load_part};

/// Lines of sixteen columns in the panel of a right operand that begins at
/// `column` of `columns`.
#[inline(always)]
pub(crate) fn lines<S: Lanes>(column: usize, columns: usize) -> usize {
    match (columns - column).div_ceil(WIDTH) {
        4 if S::LINES == 3 => 2,
        left => left.min(S::LINES),
    }
}

/// Columns of that panel that exist.
#[inline(always)]
pub(crate) fn width<S: Lanes>(column: usize, columns: usize) -> usize {
    (lines::<S>(column, columns) * WIDTH).min(columns - column)
}

/// Where the panels of a right operand of `columns` columns begin, those of a part
/// of it: `part` begins at a multiple of 48 and ends at one or with the operand.
#[inline(always)]
pub(crate) fn starts<S: Lanes>(part: Range<usize>, columns: usize) -> impl Iterator<Item = usize> {
    let single = move |column| column > 0 && S::LINES == 3 && columns - column <= WIDTH;
    part.step_by(S::LINES * WIDTH)
        .map(move |column| column - if single(column) { WIDTH } else { 0 })
}

/// Cells of a right operand of `k` cells by `columns` columns, enough for every
/// instruction set.
pub(crate) fn right_len(k: usize, columns: usize) -> usize {
    k * columns.next_multiple_of(WIDTH)
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
/// of a linear layer, times `scale`, for the forward pass.
#[inline(always)]
pub(crate) fn pack_transposed<S: Lanes, C: Cells>(
    s: S,
    matrix: &[f32],
    values: usize,
    scale: f32,
    column: usize,
    out: &mut [u32],
) {
    let columns = matrix.len() / values;
    let lines = lines::<S>(column, columns);
    let depth = values.div_ceil(C::GROUP);
    // Sixteen rows of up to sixteen cells at a time, turned about.
    for line in 0..lines {
        for from in (0..depth).step_by(WIDTH) {
            let mut block = [[0; WIDTH]; WIDTH];
            for (cells, row) in block.iter_mut().zip(column + line * WIDTH..columns) {
                let next = matrix.as_ptr().wrapping_add((row + WIDTH) * values);
                for value in (from * C::GROUP..(from + WIDTH) * C::GROUP).step_by(WIDTH) {
                    s.prefetch(next.wrapping_add(value));
                }
                let row = &matrix[row * values..(row + 1) * values];
                let mut lines = [s.splat(0.0); 2];
                let parts = row[from * C::GROUP..].chunks(WIDTH);
                for (line, part) in lines.iter_mut().zip(parts) {
                    *line = s.mul(load_part(s, part), s.splat(scale));
                }
                C::lines(s, lines, cells);
            }
            s.transpose(&mut block);
            let cells = &mut out.as_chunks_mut::<WIDTH>().0[from * lines..];
            ask_ahead(s, cells, 2 * WIDTH * lines + line..3 * WIDTH * lines, lines);
            let rows = cells.chunks_mut(lines);
            for (cells, out) in block.iter().zip(rows.take(depth - from)) {
                out[line] = *cells;
            }
        }
    }
}

/// Packs the panel of a right operand that begins at `column`, from a matrix
/// `[values, columns]` row by row in which `k` runs down the rows: the weights
/// of a linear layer, times `scale`, for the backward pass.
#[inline(always)]
pub(crate) fn pack_across<S: Lanes, C: Cells>(
    s: S,
    matrix: &[f32],
    columns: usize,
    scale: f32,
    column: usize,
    out: &mut [u32],
) {
    let lines = lines::<S>(column, columns);
    let rows = matrix.len() / columns;
    let depth = rows.div_ceil(C::GROUP);
    let groups = out.as_chunks_mut::<WIDTH>().0.chunks_exact_mut(lines);
    for (group, cells) in groups.take(depth).enumerate() {
        ask_ahead(s, cells, 8 * lines..9 * lines, 1);
        for (line, cells) in cells.iter_mut().enumerate() {
            let first = column + WIDTH * line;
            let mut both = [s.splat(0.0); 2];
            for (values, row) in both.iter_mut().zip(group * C::GROUP..rows) {
                let row = &matrix[row * columns..][first..columns.min(first + WIDTH)];
                *values = s.mul(load_part(s, row), s.splat(scale));
            }
            C::across(s, both[0], both[1], cells);
        }
    }
}

/// Asks for cells that will be written, `ahead` of the first of `cells`, each
/// `step`th line: a store to memory that is not in the cache waits.
#[inline(always)]
fn ask_ahead<S: Lanes>(s: S, cells: &[[u32; WIDTH]], ahead: Range<usize>, step: usize) {
    for line in ahead.step_by(step) {
        s.prefetch(cells.as_ptr().wrapping_add(line));
    }
}
