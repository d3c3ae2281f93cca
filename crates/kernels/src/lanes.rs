//! Sixteen f32 lanes: the vocabulary in which all kernels are written.
//!
//! A value of a type that implements [`Lanes`] is a token: it exists only where
//! its instruction set was detected (see [`crate::Isa`]), so its methods can be
//! safe.

use crate::training::tile::TileRow;

/// Lanes of one vector, on every instruction set.
pub const WIDTH: usize = 16;

/// What is asked for while lines are multiplied, as it will be read soon after.
#[derive(Clone, Copy, Debug)]
pub enum Next {
    /// Nothing.
    Nothing,
    /// The memory from an address on, as many lines of the cache as are multiplied.
    All(*const u8),
    /// The same, an eighth as many lines; only for [tiles](Lanes::TILED).
    Eighth(*const u8),
}

impl Next {
    /// As much as is multiplied, from the first of `values` on.
    #[inline(always)]
    pub(crate) fn all<T>(values: Option<&[T]>) -> Self {
        values.map_or(Self::Nothing, |values| Self::All(values.as_ptr().cast()))
    }

    /// Where all begins that is asked for.
    #[inline(always)]
    pub(crate) fn start(self) -> Option<*const u8> {
        match self {
            Self::All(start) => Some(start),
            _ => None,
        }
    }
}

/// Arithmetic on sixteen f32 or i32 lanes.
pub trait Lanes: Copy + Send + Sync {
    /// Sixteen f32.
    type F: Copy;
    /// Sixteen i32.
    type I: Copy;
    /// How many rows of activations a product takes at once: two accumulators
    /// each have to stay in registers.
    const TILE: usize;
    /// Rows of a tile of training's products: `HEIGHT * LINES` sums have to stay
    /// in registers. 4 or 8, or 16 of [tiles](Self::TILED).
    const HEIGHT: usize;
    /// Lines of sixteen columns of such a tile: 1 or 3.
    const LINES: usize;
    /// Rows of the highest tile, of a left operand that is not panels. Even.
    const TALL: usize = Self::HEIGHT;
    /// Whether whole tiles of pairs are multiplied by an instruction of their own, see
    /// [`multiply_tiles`](Self::multiply_tiles). All other kernels are for the
    /// set without tiles.
    const TILED: bool = false;

    /// `out[row][column] = sum over k of left[row][k] . right[k][column]` for cells of pairs
    /// of bf16: `height` rows, 16 or 32, of `left` as it lies with so many cells from row to
    /// row, by so many lines of sixteen columns, one to three, of `right`, `[k, lines, 16]`.
    /// Sums are f32; numbers too small to be normal are zeros. Meanwhile asks for `next`, a
    /// quarter of a line of the cache for each of `right` and sixteen rows. Panics where the
    /// set is not [tiled](Self::TILED), where the kernel did not tell 32 rows
    /// ([`tiled`](crate::isa::Kernel::tiled)), and when the left operand is too short.
    fn multiply_tiles(
        self,
        _left: (&[u32], usize),
        _height: usize,
        _right: (&[u32], usize),
        _next: Option<&[u32]>,
        _out: &mut [TileRow],
    ) {
        unreachable!("this instruction set has no tiles");
    }
    /// Sums of the products of rows of pairs of bf16, with so many words from row to row, by
    /// two lines of `right` for each word. `sums` are of no more rows than the kernel told
    /// ([`tiled`](crate::isa::Kernel::tiled)), at most sixteen, and go on from what they are, or
    /// begin anew; as many as it told have to be there in `left`. Bits do not depend on how many
    /// rows there are, nor on where words are cut, at multiples of sixteen. Meanwhile asks for
    /// what is `next`. Panics as [`multiply_tiles`](Self::multiply_tiles) does.
    fn multiply_block_of_pairs(
        self,
        _left: (&[u32], usize),
        _right: &[[u32; WIDTH]],
        _next: Next,
        _go_on: bool,
        _sums: &mut [[Self::F; 2]],
    ) {
        unreachable!("this instruction set has no tiles");
    }
    /// [`multiply_block_of_pairs`](Self::multiply_block_of_pairs) of four unsigned bytes a
    /// word by signed ones; sums are exact, but wrap.
    fn multiply_block_of_bytes(
        self,
        _left: (&[u32], usize),
        _right: &[[u32; WIDTH]],
        _next: Next,
        _go_on: bool,
        _sums: &mut [[Self::I; 2]],
    ) {
        unreachable!("this instruction set has no tiles");
    }

    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::F;
    /// Reads sixteen values.
    fn load(self, x: &[f32; WIDTH]) -> Self::F;
    /// Writes sixteen values.
    fn store(self, v: Self::F, out: &mut [f32; WIDTH]);
    /// `a + b`.
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a - b`.
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b`.
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a / b`.
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// The larger of `a` and `b`.
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// The smaller of `a` and `b`.
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, rounded once where the instruction set has it.
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// Square root.
    #[inline(always)]
    fn sqrt(self, a: Self::F) -> Self::F {
        let mut values = [0.0; WIDTH];
        self.store(a, &mut values);
        self.load(&values.map(f32::sqrt))
    }
    /// To the nearest integer, ties to even.
    fn round(self, a: Self::F) -> Self::F;
    /// `a 2^n` for integers `n` in -126..=127.
    fn times_power(self, a: Self::F, n: Self::F) -> Self::F;
    /// One over `a`, with a relative error of at most 1e-4.
    #[inline(always)]
    fn reciprocal(self, a: Self::F) -> Self::F {
        self.div(self.splat(1.0), a)
    }
    /// `y` where `x >= limit`, else 0.
    fn keep_from(self, y: Self::F, x: Self::F, limit: f32) -> Self::F;

    /// `acc[lane] + w[2 lane] * x[0] + w[2 lane + 1] * x[1]`, where `w` and the
    /// two halves of `x` (low half first) are bf16 and the sum is f32.
    fn dot_bf16(self, acc: Self::F, w: &[u16; 32], x: u32) -> Self::F;
    /// Whether activations of bf16 are kept as f32, for [`dot_wide`](Self::dot_wide).
    const WIDE: bool = false;
    /// [`dot_bf16`](Self::dot_bf16) where the halves of `x` are the bits of f32 values that
    /// bf16 can hold.
    #[inline(always)]
    fn dot_wide(self, acc: Self::F, w: &[u16; 32], x: &[u32; 2]) -> Self::F {
        self.dot_bf16(acc, w, x[0] >> 16 | x[1])
    }

    /// [`load`](Self::load) of the bits of f32 values.
    #[inline(always)]
    fn load_bits(self, x: &[u32; WIDTH]) -> Self::F {
        self.load(&x.map(f32::from_bits))
    }
    /// [`store`](Self::store) as bits.
    #[inline(always)]
    fn store_bits(self, v: Self::F, out: &mut [u32; WIDTH]) {
        let mut values = [0.0; WIDTH];
        self.store(v, &mut values);
        *out = values.map(f32::to_bits);
    }
    /// `acc[lane] + w[lane] . x`, where `w[lane]` and `x` are pairs of bf16 (the
    /// first in the low half) and the sum is f32.
    #[inline(always)]
    fn dot_pairs(self, acc: Self::F, w: &[u32; WIDTH], x: u32) -> Self::F {
        let low = self.load(&w.map(|w| bf16_to_f32(w as u16)));
        let high = self.load(&w.map(|w| bf16_to_f32((w >> 16) as u16)));
        let sum = self.mul_add(low, self.splat(bf16_to_f32(x as u16)), acc);
        self.mul_add(high, self.splat(bf16_to_f32((x >> 16) as u16)), sum)
    }
    /// Pairs of bf16: `low[lane]` with `high[lane]`.
    #[inline(always)]
    fn pair(self, low: Self::F, high: Self::F, out: &mut [u32; WIDTH]) {
        let (mut a, mut b) = ([0.0; WIDTH], [0.0; WIDTH]);
        self.store(low, &mut a);
        self.store(high, &mut b);
        *out = std::array::from_fn(|i| {
            u32::from(f32_to_bf16(a[i])) | u32::from(f32_to_bf16(b[i])) << 16
        });
    }
    /// Pairs of bf16: each of `low` with the one in the same place of `high`.
    #[inline(always)]
    fn pair_narrow(self, low: &[u32; WIDTH / 2], high: &[u32; WIDTH / 2], out: &mut [u32; WIDTH]) {
        let pairs = out.as_chunks_mut().0;
        for ([first, second], (low, high)) in pairs.iter_mut().zip(low.iter().zip(high)) {
            *first = low & 0xffff | high << 16;
            *second = low >> 16 | high & 0xffff_0000;
        }
    }
    /// Pairs of bf16 of the lanes, which follow one another.
    #[inline(always)]
    fn narrow_line(self, v: Self::F, out: &mut [u32; WIDTH / 2]) {
        let mut values = [0.0; WIDTH];
        self.store(v, &mut values);
        *out = std::array::from_fn(|i| {
            let (low, high) = (values[2 * i], values[2 * i + 1]);
            u32::from(f32_to_bf16(low)) | u32::from(f32_to_bf16(high)) << 16
        });
    }
    /// [`narrow_line`](Self::narrow_line) of two lines, one behind the other.
    #[inline(always)]
    fn narrow_lines(self, first: Self::F, second: Self::F, out: &mut [u32; WIDTH]) {
        let halves = out.as_chunks_mut().0;
        self.narrow_line(first, &mut halves[0]);
        self.narrow_line(second, &mut halves[1]);
    }
    /// The values of [`narrow_line`](Self::narrow_line).
    #[inline(always)]
    fn widen_line(self, pairs: &[u32; WIDTH / 2]) -> Self::F {
        self.load(&std::array::from_fn(|i| {
            bf16_to_f32((pairs[i / 2] >> (16 * (i % 2))) as u16)
        }))
    }
    /// Integers of sixteen bits, the nearest to `a` and `offset` more, ties to even:
    /// for each four lanes a word of their high bytes, the first lowest, and one of
    /// their low bytes. `|a| < 2^22`.
    #[inline(always)]
    fn bytes(self, a: Self::F, offset: u32, out: &mut [u32; WIDTH / 2]) {
        let mut values = [0.0; WIDTH];
        self.store(a, &mut values);
        let fours = values.as_chunks::<4>().0;
        for (words, four) in out.as_chunks_mut().0.iter_mut().zip(fours) {
            // Adding 1.5 * 2^23 leaves the rounded integer in the low bits.
            let bits = four.map(|x| (x + 12_582_912.0).to_bits().wrapping_add(offset));
            let word = |byte: u32| u32::from_le_bytes(bits.map(|b| (b >> (8 * byte)) as u8));
            *words = [word(1), word(0)];
        }
    }
    /// Signed integers of sixteen bits, the nearest to `a`, ties to even: for each four
    /// lanes a word of the first and third, the first lowest, and one of the others.
    /// `|a| < 2^15`.
    #[inline(always)]
    fn shorts(self, a: Self::F, out: &mut [u32; WIDTH / 2]) {
        let mut values = [0.0; WIDTH];
        self.store(a, &mut values);
        let fours = values.as_chunks::<4>().0;
        for (words, four) in out.as_chunks_mut().0.iter_mut().zip(fours) {
            let [a, b, c, d] = four.map(|x| (x + 12_582_912.0).to_bits() & 0xffff);
            *words = [a | c << 16, b | d << 16];
        }
    }
    /// Each lane rounded to bf16, as [`f32_to_bf16`] does.
    #[inline(always)]
    fn round_to_bf16(self, a: Self::F) -> Self::F {
        let mut values = [0.0; WIDTH];
        self.store(a, &mut values);
        for value in &mut values {
            *value = bf16_to_f32(f32_to_bf16(*value));
        }
        self.load(&values)
    }
    /// Turns rows into columns.
    #[inline(always)]
    fn transpose(self, block: &mut [[u32; WIDTH]; WIDTH]) {
        let rows = *block;
        for (i, column) in block.iter_mut().enumerate() {
            *column = std::array::from_fn(|j| rows[j][i]);
        }
    }
    /// `y` where [`scramble`] of `words[lane] ^ word` is at least `threshold`,
    /// else 0.
    #[inline(always)]
    fn keep_scrambled(
        self,
        y: Self::F,
        words: &[u32; WIDTH],
        word: u32,
        threshold: u32,
    ) -> Self::F {
        let mut values = [0.0; WIDTH];
        self.store(y, &mut values);
        for (value, x) in values.iter_mut().zip(words) {
            if scramble(x ^ word) < threshold {
                *value = 0.0;
            }
        }
        self.load(&values)
    }

    /// Adds to sums the products of four rows of f32 by each `STEP`th line of
    /// `right`, from the first on, all given as bits: with `i` counting these lines
    /// `left[row * row_step + i * k_step] * right[i * STEP][lane]`. Meanwhile asks for
    /// the memory where both of `next` begin, of each two lines of the cache for
    /// every eight `i`, and with a `k_step` of 4 one line of the first. Panics when `left`
    /// is too short. `None` where what the compiler makes of [`mul_add`](Self::mul_add)
    /// is as fast, or for another `k_step`.
    #[inline(always)]
    fn multiply_four<const STEP: usize>(
        self,
        _left: &[u32],
        _steps: [usize; 2],
        _right: &[[u32; WIDTH]],
        _next: [Option<*const u32>; 2],
        _sums: [Self::F; 4],
    ) -> Option<[Self::F; 4]> {
        None
    }
    /// [`multiply_four`](Self::multiply_four) of six rows, by each line. Asks for
    /// two lines of the one `next`.
    #[inline(always)]
    fn multiply_six(
        self,
        _left: &[u32],
        _steps: [usize; 2],
        _right: &[[u32; WIDTH]],
        _next: Option<*const u32>,
        _sums: [Self::F; 6],
    ) -> Option<[Self::F; 6]> {
        None
    }
    /// [`multiply_four`](Self::multiply_four) of f32 values, each two of which belong to a
    /// line of pairs of bf16, by each second line.
    #[inline(always)]
    fn multiply_four_wide(
        self,
        _left: &[u32],
        _row_step: usize,
        _right: &[[u32; WIDTH]],
        _next: [Option<*const u32>; 2],
        _sums: [Self::F; 4],
    ) -> Option<[Self::F; 4]> {
        None
    }

    /// Whether [`multiply_twos_of_bytes`](Self::multiply_twos_of_bytes) sums eight products in
    /// sixteen bits, and weights are to be scaled so that they fit.
    const NARROW: bool = false;
    /// Adds to `sums`, two a row, the products of rows of bytes, `row_step` apart, by lines
    /// of `right`, two for each four bytes, as [`dot_i8`](Self::dot_i8) does for each; always
    /// for two rows together, and not for a last single one. Meanwhile asks for the memory at
    /// `next`, for each two rows a line of the cache for each four bytes of a row, so many
    /// bytes apart. Gives how many fours were taken: as many sixteens as there are, or none.
    /// Of each sixteen, the magnitudes of the first two weights of a lane, or the last two,
    /// in four that are four apart may sum to 258. Panics when `left` is too short.
    #[inline(always)]
    fn multiply_twos_of_bytes(
        self,
        _left: &[u32],
        _row_step: usize,
        _right: &[[u32; WIDTH]],
        _next: (*const u8, usize),
        _sums: &mut [Self::I],
    ) -> usize {
        0
    }

    /// [`multiply_twos_of_bytes`](Self::multiply_twos_of_bytes) of integers of two bytes, as
    /// [`dot_fine`](Self::dot_fine) does for each four, of which there are two words in
    /// `left`; only where they are [signed](Self::SIGNED). Takes as many twos of fours as
    /// there are, or none.
    #[inline(always)]
    fn multiply_twos_of_shorts(
        self,
        _left: &[u32],
        _row_step: usize,
        _right: &[[u32; WIDTH]],
        _next: (*const u8, usize),
        _sums: &mut [[Self::I; 2]],
    ) -> usize {
        0
    }

    /// All lanes `x`.
    fn splat_i32(self, x: i32) -> Self::I;
    /// What an integer of one byte, at least `1 - MIDDLE`, becomes larger by, so that it
    /// is unsigned: the half of a byte, or of as much of it as
    /// [`dot_i8`](Self::dot_i8) can take.
    const MIDDLE: u32 = 128;
    /// Whether [`dot_fine`](Self::dot_fine) takes signed integers of two bytes and unsigned
    /// weights, which are 128 more, in place of the other way round. Then only the first of
    /// its sums is one.
    const SIGNED: bool = false;
    /// `acc[lane] + sum of w[4 lane + i] * x[i]` over the four bytes of `x`, low byte
    /// first, unsigned and less than twice [`MIDDLE`](Self::MIDDLE). No `w` is -128.
    /// Wraps.
    fn dot_i8(self, acc: Self::I, w: &[i8; 64], x: u32) -> Self::I;
    /// Adds to `sums` what [`fine`](Self::fine) makes
    /// `sum of w[4 lane + i] * x[i]` of, where `x` is four integers of sixteen bits: where
    /// they are [signed](Self::SIGNED) as [`shorts`](Self::shorts) writes them, of `n` that
    /// are summed each at most `2^24 / n`, else as [`bytes`](Self::bytes) does.
    #[inline(always)]
    fn dot_fine(self, sums: [Self::I; 2], w: &[i8; 64], x: &[u32; 2]) -> [Self::I; 2] {
        [self.dot_i8(sums[0], w, x[0]), self.dot_i8(sums[1], w, x[1])]
    }
    /// The sums of [`dot_fine`](Self::dot_fine), less `256 * 128` times `middles`, or where
    /// integers are [signed](Self::SIGNED) less `excess`.
    #[inline(always)]
    fn fine(self, sums: [Self::I; 2], middles: &[i32; WIDTH], _excess: i32) -> Self::F {
        let high = self.to_f32(self.less_middles(sums[0], middles));
        self.mul_add(high, self.splat(256.0), self.to_f32(sums[1]))
    }
    /// `a` less [`MIDDLE`](Self::MIDDLE) times `middles`, wrapping.
    fn less_middles(self, a: Self::I, middles: &[i32; WIDTH]) -> Self::I;
    /// The nearest f32 of each lane.
    fn to_f32(self, a: Self::I) -> Self::F;

    /// Asks for the cache line of an address that will be read soon. A hint:
    /// the address need not be readable.
    #[inline(always)]
    fn prefetch<T>(self, _address: *const T) {}

    /// The sum of the lanes, pairwise: `i` with `i + 8`, then 4, 2, 1.
    #[inline(always)]
    fn sum(self, a: Self::F) -> f32 {
        let mut v = [0.0; WIDTH];
        self.store(a, &mut v);
        let v: [f32; 8] = std::array::from_fn(|i| v[i] + v[i + 8]);
        let v: [f32; 4] = std::array::from_fn(|i| v[i] + v[i + 4]);
        (v[0] + v[2]) + (v[1] + v[3])
    }

    /// The largest lane.
    #[inline(always)]
    fn largest(self, a: Self::F) -> f32 {
        let mut v = [0.0; WIDTH];
        self.store(a, &mut v);
        v.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}

/// The first sixteen of `values`; zeros for those that do not exist.
#[inline(always)]
pub(crate) fn load_part<S: Lanes>(s: S, values: &[f32]) -> S::F {
    match values.first_chunk() {
        Some(line) => s.load(line),
        None => {
            let mut line = [0.0; WIDTH];
            line[..values.len()].copy_from_slice(values);
            s.load(&line)
        }
    }
}

/// A multiplicative hash of 32 bits whose constants are Chris Wellons's
/// lowbias32.
#[inline(always)]
pub fn scramble(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// The f32 of a bf16.
#[inline(always)]
pub fn bf16_to_f32(x: u16) -> f32 {
    f32::from_bits(u32::from(x) << 16)
}

/// The bf16 nearest to `x`, ties to even; not a number stays not a number.
#[inline(always)]
pub fn f32_to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

/// Plain Rust: the twin of every other instruction set, and what targets
/// without one of their own run.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

/// Applies `f` to each lane.
#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> [f32; WIDTH] {
    std::array::from_fn(f)
}

impl Lanes for Plain {
    type F = [f32; WIDTH];
    type I = [i32; WIDTH];
    const TILE: usize = 4;
    const HEIGHT: usize = 4;
    const LINES: usize = 1;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F {
        [x; WIDTH]
    }
    #[inline(always)]
    fn load(self, x: &[f32; WIDTH]) -> Self::F {
        *x
    }
    #[inline(always)]
    fn store(self, v: Self::F, out: &mut [f32; WIDTH]) {
        *out = v;
    }
    #[inline(always)]
    fn add(self, a: Self::F, b: Self::F) -> Self::F {
        each(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: Self::F, b: Self::F) -> Self::F {
        each(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: Self::F, b: Self::F) -> Self::F {
        each(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: Self::F, b: Self::F) -> Self::F {
        each(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn max(self, a: Self::F, b: Self::F) -> Self::F {
        each(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(self, a: Self::F, b: Self::F) -> Self::F {
        each(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        if cfg!(target_arch = "aarch64") {
            each(|i| a[i].mul_add(b[i], c[i]))
        } else {
            each(|i| a[i] * b[i] + c[i])
        }
    }
    #[inline(always)]
    fn round(self, a: Self::F) -> Self::F {
        // Adding and taking away 1.5 * 2^23 rounds |a| < 2^22 to even.
        const SHIFT: f32 = 12_582_912.0;
        each(|i| (a[i] + SHIFT) - SHIFT)
    }
    #[inline(always)]
    fn times_power(self, a: Self::F, n: Self::F) -> Self::F {
        each(|i| a[i] * f32::from_bits(((n[i] as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    fn keep_from(self, y: Self::F, x: Self::F, limit: f32) -> Self::F {
        each(|i| if x[i] >= limit { y[i] } else { 0.0 })
    }
    #[inline(always)]
    fn dot_bf16(self, acc: Self::F, w: &[u16; 32], x: u32) -> Self::F {
        let (low, high) = (bf16_to_f32(x as u16), bf16_to_f32((x >> 16) as u16));
        each(|i| acc[i] + bf16_to_f32(w[2 * i]) * low + bf16_to_f32(w[2 * i + 1]) * high)
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> Self::I {
        [x; WIDTH]
    }
    #[inline(always)]
    fn dot_i8(self, acc: Self::I, w: &[i8; 64], x: u32) -> Self::I {
        let x = x.to_le_bytes().map(i32::from);
        std::array::from_fn(|lane| {
            let w = &w[4 * lane..4 * lane + 4];
            (0..4).fold(acc[lane], |sum, i| sum.wrapping_add(i32::from(w[i]) * x[i]))
        })
    }
    #[inline(always)]
    fn less_middles(self, a: Self::I, middles: &[i32; WIDTH]) -> Self::I {
        std::array::from_fn(|i| a[i].wrapping_sub(middles[i] * Self::MIDDLE as i32))
    }
    #[inline(always)]
    fn to_f32(self, a: Self::I) -> Self::F {
        a.map(|x| x as f32)
    }
}
