//! Sixteen lanes as two 256-bit registers, lanes 0 to 7 first.

use crate::lanes::{Lanes, WIDTH};
use std::arch::x86_64::*;

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
    const HEIGHT: usize = 4;
    const LINES: usize = 1;

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
        proven!({
            let low = _mm256_set1_ps(f32::from_bits(x << 16));
            let high = _mm256_set1_ps(f32::from_bits(x & 0xffff_0000));
            let keep = _mm256_set1_epi32(0xffff_0000_u32 as i32);
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
    fn splat_i32(self, x: i32) -> I {
        proven!([_mm256_set1_epi32(x); 2])
    }
    #[inline(always)]
    fn dot_i8(self, acc: I, w: &[i8; 64], x: u32) -> I {
        proven!({
            // Sixteen-bit products summed in pairs, then pairs of pairs: the
            // horizontal sum leaves the lanes in the order 0 1 4 5 2 3 6 7.
            let x = _mm256_cvtepu8_epi16(_mm_set1_epi32(x as i32));
            let mut sums = acc;
            for (half, sum) in sums.iter_mut().enumerate() {
                let low = _mm_loadu_si128(w.as_ptr().add(32 * half).cast());
                let high = _mm_loadu_si128(w.as_ptr().add(32 * half + 16).cast());
                let low = _mm256_madd_epi16(_mm256_cvtepi8_epi16(low), x);
                let high = _mm256_madd_epi16(_mm256_cvtepi8_epi16(high), x);
                let pairs = _mm256_hadd_epi32(low, high);
                let pairs = _mm256_permute4x64_epi64::<0b11_01_10_00>(pairs);
                *sum = _mm256_add_epi32(*sum, pairs);
            }
            sums
        })
    }
    #[inline(always)]
    fn sub_i32(self, a: I, b: &[i32; WIDTH]) -> I {
        proven!([
            _mm256_sub_epi32(a[0], _mm256_loadu_si256(b.as_ptr().cast())),
            _mm256_sub_epi32(a[1], _mm256_loadu_si256(b.as_ptr().add(8).cast())),
        ])
    }
    #[inline(always)]
    fn to_f32(self, a: I) -> F {
        proven!([_mm256_cvtepi32_ps(a[0]), _mm256_cvtepi32_ps(a[1])])
    }
    #[inline(always)]
    fn prefetch<T>(self, address: *const T) {
        proven!(_mm_prefetch::<_MM_HINT_T0>(address.cast()))
    }
}
