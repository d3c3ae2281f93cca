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

/// One `k` of [`multiply_four`]: a line of the right operand, then for each row its
/// value in all lanes, and both halves of its sums.
macro_rules! one_k {
    ($line:literal, $k:literal) => {
        concat!(
            "vmovups {low}, [{right} + ",
            $line,
            "]\n",
            "vmovups {high}, [{right} + ",
            $line,
            " + 32]\n",
            "vbroadcastss {a}, [{left} + ",
            $k,
            " * {k_step}]\n",
            "vfmadd231ps {low0}, {a}, {low}\n",
            "vfmadd231ps {high0}, {a}, {high}\n",
            "vbroadcastss {a}, [{left} + {row} + ",
            $k,
            " * {k_step}]\n",
            "vfmadd231ps {low1}, {a}, {low}\n",
            "vfmadd231ps {high1}, {a}, {high}\n",
            "vbroadcastss {a}, [{left} + 2 * {row} + ",
            $k,
            " * {k_step}]\n",
            "vfmadd231ps {low2}, {a}, {low}\n",
            "vfmadd231ps {high2}, {a}, {high}\n",
            "vbroadcastss {a}, [{left} + {rows} + ",
            $k,
            " * {k_step}]\n",
            "vfmadd231ps {low3}, {a}, {low}\n",
            "vfmadd231ps {high3}, {a}, {high}\n",
        )
    };
}

/// The innermost loop of [`Lanes::multiply_four`]: `depth` times four rows of `left`
/// by sixteen of `right`.
///
/// Often a neighbour (another thread of the same core) takes half of the
/// instructions that a core can begin in a cycle, so their number is the limit:
/// fourteen for eight multiplications. Eight `k` at a time share the rest, with
/// offsets that are parts of the instructions, where the compiler would add to
/// pointers.
///
/// # Safety
/// `left[3 row_step + (depth - 1) K_STEP]` and `right[16 depth - 1]` have to exist.
#[target_feature(enable = "avx2,fma")]
#[expect(
    unused_assignments,
    reason = "the last block leaves its pointers behind"
)]
unsafe fn multiply_four<const K_STEP: usize>(
    mut left: *const u32,
    row_step: usize,
    mut right: *const u32,
    depth: usize,
    next: [*const u32; 2],
) -> [F; 4] {
    let mut sums = [[_mm256_setzero_ps(); 2]; 4];
    macro_rules! repeat {
        ($times:expr, $k:literal; $($code:expr),*) => {
            let times = $times;
            if times > 0 {
                // SAFETY: the caller's.
                unsafe {
                    std::arch::asm!(
                        "2:",
                        $($code,)*
                        "add {left}, {advance}",
                        "add {right}, 64 * {count}",
                        "dec {times}",
                        "jnz 2b",
                        left = inout(reg) left,
                        right = inout(reg) right,
                        times = inout(reg) times => _,
                        row = in(reg) 4 * row_step,
                        rows = in(reg) 12 * row_step,
                        panel = inout(reg) next[0] => _,
                        other = inout(reg) next[1] => _,
                        k_step = const 4 * K_STEP,
                        advance = const 4 * K_STEP * $k,
                        count = const $k,
                        a = out(ymm_reg) _,
                        low = out(ymm_reg) _,
                        high = out(ymm_reg) _,
                        low0 = inout(ymm_reg) sums[0][0],
                        high0 = inout(ymm_reg) sums[0][1],
                        low1 = inout(ymm_reg) sums[1][0],
                        high1 = inout(ymm_reg) sums[1][1],
                        low2 = inout(ymm_reg) sums[2][0],
                        high2 = inout(ymm_reg) sums[2][1],
                        low3 = inout(ymm_reg) sums[3][0],
                        high3 = inout(ymm_reg) sums[3][1],
                        options(nostack, readonly),
                    );
                }
            }
        };
    }
    repeat!(depth / 8, 8;
        "prefetcht0 [{panel}]",
        "add {panel}, 64",
        "prefetcht0 [{other}]",
        "prefetcht0 [{other} + 64]",
        "add {other}, 128",
        one_k!(0, 0),
        one_k!(64, 1),
        one_k!(128, 2),
        one_k!(192, 3),
        one_k!(256, 4),
        one_k!(320, 5),
        one_k!(384, 6),
        one_k!(448, 7)
    );
    repeat!(depth % 8, 1; "/* {panel} {other} */", one_k!(0, 0));
    sums
}

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
    fn multiply_four(
        self,
        left: &[u32],
        [row_step, k_step]: [usize; 2],
        right: &[[u32; WIDTH]],
        next: [Option<&[u32]>; 2],
    ) -> [F; 4] {
        let depth = right.len();
        let last = 3 * row_step + depth.saturating_sub(1) * k_step;
        assert!(depth == 0 || last < left.len(), "left operand too short");
        let (left, right) = (left.as_ptr(), right.as_ptr().cast());
        let next = next.map(|next| next.map_or(right, <[u32]>::as_ptr));
        // SAFETY: the instructions are there, and the values, as asserted.
        unsafe {
            match k_step {
                1 => multiply_four::<1>(left, row_step, right, depth, next),
                4 => multiply_four::<4>(left, row_step, right, depth, next),
                192 => multiply_four::<192>(left, row_step, right, depth, next),
                _ => panic!("an operand of another kind"),
            }
        }
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
