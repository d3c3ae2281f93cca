//! The register tile that every product of training is made of.
//!
//! `tile[row][column] = sum over k of left[row][k] * right[k][column]`, in cells
//! along `k` (see [`super::cells`]). For each `k`, the lines of `right` are read
//! once and multiplied with one cell of each row of `left`, broadcast by the
//! multiplication itself; all sums stay in registers from the first `k` to the
//! last. Eight rows by 48 columns take 24 of AVX-512's 32 registers: for 24
//! multiplications there are three loads and eight broadcasts, so the arithmetic
//! is the limit and not the loads.
//!
//! Where the instruction set multiplies whole tiles (AMX), a tile is 32 rows by 48 columns
//! in registers of its own. There the left operand has to lie in rows: [`Left::turn`].

use std::ops::Range;

use super::cells::Cells;
use crate::lanes::{Lanes, WIDTH};

/// Rows of the highest tile.
pub(crate) const ROWS: usize = 32;
/// Columns of the widest tile.
pub(crate) const COLUMNS: usize = 3 * WIDTH;

/// How many blocks of sixteen cells ahead an operand that is turned about is asked for.
const AHEAD: usize = 4;

/// The sums of a row of a tile.
pub(crate) type TileRow = [f32; COLUMNS];

/// The sums of a tile, row by row.
pub(crate) type Tile = [TileRow; ROWS];

/// A tile of zeros.
pub(crate) const EMPTY: Tile = [[0.0; COLUMNS]; ROWS];

/// The left operand: in the tile that begins at row `first`, cell `k` of row
/// `first + i` is `cells[first * tile_step + i * row_step + k * k_step]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) cells: &'a [u32],
    pub(crate) tile_step: usize,
    pub(crate) row_step: usize,
    pub(crate) k_step: usize,
}

impl<'a> Left<'a> {
    /// Rows of a matrix, `stride` cells apart, `k` running along them. There
    /// have to be whole tiles of rows.
    #[inline(always)]
    pub(crate) fn rows(cells: &'a [u32], stride: usize) -> Self {
        Self {
            cells,
            tile_step: stride,
            row_step: stride,
            k_step: 1,
        }
    }

    /// Panels of `k` cells (see [`super::panels`]).
    #[inline(always)]
    pub(crate) fn panels<S: Lanes>(cells: &'a [u32], k: usize) -> Self {
        Self {
            cells,
            tile_step: k,
            row_step: 1,
            k_step: S::HEIGHT,
        }
    }

    /// The operand without its first rows, whole tiles of them.
    #[inline(always)]
    pub(crate) fn skip(self, rows: usize) -> Self {
        self.tile(rows, 0)
    }

    /// `rows` rows and the cells `k` of an operand whose rows lie side by side, as rows of
    /// `stride` cells, written to `out`. `rows` is rounded up to sixteen, whose cells have to
    /// be there. `k_step` is at least 16, and there is room for whole lines in `out`.
    #[inline(always)]
    pub(crate) fn turn<'b, S: Lanes>(
        self,
        s: S,
        rows: usize,
        k: Range<usize>,
        (out, stride): (&'b mut [u32], usize),
    ) -> Left<'b> {
        for row in (0..rows).step_by(WIDTH) {
            for from in k.clone().step_by(WIDTH) {
                let mut block = [[0; WIDTH]; WIDTH];
                let depth = WIDTH.min(k.end - from);
                let lines = self.tile(row, from).cells.chunks(self.k_step);
                for (cells, line) in block[..depth].iter_mut().zip(lines) {
                    s.prefetch(line.as_ptr().wrapping_add(AHEAD * WIDTH * self.k_step));
                    *cells = line.as_chunks().0[0];
                }
                s.transpose(&mut block);
                let out = &mut out[row * stride + from - k.start..];
                for (cells, out) in block.iter().zip(out.chunks_mut(stride)) {
                    out.as_chunks_mut().0[0] = *cells;
                }
            }
        }
        Left::rows(out, stride)
    }

    /// The tile that begins at `row`, from `k` on.
    #[inline(always)]
    pub(crate) fn tile(self, row: usize, k: usize) -> Self {
        let cells = &self.cells[row * self.tile_step + k * self.k_step..];
        Self { cells, ..self }
    }
}

#[inline(always)]
fn sums<S: Lanes, C: Cells, const R: usize, const L: usize>(
    s: S,
    left: Left,
    right: &[u32],
    next: [Option<&[u32]>; 2],
    tile: &mut Tile,
) {
    let (lines, _) = right.as_chunks::<WIDTH>();
    let (lines, _) = lines.as_chunks::<L>();
    let k = lines.len();
    let last = (R - 1) * left.row_step + k.saturating_sub(1) * left.k_step;
    assert!(k == 0 || last < left.cells.len(), "left operand too short");
    let mut sums = [[s.splat(0.0); L]; R];
    for (k, lines) in lines.iter().enumerate() {
        for next in next.into_iter().flatten() {
            s.prefetch(next.as_ptr().wrapping_add(k * WIDTH));
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: at most `last`, asserted above.
            let a = unsafe {
                *left
                    .cells
                    .get_unchecked(row * left.row_step + k * left.k_step)
            };
            for (sum, line) in sums.iter_mut().zip(lines) {
                *sum = C::dot(s, *sum, line, a);
            }
        }
    }
    for (out, sums) in tile.iter_mut().zip(sums) {
        for (out, sum) in out.as_chunks_mut::<WIDTH>().0.iter_mut().zip(sums) {
            s.store(sum, out);
        }
    }
}

/// A tile of one line by the kernel of the instruction set, if there is one for so many
/// rows of values.
#[inline(always)]
fn by_kernel<S: Lanes>(
    s: S,
    left: Left,
    height: usize,
    right: &[u32],
    next: [Option<&[u32]>; 2],
    out: &mut Tile,
) -> bool {
    #[inline(always)]
    fn store<S: Lanes, const R: usize>(s: S, sums: Option<[S::F; R]>, out: &mut Tile) -> bool {
        let Some(sums) = sums else { return false };
        for (out, sum) in out.iter_mut().zip(sums) {
            s.store(sum, &mut out.as_chunks_mut().0[0]);
        }
        true
    }
    let next = next.map(|next| Some(next?.as_ptr()));
    let (cells, lines, zero) = (left.cells, right.as_chunks().0, s.splat(0.0));
    let steps = [left.row_step, left.k_step];
    match height {
        4 => store(
            s,
            s.multiply_four::<1>(cells, steps, lines, next, [zero; 4]),
            out,
        ),
        6 => store(
            s,
            s.multiply_six(cells, steps, lines, next[0], [zero; 6]),
            out,
        ),
        _ => false,
    }
}

/// One tile: `S::TALL` rows of `left`, which is not panels, by `lines` lines of sixteen
/// columns of `right`, which is `[k, lines, 16]`.
#[inline(always)]
pub(crate) fn tile<S: Lanes, C: Cells>(
    s: S,
    left: Left,
    right: &[u32],
    lines: usize,
    out: &mut Tile,
) {
    tile_before::<S, C>(s, left, S::TALL, right, lines, [None; 2], out);
}

/// [`tile`] of `height` rows, `S::HEIGHT` or `S::TALL`, which asks meanwhile for the
/// memory where `next` begins, a line of the cache for each `k`.
#[inline(always)]
pub(crate) fn tile_before<S: Lanes, C: Cells>(
    s: S,
    left: Left,
    height: usize,
    right: &[u32],
    lines: usize,
    next: [Option<&[u32]>; 2],
    out: &mut Tile,
) {
    if S::TILED {
        assert_eq!(left.k_step, 1, "tiles take rows");
        let left = (left.cells, left.row_step);
        return s.multiply_tiles(left, height, (right, lines), next[0], out);
    }
    if C::GROUP == 1 && by_kernel(s, left, height, right, next, out) {
        return;
    }
    match (height, lines) {
        (6, _) if S::TALL == 6 => sums::<S, C, 6, 1>(s, left, right, next, out),
        (8, 3) => sums::<S, C, 8, 3>(s, left, right, next, out),
        (8, 2) => sums::<S, C, 8, 2>(s, left, right, next, out),
        (8, _) => sums::<S, C, 8, 1>(s, left, right, next, out),
        _ => sums::<S, C, 4, 1>(s, left, right, next, out),
    }
}
