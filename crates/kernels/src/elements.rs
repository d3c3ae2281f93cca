//! How weights (and cached keys and values) are stored and multiplied.
//!
//! A *line* is 64 bytes: sixteen rows by `Element::GROUP` columns, the columns
//! of a row side by side: `line[lane * GROUP + column]`. A *group* is that many
//! columns of one row of activations, which every lane of a line multiplies.
//!
//! - [`F32`]: one column a line; exact f32.
//! - [`Bf16`]: two columns; products of bf16 by bf16, sums in f32.
//! - [`Integers`]: four columns; weights are integers in -127..=127 with one scale
//!   a row, activations integers with a scale, sums are exact integers. The
//!   dot-product instruction takes unsigned bytes. So of an activation of one
//!   byte ([`Int8`]), `a` in -127..=127, `a + 128` is stored, and
//!   `sum(w a) = sum(w (a + 128)) - 128 sum(w)`; where two products have to fit
//!   sixteen bits, 64 takes the place of 128, and where eight do, weights are scaled by
//!   the sums of eight of them. Of an activation of two bytes
//!   ([`Int8Fine`]), `a` in -32767..=32767, it is `a + 32768 = 256 high + low`, and
//!   `sum(w a) = 256 (sum(w high) - 128 sum(w)) + sum(w low)`; where one product of sixteen
//!   bits is faster than two of bytes, `a` is stored as it is and `w + 128` in place of `w`,
//!   and `sum(w a) = sum((w + 128) a) - 128 sum(a)`.
//!
//! Activations of one byte have a scale for every 256 columns, so that a large
//! value makes only its neighbours coarse; other formats have one a row.

use crate::lanes::{Lanes, WIDTH, f32_to_bf16, load_part};
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
    /// of `lines`, and adds to `sums`. Meanwhile, with each two rows, asks for the memory at
    /// `next`, a line of the cache for each group, so many bytes apart. Gives how many groups
    /// were taken: none where the format or the instruction set has no such kernel.
    #[inline(always)]
    fn twos<S: Lanes>(
        _: S,
        _lines: &[[Self::Line; 2]],
        _x: &[Self::Group],
        _stride: usize,
        _next: (*const u8, usize),
        _sums: &mut [[Self::Sum<S>; 2]],
    ) -> usize {
        0
    }
    /// The sums in f32, before scales. `middles` are the row sums of the integer
    /// weights over the columns that were summed, 0 for other formats; `excess` is
    /// [that](Element::excess) of the activations.
    fn value<S: Lanes>(s: S, sum: Self::Sum<S>, middles: &[i32; 16], excess: i32) -> S::F;
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

/// Puts a row of weights into a lane of a block's lines. Gives the row's scale
/// and tells the sum of the integers of each piece.
#[inline(always)]
pub(crate) fn put_row<S: Lanes, E: Element>(
    s: S,
    lines: &mut [[E::Line; 2]],
    half: usize,
    lane: usize,
    row: &[f32],
    mut middle: impl FnMut(usize, i32),
) -> f32 {
    let scale = E::scale(s, row);
    let inverse = inverse(scale);
    let pieces = lines.chunks_mut(E::PIECE.div_ceil(E::GROUP));
    for (piece, (lines, columns)) in pieces.zip(row.chunks(E::PIECE)).enumerate() {
        middle(piece, E::put_lane(s, lines, half, lane, columns, inverse));
    }
    scale
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

/// Products of bf16, sums in f32.
#[derive(Clone, Copy, Debug)]
pub struct Bf16;

impl Element for Bf16 {
    type Line = Line<[u16; 32]>;
    type Group = u32;
    type Sum<S: Lanes> = S::F;
    const GROUP: usize = 2;
    const WORDS: usize = 1;
    const SCALED: bool = false;
    const FORMAT: WeightFormat = WeightFormat::Bf16;

    #[inline(always)]
    fn zero<S: Lanes>(s: S) -> S::F {
        s.splat(0.0)
    }
    #[inline(always)]
    fn dot<S: Lanes>(s: S, sum: S::F, line: &Self::Line, x: &u32) -> S::F {
        s.dot_bf16(sum, &line.0, *x)
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
        s.multiply_four_pairs(x, stride, right, next, sums)
    }
    #[inline(always)]
    fn value<S: Lanes>(_: S, sum: S::F, _: &[i32; 16], _: i32) -> S::F {
        sum
    }
    #[inline(always)]
    fn convert<S: Lanes>(s: S, row: &[f32], words: &mut [u32]) -> f32 {
        let (lines, rest) = row.as_chunks::<WIDTH>();
        let pairs = words.as_chunks_mut().0;
        for (out, line) in pairs.iter_mut().zip(lines) {
            s.narrow_line(s.load(line), out);
        }
        if !rest.is_empty() {
            let mut out = [0; WIDTH / 2];
            s.narrow_line(load_part(s, rest), &mut out);
            let words = &mut words[lines.len() * out.len()..][..rest.len().div_ceil(2)];
            words.copy_from_slice(&out[..words.len()]);
        }
        1.0
    }
    #[inline(always)]
    fn groups(words: &[u32]) -> &[u32] {
        words
    }
    #[inline(always)]
    fn put_lane<S: Lanes>(
        s: S,
        lines: &mut [[Self::Line; 2]],
        half: usize,
        lane: usize,
        columns: &[f32],
        _: f32,
    ) -> i32 {
        let pairs = lines.chunks_mut(WIDTH / 2);
        for (lines, columns) in pairs.zip(columns.chunks(WIDTH)) {
            let mut words = [0; WIDTH / 2];
            s.narrow_line(load_part(s, columns), &mut words);
            for (line, word) in lines.iter_mut().zip(words) {
                line[half].0.as_chunks_mut().0[lane] = [word as u16, (word >> 16) as u16];
            }
        }
        0
    }
    #[inline(always)]
    fn put_column<S: Lanes>(
        _: S,
        line: &mut Self::Line,
        column: usize,
        lanes: &[f32; WIDTH],
        _: f32,
    ) {
        for (pair, x) in line.0.as_chunks_mut::<2>().0.iter_mut().zip(lanes) {
            pair[column] = f32_to_bf16(*x);
        }
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

/// Eight-bit weights by activations of so many bytes, sums in integers.
#[derive(Clone, Copy, Debug)]
pub struct Integers<const BYTES: usize>;

/// What weights are multiplied with.
pub type Int8 = Integers<1>;
/// What keys and values are multiplied with: of the weights of a softmax few are
/// near the largest.
pub type Int8Fine = Integers<2>;

impl<const BYTES: usize> Element for Integers<BYTES> {
    type Line = Line<[i8; 64]>;
    /// The highest bytes of four columns, then the lower ones.
    type Group = [u32; BYTES];
    type Sum<S: Lanes> = [S::I; BYTES];
    const GROUP: usize = 4;
    const WORDS: usize = BYTES;
    const PIECE: usize = if BYTES == 1 { 256 } else { usize::MAX };
    const SCALED: bool = true;
    const FORMAT: WeightFormat = WeightFormat::Int8;

    #[inline(always)]
    fn zero<S: Lanes>(s: S) -> [S::I; BYTES] {
        [s.splat_i32(0); BYTES]
    }
    #[inline(always)]
    fn dot<S: Lanes>(
        s: S,
        mut sums: [S::I; BYTES],
        line: &Self::Line,
        x: &[u32; BYTES],
    ) -> [S::I; BYTES] {
        let last = BYTES - 1;
        if last == 0 {
            sums[0] = s.dot_i8(sums[0], &line.0, x[0]);
        } else {
            [sums[0], sums[last]] = s.dot_fine([sums[0], sums[last]], &line.0, &[x[0], x[last]]);
        }
        sums
    }
    #[inline(always)]
    fn twos<S: Lanes>(
        s: S,
        lines: &[[Self::Line; 2]],
        x: &[[u32; BYTES]],
        stride: usize,
        next: (*const u8, usize),
        sums: &mut [[[S::I; BYTES]; 2]],
    ) -> usize {
        let (x, right) = (x.as_flattened(), &half_of(lines, 0)[..2 * lines.len()]);
        let sums = sums.as_flattened_mut().as_flattened_mut();
        match BYTES {
            1 => s.multiply_twos_of_bytes(x, stride, right, next, sums),
            _ => {
                let sums = sums.as_chunks_mut().0;
                s.multiply_twos_of_shorts(x, BYTES * stride, right, next, sums)
            }
        }
    }
    #[inline(always)]
    fn value<S: Lanes>(s: S, sums: [S::I; BYTES], middles: &[i32; 16], excess: i32) -> S::F {
        match BYTES {
            1 => s.to_f32(s.less_middles(sums[0], middles)),
            _ => s.fine([sums[0], sums[BYTES - 1]], middles, excess),
        }
    }
    #[inline(always)]
    fn excess<S: Lanes>(_: S, words: &[u32]) -> i32 {
        if !unsigned::<S, BYTES>() {
            return 0;
        }
        let halves = |word: &u32| i32::from(*word as i16) + i32::from((word >> 16) as i16);
        let sum = words.iter().map(halves).fold(0, i32::wrapping_add);
        sum.wrapping_mul(128)
    }
    #[inline(always)]
    fn registers<S: Lanes>() -> usize {
        if S::SIGNED { 1 } else { BYTES }
    }
    #[inline(always)]
    fn convert<S: Lanes>(s: S, row: &[f32], words: &mut [u32]) -> f32 {
        let (most, offset) = range::<S, BYTES>(row.len());
        let scale = largest_magnitude(s, row) / most as f32;
        integers::<S, BYTES>(s, row, inverse(scale), offset, words);
        scale
    }
    #[inline(always)]
    fn convert_positive<S: Lanes>(s: S, row: &[f32], largest: f32, words: &mut [u32]) -> f32 {
        let (most, offset) = range::<S, BYTES>(row.len());
        let most = most + offset;
        let scale = largest / most as f32;
        integers::<S, BYTES>(s, row, inverse(scale), 0, words);
        scale
    }
    #[inline(always)]
    fn groups(words: &[u32]) -> &[[u32; BYTES]] {
        words.as_chunks().0
    }
    #[inline(always)]
    fn scale<S: Lanes>(s: S, row: &[f32]) -> f32 {
        let scale = largest_magnitude(s, row) / 127.0;
        match BYTES == 1 && S::NARROW {
            true => scale.max(largest_of_eight(s, row) / EIGHT),
            false => scale,
        }
    }
    #[inline(always)]
    fn put_lane<S: Lanes>(
        s: S,
        lines: &mut [[Self::Line; 2]],
        half: usize,
        lane: usize,
        columns: &[f32],
        inverse: f32,
    ) -> i32 {
        let (inverse, mut sums) = (s.splat(inverse), s.splat(0.0));
        let turn = if unsigned::<S, BYTES>() {
            0x8080_8080
        } else {
            0
        };
        let fours = lines.chunks_mut(WIDTH / 4);
        for (lines, columns) in fours.zip(columns.chunks(WIDTH)) {
            let values = s.mul(load_part(s, columns), inverse);
            sums = s.add(sums, s.round(values));
            let mut words = [0; WIDTH / 2];
            s.bytes(values, 0, &mut words);
            for (line, [_, low]) in lines.iter_mut().zip(words.as_chunks().0) {
                let bytes = (low ^ turn).to_le_bytes();
                line[half].0.as_chunks_mut().0[lane] = bytes.map(|x| x as i8);
            }
        }
        s.sum(sums) as i32
    }
    #[inline(always)]
    fn put_column<S: Lanes>(
        _: S,
        line: &mut Self::Line,
        column: usize,
        lanes: &[f32; WIDTH],
        inverse: f32,
    ) {
        // As words, so that all lanes are read, changed and written together.
        let shift = 8 * column;
        let turn = if unsigned::<S, BYTES>() { 0x80 } else { 0 };
        for (four, x) in line.0.as_chunks_mut::<4>().0.iter_mut().zip(lanes) {
            let others = u32::from_le_bytes(four.map(|x| x as u8)) & !(0xff << shift);
            let byte = u32::from(nearest(x * inverse) as u8) ^ turn;
            let word = others | byte << shift;
            *four = word.to_le_bytes().map(|x| x as i8);
        }
    }
}

/// Whether weights are kept as unsigned integers, 128 more.
#[inline(always)]
fn unsigned<S: Lanes, const BYTES: usize>() -> bool {
    BYTES == 2 && S::SIGNED
}

/// The largest integer of `BYTES` bytes of which `columns` can be summed, and what is
/// added to it: see [`Lanes::MIDDLE`] and [`Lanes::dot_fine`].
#[inline(always)]
fn range<S: Lanes, const BYTES: usize>(columns: usize) -> (u32, u32) {
    match BYTES {
        1 => (S::MIDDLE - 1, S::MIDDLE),
        _ if S::SIGNED => (32_767.min((1 << 24) / columns.max(1) as u32), 0),
        _ => (32_767, 32_768),
    }
}

/// What the magnitudes of eight weights may sum to before they are rounded, which adds
/// four at most, where their products have to fit sixteen bits: `127 * 258 < 2^15`.
const EIGHT: f32 = 254.0;

/// The largest sum of the magnitudes of eight weights whose products
/// [`Lanes::multiply_twos_of_bytes`] sums in sixteen bits: of each 64 columns, two side by
/// side and those 16, 32 and 48 columns from them.
#[inline(always)]
fn largest_of_eight<S: Lanes>(s: S, row: &[f32]) -> f32 {
    let mut largest = 0.0_f32;
    for columns in row.chunks(4 * WIDTH) {
        let (mut sums, mut out) = (s.splat(0.0), [0.0; WIDTH]);
        for line in columns.chunks(WIDTH) {
            sums = s.add(sums, magnitude(s, load_part(s, line)));
        }
        s.store(sums, &mut out);
        for [a, b] in out.as_chunks().0 {
            largest = largest.max(a + b);
        }
    }
    largest
}

/// The nearest integer of a value in -128..=127, ties to even.
#[inline(always)]
fn nearest(x: f32) -> i8 {
    // Adding 1.5 * 2^23 leaves the rounded integer in the low bits.
    (x + 12_582_912.0).to_bits() as i8
}

/// The lowest `BYTES` (1 or 2) bytes of `offset` more than the values times `inverse`,
/// four values a group: their higher bytes first, but two bytes that are
/// [signed](Lanes::SIGNED) stay together, as [`Lanes::shorts`] says.
#[inline(always)]
fn integers<S: Lanes, const BYTES: usize>(
    s: S,
    row: &[f32],
    inverse: f32,
    offset: u32,
    words: &mut [u32],
) {
    let inverse = s.splat(inverse);
    let groups = words.as_chunks_mut::<BYTES>().0;
    for (groups, line) in groups.chunks_mut(WIDTH / 4).zip(row.chunks(WIDTH)) {
        let (mut both, values) = ([0; WIDTH / 2], s.mul(load_part(s, line), inverse));
        match BYTES == 2 && S::SIGNED {
            true => s.shorts(values, &mut both),
            false => s.bytes(values, offset, &mut both),
        }
        let both = both.as_chunks::<2>().0;
        if let Some(groups) = groups.first_chunk_mut::<{ WIDTH / 4 }>() {
            for (group, both) in groups.iter_mut().zip(both) {
                group.copy_from_slice(&both[2 - BYTES..]);
            }
        } else {
            for (group, both) in groups.iter_mut().zip(both) {
                group.copy_from_slice(&both[2 - BYTES..]);
            }
        }
    }
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
