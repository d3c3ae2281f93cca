//! How weights (and cached keys and values) are stored and multiplied.
//!
//! A *line* is 64 bytes: sixteen rows by `Element::GROUP` columns, the columns
//! of a row side by side: `line[lane * GROUP + column]`. A *group* is that many
//! columns of one row of activations, which every lane of a line multiplies.
//!
//! - [`F32`]: one column a line; exact f32.
//! - [`Bf16`] and [`WideBf16`]: two columns; products of bf16 by bf16, sums in f32.
//! - [`Int8`] and [`Int8Fine`]: four columns; weights of eight bits with one scale a row,
//!   activations of one byte or two with scales, sums are exact integers.

mod integers;
mod pairs;

pub use integers::{Int8, Int8Fine};
pub use pairs::{Bf16, WideBf16};

use crate::lanes::{Lanes, Next, WIDTH};
use crate::matrix::WeightFormat;
use crate::memory::Zero;

/// 64 bytes on a cache line of their own.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Line<T>(pub T);

// SAFETY: numbers, aligned to 64.
unsafe impl Zero for Line<[f32; 16]> {}
// SAFETY: as above.
unsafe impl Zero for Line<[u16; 32]> {}
// SAFETY: as above.
unsafe impl Zero for Line<[i8; 64]> {}
// SAFETY: as above.
unsafe impl Zero for Line<[i32; 16]> {}

/// A way to store weights and to multiply them with activations.
pub(crate) trait Element: Copy + Send + Sync + 'static {
    /// Sixteen rows by `GROUP` columns.
    type Line: Zero;
    /// `GROUP` columns of a row of activations.
    type Group: Copy + Send + Sync + 'static;
    /// The running sums of sixteen rows.
    type Sum<S: Lanes>: Copy;
    /// Columns in a line.
    const GROUP: usize;
    /// Registers that a [`Element::Sum`] takes.
    #[inline(always)]
    fn registers<S: Lanes>() -> usize {
        1
    }
    /// Words of 32 bits in a group.
    const WORDS: usize;
    /// Columns of a row of activations that have one scale.
    const PIECE: usize = usize::MAX;
    /// Whether scales can be other than 1.
    const SCALED: bool;
    /// The format of matrices made of it.
    const FORMAT: WeightFormat;

    /// Sums of nothing.
    fn zero<S: Lanes>(s: S) -> Self::Sum<S>;
    /// `sum + line * x`. By reference, so that each word of `x` is a load that
    /// spreads it over the lanes.
    fn dot<S: Lanes>(s: S, sum: Self::Sum<S>, line: &Self::Line, x: &Self::Group) -> Self::Sum<S>;
    /// Multiplies four rows of `x`, `stride` apart, with one half of each of `lines`,
    /// and adds to `sums`. Meanwhile asks for both of `next`, two lines of the cache
    /// each for every eight groups. `None` where the format or the instruction set has
    /// no such kernel.
    #[inline(always)]
    fn four<S: Lanes>(
        _: S,
        _lines: &[[Self::Line; 2]],
        _half: usize,
        _x: &[Self::Group],
        _stride: usize,
        _next: [Option<*const u32>; 2],
        _sums: [Self::Sum<S>; 4],
    ) -> Option<[Self::Sum<S>; 4]> {
        None
    }
    /// Multiplies rows of `x`, `stride` apart, always two together, with both halves of each
    /// of `lines`; `sums` go on from what they are, or begin anew. Meanwhile, with each two
    /// rows, asks for the memory at `next`, a line of the cache for each group, so many bytes
    /// apart. Gives how many groups were taken: none where the format or the instruction set
    /// has no such kernel, and then `sums` are left as they are.
    #[inline(always)]
    fn twos<S: Lanes>(
        _: S,
        _lines: &[[Self::Line; 2]],
        _x: &[Self::Group],
        _stride: usize,
        _next: (*const u8, usize),
        _go_on: bool,
        _sums: &mut [[Self::Sum<S>; 2]],
    ) -> usize {
        0
    }
    /// Whether [tiles](Lanes::TILED) multiply it, by [`block`](Self::block).
    const TILED: bool = false;
    /// Multiplies rows of `x`, `stride` apart, with both halves of each of `lines`; `sums`
    /// go on from what they are, or begin anew. See [`Lanes::multiply_block_of_pairs`].
    #[inline(always)]
    fn block<S: Lanes>(
        _: S,
        _lines: &[[Self::Line; 2]],
        _x: (&[Self::Group], usize),
        _next: Next,
        _go_on: bool,
        _sums: &mut [[Self::Sum<S>; 2]],
    ) {
        unreachable!("tiles do not multiply this");
    }
    /// The sums in f32, before scales. `middles` are the row sums of the integer
    /// weights over the columns that were summed, 0 for other formats; `excess` is
    /// [that](Element::excess) of the activations.
    fn value<S: Lanes>(s: S, sum: Self::Sum<S>, middles: &[i32; 16], excess: i32) -> S::F;
    /// Whether `middles` matter.
    #[inline(always)]
    fn has_middles<S: Lanes>() -> bool {
        false
    }
    /// What sums of a converted row of activations are too large by, where weights are kept
    /// as unsigned integers; else 0.
    #[inline(always)]
    fn excess<S: Lanes>(_: S, _words: &[u32]) -> i32 {
        0
    }
    /// Converts a row of activations, or a piece of it, to its groups and gives
    /// its scale. Columns that the last group lacks are 0.
    fn convert<S: Lanes>(s: S, row: &[f32], words: &mut [u32]) -> f32;
    /// The same for a row that has nothing below 0 and nothing above `largest`, which
    /// need be right only where the format has scales; its sums need no middles.
    #[inline(always)]
    fn convert_positive<S: Lanes>(s: S, row: &[f32], _largest: f32, words: &mut [u32]) -> f32 {
        Self::convert(s, row, words)
    }
    /// The groups that the words are.
    fn groups(words: &[u32]) -> &[Self::Group];
    /// What weights that are kept together are divided by.
    #[inline(always)]
    fn scale<S: Lanes>(_: S, _row: &[f32]) -> f32 {
        1.0
    }
    /// Writes columns of one lane of as many lines as they need, times `inverse`; the
    /// rest of the last line's become 0. Gives the sum of the integers written, 0 for
    /// other formats.
    fn put_lane<S: Lanes>(
        s: S,
        lines: &mut [[Self::Line; 2]],
        half: usize,
        lane: usize,
        columns: &[f32],
        inverse: f32,
    ) -> i32;
    /// Writes one column of all lanes, times `inverse`.
    fn put_column<S: Lanes>(
        s: S,
        line: &mut Self::Line,
        column: usize,
        lanes: &[f32; WIDTH],
        inverse: f32,
    );
}

/// Puts a row of weights, divided by its scale, into a lane of a block's lines, and tells the
/// sum of the integers of each piece.
#[inline(always)]
pub(crate) fn put_row<S: Lanes, E: Element>(
    s: S,
    lines: &mut [[E::Line; 2]],
    half: usize,
    lane: usize,
    row: &[f32],
    scale: f32,
    mut middle: impl FnMut(usize, i32),
) {
    let inverse = inverse(scale);
    let pieces = lines.chunks_mut(E::PIECE.div_ceil(E::GROUP));
    for (piece, (lines, columns)) in pieces.zip(row.chunks(E::PIECE)).enumerate() {
        middle(piece, E::put_lane(s, lines, half, lane, columns, inverse));
    }
}

/// One over a scale; 0 where it is 0, as it is for zeros alone.
#[inline(always)]
pub(crate) fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

/// Exact f32.
#[derive(Clone, Copy, Debug)]
pub struct F32;

impl Element for F32 {
    type Line = Line<[f32; 16]>;
    type Group = u32;
    type Sum<S: Lanes> = S::F;
    const GROUP: usize = 1;
    const WORDS: usize = 1;
    const SCALED: bool = false;
    const FORMAT: WeightFormat = WeightFormat::F32;

    #[inline(always)]
    fn zero<S: Lanes>(s: S) -> S::F {
        s.splat(0.0)
    }
    #[inline(always)]
    fn dot<S: Lanes>(s: S, sum: S::F, line: &Self::Line, x: &u32) -> S::F {
        s.mul_add(s.load(&line.0), s.splat(f32::from_bits(*x)), sum)
    }
    #[inline(always)]
    fn four<S: Lanes>(
        s: S,
        lines: &[[Self::Line; 2]],
        half: usize,
        x: &[u32],
        stride: usize,
        next: [Option<*const u32>; 2],
        sums: [S::F; 4],
    ) -> Option<[S::F; 4]> {
        let right = half_of(lines, half);
        s.multiply_four::<2>(x, [stride, 1], right, next, sums)
    }
    #[inline(always)]
    fn value<S: Lanes>(_: S, sum: S::F, _: &[i32; 16], _: i32) -> S::F {
        sum
    }
    #[inline(always)]
    fn convert<S: Lanes>(_: S, row: &[f32], words: &mut [u32]) -> f32 {
        for (word, x) in words.iter_mut().zip(row) {
            *word = x.to_bits();
        }
        1.0
    }
    #[inline(always)]
    fn groups(words: &[u32]) -> &[u32] {
        words
    }
    #[inline(always)]
    fn put_lane<S: Lanes>(
        _: S,
        lines: &mut [[Self::Line; 2]],
        half: usize,
        lane: usize,
        columns: &[f32],
        _: f32,
    ) -> i32 {
        for (line, x) in lines.iter_mut().zip(columns) {
            line[half].0[lane] = *x;
        }
        0
    }
    #[inline(always)]
    fn put_column<S: Lanes>(_: S, line: &mut Self::Line, _: usize, lanes: &[f32; WIDTH], _: f32) {
        line.0 = *lanes;
    }
}

/// The bits of lines from the first one's half `half` on, so that each second line is
/// such a half.
#[inline(always)]
fn half_of<T>(lines: &[[Line<T>; 2]], half: usize) -> &[[u32; WIDTH]]
where
    Line<T>: Zero,
{
    const { assert!(size_of::<Line<T>>() == 64) };
    // SAFETY: a line is sixteen words without padding, as `Zero` promises.
    let all = unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), 2 * lines.len()) };
    all.get(half..).unwrap_or_default()
}

/// The absolute value of each lane.
#[inline(always)]
fn magnitude<S: Lanes>(s: S, x: S::F) -> S::F {
    s.max(x, s.sub(s.splat(0.0), x))
}

/// The largest of the absolute values.
#[inline(always)]
pub(crate) fn largest_magnitude<S: Lanes>(s: S, row: &[f32]) -> f32 {
    let (lines, rest) = row.as_chunks::<16>();
    let mut largest = s.splat(0.0);
    for line in lines {
        largest = s.max(largest, magnitude(s, s.load(line)));
    }
    rest.iter().fold(s.largest(largest), |a, x| a.max(x.abs()))
}
