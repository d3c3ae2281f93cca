//! Cells: the 32-bit units in which the operands of a product lie in memory.
//!
//! A product sums over `k`. With f32 a cell is one value; with bf16 it is two
//! values that follow one another along `k`, the first in the low half, because
//! that is what a bf16 dot product takes. Everything else (panels, tiles,
//! loops) is written once over cells.
//!
//! bf16 comes in two kinds. `Pairs` is for processors that multiply bf16.
//! On others, widening pairs inside the innermost loop would be slower than
//! f32; there `Rounded` keeps each value as an f32 that was rounded to bf16,
//! which gives the same products at the speed of f32.

use crate::exp::{exp, exp_coarse};
use crate::isa::{Isa, Kernel};
use crate::lanes::{Lanes, WIDTH, bf16_to_f32, f32_to_bf16};
use crate::training::tile::ROWS;

/// With which precision operands are multiplied; sums are always f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32 by f32.
    F32,
    /// bf16 by bf16: operands are rounded, ties to even.
    Bf16,
}

/// How operands lie in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `Single`.
    Single,
    /// `Rounded`.
    Rounded,
    /// `Pairs`.
    Pairs,
}

impl Layout {
    /// The fastest layout for `precision` on `isa`.
    pub fn of(precision: Precision, isa: Isa) -> Self {
        match precision {
            Precision::F32 => Self::Single,
            Precision::Bf16 if isa.multiplies_bf16() => Self::Pairs,
            Precision::Bf16 => Self::Rounded,
        }
    }

    /// The layout for `precision` where rows cannot be cut into pairs.
    pub fn without_pairs(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::Single,
            Precision::Bf16 => Self::Rounded,
        }
    }

    /// Values a cell.
    pub fn group(self) -> usize {
        match self {
            Self::Single | Self::Rounded => 1,
            Self::Pairs => 2,
        }
    }

    /// Cells of a row of `values` values along `k`.
    pub fn cells(self, values: usize) -> usize {
        values.div_ceil(self.group())
    }
}

/// A kernel over any instruction set and any layout.
pub(crate) trait CellKernel {
    /// Does the work; `#[inline(always)]` as [`Kernel::run`].
    fn run<S: Lanes, C: Cells>(self, s: S);
}

/// A kernel with the layout it is to run with.
pub(crate) struct With<K>(pub(crate) Layout, pub(crate) K);

impl<K: CellKernel> Kernel for With<K> {
    type Output = ();
    fn tiled(&self) -> Option<usize> {
        (self.0 == Layout::Pairs).then_some(ROWS)
    }
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        match self.0 {
            Layout::Pairs => self.1.run::<S, Pairs>(s),
            _ if S::TILED => unreachable!("only pairs are tiled"),
            Layout::Single => self.1.run::<S, Single>(s),
            Layout::Rounded => self.1.run::<S, Rounded>(s),
        }
    }
}

/// One kind of cell.
pub(crate) trait Cells: Copy + Send + Sync {
    /// Values a cell.
    const GROUP: usize;
    /// One cell of up to `GROUP` values; missing ones are zeros.
    fn cell(values: &[f32]) -> u32;
    /// Value `index` of a cell.
    fn value(cell: u32, index: usize) -> f32;
    /// `acc[lane] + sum over the group of b[lane] * a`.
    fn dot<S: Lanes>(s: S, acc: S::F, b: &[u32; WIDTH], a: u32) -> S::F;
    /// `exp` of each lane, as exact as a cell of bf16 can hold it.
    #[inline(always)]
    fn exp<S: Lanes>(s: S, x: S::F) -> S::F {
        exp_coarse(s, x)
    }
    /// One over each lane, as exact as a cell can hold it.
    #[inline(always)]
    fn reciprocal<S: Lanes>(s: S, x: S::F) -> S::F {
        s.div(s.splat(1.0), x)
    }
    /// Sixteen columns of `GROUP` rows, one cell a column. `next` is ignored
    /// where a cell holds one value.
    fn across<S: Lanes>(s: S, row: S::F, next: S::F, out: &mut [u32; WIDTH]);
    /// [`across`](Self::across) of values that are cells along `k` already,
    /// `WIDTH / GROUP` of each.
    fn across_cells<S: Lanes>(s: S, row: &[u32], next: &[u32], out: &mut [u32; WIDTH]);
    /// Cells of sixteen values that follow one another along `k`: `WIDTH / GROUP`
    /// of them.
    fn line<S: Lanes>(s: S, values: S::F, out: &mut [u32]);
    /// Sixteen cells of values that follow one another along `k`: `GROUP` lines of
    /// them, so that the second is ignored where a cell holds one value.
    fn lines<S: Lanes>(s: S, lines: [S::F; 2], out: &mut [u32; WIDTH]);
    /// The values of [`line`](Self::line).
    fn widen_line<S: Lanes>(s: S, cells: &[u32]) -> S::F;
    /// Cells of values that follow one another along `k`.
    #[inline(always)]
    fn along<S: Lanes>(s: S, values: &[f32], out: &mut [u32]) {
        let (lines, rest) = values.as_chunks::<WIDTH>();
        let (full, tail) = out.split_at_mut(lines.len() * (WIDTH / Self::GROUP));
        let full = full.chunks_exact_mut(WIDTH / Self::GROUP);
        for (line, out) in lines.iter().zip(full) {
            Self::line(s, s.load(line), out);
        }
        for (values, out) in rest.chunks(Self::GROUP).zip(tail) {
            *out = Self::cell(values);
        }
    }
    /// The values of cells of [`along`](Self::along).
    #[inline(always)]
    fn widen<S: Lanes>(s: S, cells: &[u32], out: &mut [f32]) {
        let (lines, rest) = out.as_chunks_mut::<WIDTH>();
        let (full, tail) = cells.split_at(lines.len() * (WIDTH / Self::GROUP));
        let full = full.chunks_exact(WIDTH / Self::GROUP);
        for (line, cells) in lines.iter_mut().zip(full) {
            s.store(Self::widen_line(s, cells), line);
        }
        for (values, cell) in rest.chunks_mut(Self::GROUP).zip(tail) {
            for (index, out) in values.iter_mut().enumerate() {
                *out = Self::value(*cell, index);
            }
        }
    }
}

/// One f32 a cell.
#[derive(Clone, Copy)]
pub(crate) struct Single;

/// One f32 that was rounded to bf16 a cell.
#[derive(Clone, Copy)]
pub(crate) struct Rounded;

/// Two bf16 a cell.
#[derive(Clone, Copy)]
pub(crate) struct Pairs;

impl Cells for Single {
    const GROUP: usize = 1;
    #[inline(always)]
    fn cell(values: &[f32]) -> u32 {
        values[0].to_bits()
    }
    #[inline(always)]
    fn value(cell: u32, _: usize) -> f32 {
        f32::from_bits(cell)
    }
    #[inline(always)]
    fn dot<S: Lanes>(s: S, acc: S::F, b: &[u32; WIDTH], a: u32) -> S::F {
        s.mul_add(s.load_bits(b), s.splat(f32::from_bits(a)), acc)
    }
    #[inline(always)]
    fn exp<S: Lanes>(s: S, x: S::F) -> S::F {
        exp(s, x)
    }
    #[inline(always)]
    fn across<S: Lanes>(s: S, row: S::F, _: S::F, out: &mut [u32; WIDTH]) {
        s.store_bits(row, out);
    }
    #[inline(always)]
    fn across_cells<S: Lanes>(_: S, row: &[u32], _: &[u32], out: &mut [u32; WIDTH]) {
        *out = row.as_chunks().0[0];
    }
    #[inline(always)]
    fn line<S: Lanes>(s: S, values: S::F, out: &mut [u32]) {
        Self::across(s, values, values, &mut out.as_chunks_mut().0[0]);
    }
    #[inline(always)]
    fn lines<S: Lanes>(s: S, lines: [S::F; 2], out: &mut [u32; WIDTH]) {
        Self::across(s, lines[0], lines[0], out);
    }
    #[inline(always)]
    fn widen_line<S: Lanes>(s: S, cells: &[u32]) -> S::F {
        s.load_bits(&cells.as_chunks().0[0])
    }
}

#[inline(always)]
fn rounded(x: f32) -> f32 {
    bf16_to_f32(f32_to_bf16(x))
}

impl Cells for Rounded {
    const GROUP: usize = 1;
    #[inline(always)]
    fn cell(values: &[f32]) -> u32 {
        rounded(values[0]).to_bits()
    }
    #[inline(always)]
    fn value(cell: u32, _: usize) -> f32 {
        f32::from_bits(cell)
    }
    #[inline(always)]
    fn dot<S: Lanes>(s: S, acc: S::F, b: &[u32; WIDTH], a: u32) -> S::F {
        Single::dot(s, acc, b, a)
    }
    #[inline(always)]
    fn across<S: Lanes>(s: S, row: S::F, _: S::F, out: &mut [u32; WIDTH]) {
        s.store_bits(s.round_to_bf16(row), out);
    }
    #[inline(always)]
    fn across_cells<S: Lanes>(_: S, row: &[u32], _: &[u32], out: &mut [u32; WIDTH]) {
        *out = row.as_chunks().0[0];
    }
    #[inline(always)]
    fn line<S: Lanes>(s: S, values: S::F, out: &mut [u32]) {
        Self::across(s, values, values, &mut out.as_chunks_mut().0[0]);
    }
    #[inline(always)]
    fn lines<S: Lanes>(s: S, lines: [S::F; 2], out: &mut [u32; WIDTH]) {
        Self::across(s, lines[0], lines[0], out);
    }
    #[inline(always)]
    fn widen_line<S: Lanes>(s: S, cells: &[u32]) -> S::F {
        Single::widen_line(s, cells)
    }
}

impl Cells for Pairs {
    const GROUP: usize = 2;
    #[inline(always)]
    fn cell(values: &[f32]) -> u32 {
        let high = values.get(1).copied().map_or(0, f32_to_bf16);
        u32::from(f32_to_bf16(values[0])) | u32::from(high) << 16
    }
    #[inline(always)]
    fn value(cell: u32, index: usize) -> f32 {
        bf16_to_f32((cell >> (16 * index)) as u16)
    }
    #[inline(always)]
    fn dot<S: Lanes>(s: S, acc: S::F, b: &[u32; WIDTH], a: u32) -> S::F {
        s.dot_pairs(acc, b, a)
    }
    #[inline(always)]
    fn reciprocal<S: Lanes>(s: S, x: S::F) -> S::F {
        s.reciprocal(x)
    }
    #[inline(always)]
    fn across<S: Lanes>(s: S, row: S::F, next: S::F, out: &mut [u32; WIDTH]) {
        s.pair(row, next, out);
    }
    #[inline(always)]
    fn across_cells<S: Lanes>(s: S, row: &[u32], next: &[u32], out: &mut [u32; WIDTH]) {
        s.pair_narrow(&row.as_chunks().0[0], &next.as_chunks().0[0], out);
    }
    #[inline(always)]
    fn line<S: Lanes>(s: S, values: S::F, out: &mut [u32]) {
        s.narrow_line(values, &mut out.as_chunks_mut().0[0]);
    }
    #[inline(always)]
    fn lines<S: Lanes>(s: S, [first, second]: [S::F; 2], out: &mut [u32; WIDTH]) {
        s.narrow_lines(first, second, out);
    }
    #[inline(always)]
    fn widen_line<S: Lanes>(s: S, cells: &[u32]) -> S::F {
        s.widen_line(&cells.as_chunks().0[0])
    }
}
