//! Sixteen lanes as two 256-bit registers, lanes 0 to 7 first.

mod products;
mod two_bytes;
mod two_shorts;
mod twos;

use crate::lanes::{Lanes, WIDTH};
use products::{multiply_four, multiply_four_wide, multiply_six, operands};
use std::arch::x86_64::*;
use two_bytes::multiply_twos_of_bytes;
use two_shorts::multiply_twos_of_shorts;

/// Proof that AVX2 and FMA are there.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    /// The token, where the processor has the instructions.
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

/// Calls an instruction of the detected set.
macro_rules! proven {
    ($call:expr) => {
        // SAFETY: `self` exists only where `detect` found the instructions, and
        // the pointers stay inside the arrays that the references promise.
        unsafe { $call }
    };
}

type F = [__m256; 2];
type I = [__m256i; 2];

impl Lanes for Avx2 {
    type F = F;
    type I = I;
    const TILE: usize = 2;
    const MIDDLE: u32 = 64;
    const SIGNED: bool = true;
    const WIDE: bool = true;
    const HEIGHT: usize = 4;
    const LINES: usize = 1;
    const TALL: usize = 6;
    const NARROW: bool = true;

    #[inline(always)]
    fn splat(self, x: f32) -> F {
        proven!([_mm256_set1_ps(x); 2])
    }
    #[inline(always)]
    fn load(self, x: &[f32; WIDTH]) -> F {
        proven!([
            _mm256_loadu_ps(x.as_ptr()),
            _mm256_loadu_ps(x.as_ptr().add(8))
        ])
    }
    #[inline(always)]
    fn store(self, v: F, out: &mut [f32; WIDTH]) {
        proven!({
            _mm256_storeu_ps(out.as_mut_ptr(), v[0]);
            _mm256_storeu_ps(out.as_mut_ptr().add(8), v[1]);
        })
    }
    #[inline(always)]
    fn add(self, a: F, b: F) -> F {
        proven!([_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn sub(self, a: F, b: F) -> F {
        proven!([_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn mul(self, a: F, b: F) -> F {
        proven!([_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn div(self, a: F, b: F) -> F {
        proven!([_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn max(self, a: F, b: F) -> F {
        proven!([_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn min(self, a: F, b: F) -> F {
        proven!([_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn mul_add(self, a: F, b: F, c: F) -> F {
        proven!([
            _mm256_fmadd_ps(a[0], b[0], c[0]),
            _mm256_fmadd_ps(a[1], b[1], c[1])
        ])
    }
    #[inline(always)]
    fn round(self, a: F) -> F {
        const MODE: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        proven!([_mm256_round_ps::<MODE>(a[0]), _mm256_round_ps::<MODE>(a[1])])
    }
    #[inline(always)]
    fn times_power(self, a: F, n: F) -> F {
        let power = proven!({
            let bias = _mm256_set1_epi32(127);
            let low = _mm256_add_epi32(_mm256_cvtps_epi32(n[0]), bias);
            let high = _mm256_add_epi32(_mm256_cvtps_epi32(n[1]), bias);
            [
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(low)),
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(high)),
            ]
        });
        self.mul(a, power)
    }
    #[inline(always)]
    fn reciprocal(self, a: F) -> F {
        // Twelve bits, and twice as many by a step of Newton's.
        proven!({
            let two = _mm256_set1_ps(2.0);
            let [low, high] = [_mm256_rcp_ps(a[0]), _mm256_rcp_ps(a[1])];
            [
                _mm256_mul_ps(low, _mm256_fnmadd_ps(a[0], low, two)),
                _mm256_mul_ps(high, _mm256_fnmadd_ps(a[1], high, two)),
            ]
        })
    }
    #[inline(always)]
    fn keep_from(self, y: F, x: F, limit: f32) -> F {
        proven!({
            let limit = _mm256_set1_ps(limit);
            [
                _mm256_and_ps(y[0], _mm256_cmp_ps::<_CMP_GE_OQ>(x[0], limit)),
                _mm256_and_ps(y[1], _mm256_cmp_ps::<_CMP_GE_OQ>(x[1], limit)),
            ]
        })
    }
    #[inline(always)]
    fn dot_bf16(self, acc: F, w: &[u16; 32], x: u32) -> F {
        self.dot_wide(acc, w, &[x << 16, x & 0xffff_0000])
    }
    #[inline(always)]
    fn dot_wide(self, acc: F, w: &[u16; 32], x: &[u32; 2]) -> F {
        proven!({
            let keep = _mm256_set1_epi32(0xffff_0000_u32 as i32);
            let [low, high] = x.map(|x| _mm256_set1_ps(f32::from_bits(x)));
            let mut sums = acc;
            for (half, sum) in sums.iter_mut().enumerate() {
                let w = _mm256_loadu_si256(w.as_ptr().add(16 * half).cast());
                let even = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(w));
                let odd = _mm256_castsi256_ps(_mm256_and_si256(w, keep));
                *sum = _mm256_fmadd_ps(odd, high, _mm256_fmadd_ps(even, low, *sum));
            }
            sums
        })
    }
    #[inline(always)]
    fn multiply_four<const STEP: usize>(
        self,
        left: &[u32],
        steps: [usize; 2],
        right: &[[u32; WIDTH]],
        next: [Option<*const u32>; 2],
        sums: [F; 4],
    ) -> Option<[F; 4]> {
        let (at, count) = operands::<STEP>(4, left, steps, right, next);
        // Along rows, and panels of four rows.
        // SAFETY: the instructions are there, and the values, as `operands` asserts.
        unsafe {
            match steps[1] {
                1 => Some(multiply_four::<1, STEP>(at, steps[0], count, sums)),
                4 => Some(multiply_four::<4, STEP>(at, steps[0], count, sums)),
                _ => None,
            }
        }
    }
    #[inline(always)]
    fn multiply_six(
        self,
        left: &[u32],
        steps: [usize; 2],
        right: &[[u32; WIDTH]],
        next: Option<*const u32>,
        sums: [F; 6],
    ) -> Option<[F; 6]> {
        let (at, count) = operands::<1>(6, left, steps, right, [next, None]);
        // Along rows, and attention's blocks of queries.
        // SAFETY: as above.
        unsafe {
            match steps[1] {
                1 => Some(multiply_six::<1>(at, steps[0], count, sums)),
                192 => Some(multiply_six::<192>(at, steps[0], count, sums)),
                _ => None,
            }
        }
    }
    #[inline(always)]
    fn multiply_four_wide(
        self,
        left: &[u32],
        row_step: usize,
        right: &[[u32; WIDTH]],
        next: [Option<*const u32>; 2],
        sums: [F; 4],
    ) -> Option<[F; 4]> {
        let (at, count) = operands::<2>(4, left, [row_step, 2], right, next);
        // SAFETY: as above; a row is whole pairs, so that the last one's second is there too.
        Some(unsafe { multiply_four_wide(at, row_step, count, sums) })
    }
    #[inline(always)]
    fn multiply_twos_of_bytes(
        self,
        left: &[u32],
        row_step: usize,
        right: &[[u32; WIDTH]],
        next: (*const u8, usize),
        sums: &mut [I],
    ) -> usize {
        let (times, rows) = (right.len() / 32, sums.len() / 4 * 2);
        assert!(
            times * rows == 0 || left.len() >= (rows - 1) * row_step + 16 * times,
            "left operand too short"
        );
        // SAFETY: the instructions are there, and the values, as asserted.
        unsafe {
            multiply_twos_of_bytes(left.as_ptr(), row_step, right.as_ptr(), times, next, sums)
        };
        16 * times
    }
    #[inline(always)]
    fn multiply_twos_of_shorts(
        self,
        left: &[u32],
        row_step: usize,
        right: &[[u32; WIDTH]],
        next: (*const u8, usize),
        sums: &mut [[I; 2]],
    ) -> usize {
        let (times, rows) = (right.len() / 4, sums.len() / 4 * 2);
        assert!(
            times * rows == 0 || left.len() >= (rows - 1) * row_step + 4 * times,
            "left operand too short"
        );
        // SAFETY: the instructions are there, and the values, as asserted.
        unsafe {
            multiply_twos_of_shorts(left.as_ptr(), row_step, right.as_ptr(), times, next, sums)
        };
        2 * times
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> I {
        proven!([_mm256_set1_epi32(x); 2])
    }
    #[inline(always)]
    fn dot_i8(self, acc: I, w: &[i8; 64], x: u32) -> I {
        proven!({
            // Two products are at most 2 * 127 * 127, which sixteen bits hold.
            let x = _mm256_set1_epi32(x as i32);
            let ones = _mm256_set1_epi16(1);
            let mut sums = acc;
            for (half, sum) in sums.iter_mut().enumerate() {
                let w = _mm256_loadu_si256(w.as_ptr().add(32 * half).cast());
                let pairs = _mm256_maddubs_epi16(x, w);
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
            }
            sums
        })
    }
    #[inline(always)]
    fn dot_fine(self, [mut sums, unused]: [I; 2], w: &[i8; 64], x: &[u32; 2]) -> [I; 2] {
        proven!({
            let even = _mm256_set1_epi32(x[0] as i32);
            let odd = _mm256_set1_epi32(x[1] as i32);
            let mask = _mm256_set1_epi16(0xff);
            for (half, sum) in sums.iter_mut().enumerate() {
                let w = _mm256_loadu_si256(w.as_ptr().add(32 * half).cast());
                let evens = _mm256_madd_epi16(_mm256_and_si256(w, mask), even);
                let odds = _mm256_madd_epi16(_mm256_srli_epi16::<8>(w), odd);
                *sum = _mm256_add_epi32(_mm256_add_epi32(*sum, evens), odds);
            }
            [sums, unused]
        })
    }
    #[inline(always)]
    fn fine(self, [sums, _]: [I; 2], _: &[i32; WIDTH], excess: i32) -> F {
        proven!({
            let excess = _mm256_set1_epi32(excess);
            [
                _mm256_cvtepi32_ps(_mm256_sub_epi32(sums[0], excess)),
                _mm256_cvtepi32_ps(_mm256_sub_epi32(sums[1], excess)),
            ]
        })
    }
    #[inline(always)]
    fn less_middles(self, a: I, middles: &[i32; WIDTH]) -> I {
        let mut less = a;
        for (half, less) in less.iter_mut().enumerate() {
            proven!({
                let middles = _mm256_loadu_si256(middles.as_ptr().add(8 * half).cast());
                *less = _mm256_sub_epi32(*less, _mm256_slli_epi32::<6>(middles));
            });
        }
        less
    }
    #[inline(always)]
    fn to_f32(self, a: I) -> F {
        proven!([_mm256_cvtepi32_ps(a[0]), _mm256_cvtepi32_ps(a[1])])
    }
    #[inline(always)]
    fn prefetch<T>(self, address: *const T) {
        proven!(_mm_prefetch::<_MM_HINT_T0>(address.cast()))
    }
    #[inline(always)]
    fn sum(self, a: F) -> f32 {
        proven!({
            let a = _mm256_add_ps(a[0], a[1]);
            let a = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_add_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps::<1>(a, a)))
        })
    }
    #[inline(always)]
    fn largest(self, a: F) -> f32 {
        proven!({
            let a = _mm256_max_ps(a[0], a[1]);
            let a = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_max_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_max_ss(a, _mm_shuffle_ps::<1>(a, a)))
        })
    }
    #[inline(always)]
    fn sqrt(self, a: F) -> F {
        proven!([_mm256_sqrt_ps(a[0]), _mm256_sqrt_ps(a[1])])
    }
    #[inline(always)]
    fn load_bits(self, x: &[u32; WIDTH]) -> F {
        proven!([
            _mm256_loadu_ps(x.as_ptr().cast()),
            _mm256_loadu_ps(x.as_ptr().add(8).cast())
        ])
    }
    #[inline(always)]
    fn store_bits(self, v: F, out: &mut [u32; WIDTH]) {
        proven!({
            _mm256_storeu_ps(out.as_mut_ptr().cast(), v[0]);
            _mm256_storeu_ps(out.as_mut_ptr().add(8).cast(), v[1]);
        })
    }
    #[inline(always)]
    fn round_to_bf16(self, a: F) -> F {
        proven!({
            let keep = _mm256_set1_epi32(0xffff_0000_u32 as i32);
            let mut out = a;
            for (out, a) in out.iter_mut().zip(a) {
                let bits = _mm256_castps_si256(a);
                let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
                let up = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
                let rounded = _mm256_and_si256(_mm256_add_epi32(bits, up), keep);
                let quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x40_0000));
                *out = _mm256_blendv_ps(
                    _mm256_castsi256_ps(rounded),
                    _mm256_castsi256_ps(_mm256_and_si256(quiet, keep)),
                    _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a),
                );
            }
            out
        })
    }
    #[inline(always)]
    fn narrow_line(self, v: F, out: &mut [u32; WIDTH / 2]) {
        proven!({
            let [low, high] = self.round_to_bf16(v);
            let low = _mm256_srli_epi32::<16>(_mm256_castps_si256(low));
            let high = _mm256_srli_epi32::<16>(_mm256_castps_si256(high));
            // Values 0 to 3, 8 to 11, 4 to 7, 12 to 15.
            let halves = _mm256_packus_epi32(low, high);
            let halves = _mm256_permute4x64_epi64::<0b11_01_10_00>(halves);
            _mm256_storeu_si256(out.as_mut_ptr().cast(), halves)
        })
    }
    #[inline(always)]
    fn widen_line(self, pairs: &[u32; WIDTH / 2]) -> F {
        proven!([0, 4].map(|first| {
            let pairs = _mm_loadu_si128(pairs.as_ptr().add(first).cast());
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(pairs)))
        }))
    }
    #[inline(always)]
    fn bytes(self, a: F, offset: u32, out: &mut [u32; WIDTH / 2]) {
        proven!({
            let offset = _mm256_set1_epi32(offset as i32);
            let order = _mm_setr_epi8(1, 5, 9, 13, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1);
            let order = _mm256_broadcastsi128_si256(order);
            let low = _mm256_add_epi32(_mm256_cvtps_epi32(a[0]), offset);
            let high = _mm256_add_epi32(_mm256_cvtps_epi32(a[1]), offset);
            let low = _mm256_shuffle_epi8(low, order);
            let high = _mm256_shuffle_epi8(high, order);
            // Lanes 0 to 3, 8 to 11, 4 to 7, 12 to 15.
            let words = _mm256_unpacklo_epi64(low, high);
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            _mm256_storeu_si256(out.as_mut_ptr().cast(), words)
        })
    }
    #[inline(always)]
    fn shorts(self, a: F, out: &mut [u32; WIDTH / 2]) {
        proven!({
            // Values 0 to 3, 8 to 11, 4 to 7, 12 to 15; of four the even ones first.
            let halves = _mm256_packs_epi32(_mm256_cvtps_epi32(a[0]), _mm256_cvtps_epi32(a[1]));
            let order = _mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15);
            let halves = _mm256_shuffle_epi8(halves, _mm256_broadcastsi128_si256(order));
            let halves = _mm256_permute4x64_epi64::<0b11_01_10_00>(halves);
            _mm256_storeu_si256(out.as_mut_ptr().cast(), halves)
        })
    }
    #[inline(always)]
    fn keep_scrambled(self, y: F, words: &[u32; WIDTH], word: u32, threshold: u32) -> F {
        proven!({
            let mut out = y;
            for (half, out) in out.iter_mut().enumerate() {
                let words = _mm256_loadu_si256(words.as_ptr().add(8 * half).cast());
                let x = _mm256_xor_si256(words, _mm256_set1_epi32(word as i32));
                let x = _mm256_xor_si256(x, _mm256_srli_epi32::<16>(x));
                let x = _mm256_mullo_epi32(x, _mm256_set1_epi32(0x7feb_352d));
                let x = _mm256_xor_si256(x, _mm256_srli_epi32::<15>(x));
                let x = _mm256_mullo_epi32(x, _mm256_set1_epi32(0x846c_a68b_u32 as i32));
                let x = _mm256_xor_si256(x, _mm256_srli_epi32::<16>(x));
                let larger = _mm256_max_epu32(x, _mm256_set1_epi32(threshold as i32));
                let keep = _mm256_cmpeq_epi32(larger, x);
                *out = _mm256_and_ps(*out, _mm256_castsi256_ps(keep));
            }
            out
        })
    }
    #[inline(always)]
    fn transpose(self, block: &mut [[u32; WIDTH]; WIDTH]) {
        // Quarters of eight by eight, which change places beside.
        let quarters = [[0, 0], [0, 8], [8, 0], [8, 8]];
        let from = *block;
        for [row, column] in quarters {
            proven!({
                let mut rows = [_mm256_setzero_ps(); 8];
                for (i, out) in rows.iter_mut().enumerate() {
                    *out = _mm256_loadu_ps(from[row + i].as_ptr().add(column).cast());
                }
                // In each half of 128 bits: pairs of rows, then fours of rows.
                let mut pairs = rows;
                for i in [0, 2, 4, 6] {
                    pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
                    pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
                }
                let mut fours = pairs;
                for i in [0, 4] {
                    fours[i] = _mm256_shuffle_ps::<0x44>(pairs[i], pairs[i + 2]);
                    fours[i + 1] = _mm256_shuffle_ps::<0xee>(pairs[i], pairs[i + 2]);
                    fours[i + 2] = _mm256_shuffle_ps::<0x44>(pairs[i + 1], pairs[i + 3]);
                    fours[i + 3] = _mm256_shuffle_ps::<0xee>(pairs[i + 1], pairs[i + 3]);
                }
                for i in 0..4 {
                    let (a, b) = (fours[i], fours[4 + i]);
                    let low = _mm256_permute2f128_ps::<0x20>(a, b);
                    let high = _mm256_permute2f128_ps::<0x31>(a, b);
                    _mm256_storeu_ps(block[column + i].as_mut_ptr().add(row).cast(), low);
                    _mm256_storeu_ps(block[column + 4 + i].as_mut_ptr().add(row).cast(), high);
                }
            });
        }
    }
}
