//! Eight-bit weights by integers of one byte or two.
//!
//! Weights are in -127..=127 with one scale a row, sums are exact. Dot-product
//! instructions take unsigned bytes on one side:
//! - Of an activation of one byte ([`Int8`]), `a` in -127..=127, `a + 128` is stored, and
//!   `sum(w a) = sum(w (a + 128)) - 128 sum(w)`. Where two products have to fit sixteen
//!   bits, 64 takes the place of 128, and where eight do, weights are scaled by the sums of
//!   eight of them.
//! - Of one of two bytes ([`Int8Fine`]), `a` in -32767..=32767, it is
//!   `a + 32768 = 256 high + low`, and
//!   `sum(w a) = 256 (sum(w high) - 128 sum(w)) + sum(w low)`. Where one product of sixteen
//!   bits is faster than two of bytes, `a` is stored as it is and `w + 128` in place of
//!   `w`, and `sum(w a) = sum((w + 128) a) - 128 sum(a)`.
//!
//! Activations of one byte have a scale for every 256 columns, so that a large value makes
//! only its neighbours coarse; others have one a row.

use super::{Element, Line, half_of, inverse, largest_magnitude, magnitude};
use crate::lanes::{Lanes, Next, WIDTH, load_part};
use crate::matrix::WeightFormat;

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
        go_on: bool,
        sums: &mut [[[S::I; BYTES]; 2]],
    ) -> usize {
        let is_there = if BYTES == 1 { S::NARROW } else { S::SIGNED };
        if !is_there {
            return 0;
        }
        if !go_on {
            sums.fill([Self::zero(s); 2]);
        }
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
    const TILED: bool = BYTES == 1;
    #[inline(always)]
    fn block<S: Lanes>(
        s: S,
        lines: &[[Self::Line; 2]],
        (x, stride): (&[[u32; BYTES]], usize),
        next: Next,
        go_on: bool,
        sums: &mut [[[S::I; BYTES]; 2]],
    ) {
        let right = &half_of(lines, 0)[..2 * lines.len()];
        let (sums, _) = sums.as_flattened_mut().as_flattened_mut().as_chunks_mut();
        s.multiply_block_of_bytes((x.as_flattened(), stride), right, next, go_on, sums);
    }
    #[inline(always)]
    fn value<S: Lanes>(s: S, sums: [S::I; BYTES], middles: &[i32; 16], excess: i32) -> S::F {
        match BYTES {
            1 => s.to_f32(s.less_middles(sums[0], middles)),
            _ => s.fine([sums[0], sums[BYTES - 1]], middles, excess),
        }
    }
    #[inline(always)]
    fn has_middles<S: Lanes>() -> bool {
        !unsigned::<S, BYTES>()
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
