//! Sixteen lanes as four 128-bit registers, lanes 0 to 3 first.

use crate::lanes::{Lanes, WIDTH};
use std::arch::aarch64::*;
use std::array::from_fn;

/// Proof that NEON is there.
#[derive(Clone, Copy, Debug)]
pub struct Neon(());

impl Neon {
    /// The token, where the processor has the instructions.
    pub fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
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

type F = [float32x4_t; 4];
type I = [int32x4_t; 4];

impl Lanes for Neon {
    type F = F;
    type I = I;
    const TILE: usize = 2;
    const HEIGHT: usize = 4;
    const LINES: usize = 1;

    #[inline(always)]
    fn splat(self, x: f32) -> F {
        proven!([vdupq_n_f32(x); 4])
    }
    #[inline(always)]
    fn load(self, x: &[f32; WIDTH]) -> F {
        from_fn(|i| proven!(vld1q_f32(x.as_ptr().add(4 * i))))
    }
    #[inline(always)]
    fn store(self, v: F, out: &mut [f32; WIDTH]) {
        for (i, v) in v.into_iter().enumerate() {
            proven!(vst1q_f32(out.as_mut_ptr().add(4 * i), v));
        }
    }
    #[inline(always)]
    fn add(self, a: F, b: F) -> F {
        from_fn(|i| proven!(vaddq_f32(a[i], b[i])))
    }
    #[inline(always)]
    fn sub(self, a: F, b: F) -> F {
        from_fn(|i| proven!(vsubq_f32(a[i], b[i])))
    }
    #[inline(always)]
    fn mul(self, a: F, b: F) -> F {
        from_fn(|i| proven!(vmulq_f32(a[i], b[i])))
    }
    #[inline(always)]
    fn div(self, a: F, b: F) -> F {
        from_fn(|i| proven!(vdivq_f32(a[i], b[i])))
    }
    #[inline(always)]
    fn max(self, a: F, b: F) -> F {
        from_fn(|i| proven!(vmaxq_f32(a[i], b[i])))
    }
    #[inline(always)]
    fn min(self, a: F, b: F) -> F {
        from_fn(|i| proven!(vminq_f32(a[i], b[i])))
    }
    #[inline(always)]
    fn mul_add(self, a: F, b: F, c: F) -> F {
        from_fn(|i| proven!(vfmaq_f32(c[i], a[i], b[i])))
    }
    #[inline(always)]
    fn round(self, a: F) -> F {
        a.map(|a| proven!(vrndnq_f32(a)))
    }
    #[inline(always)]
    fn times_power(self, a: F, n: F) -> F {
        let power = n.map(|n| {
            proven!({
                let biased = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127));
                vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased))
            })
        });
        self.mul(a, power)
    }
    #[inline(always)]
    fn keep_from(self, y: F, x: F, limit: f32) -> F {
        from_fn(|i| {
            proven!({
                let keep = vcgeq_f32(x[i], vdupq_n_f32(limit));
                vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(y[i]), keep))
            })
        })
    }
    #[inline(always)]
    fn dot_bf16(self, acc: F, w: &[u16; 32], x: u32) -> F {
        from_fn(|i| {
            proven!({
                let pairs = vreinterpretq_u32_u16(vld1q_u16(w.as_ptr().add(8 * i)));
                let even = vreinterpretq_f32_u32(vshlq_n_u32::<16>(pairs));
                let odd = vreinterpretq_f32_u32(vandq_u32(pairs, vdupq_n_u32(0xffff_0000)));
                let sum = vfmaq_n_f32(acc[i], even, f32::from_bits(x << 16));
                vfmaq_n_f32(sum, odd, f32::from_bits(x & 0xffff_0000))
            })
        })
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> I {
        proven!([vdupq_n_s32(x); 4])
    }
    #[inline(always)]
    fn dot_i8(self, acc: I, w: &[i8; 64], x: u32) -> I {
        from_fn(|i| {
            proven!({
                // Sixteen-bit factors, four products a lane, summed in pairs.
                let x = vmovl_u8(vcreate_u8(u64::from(x)));
                let x = vreinterpret_s16_u16(vget_low_u16(x));
                let bytes = vld1q_s8(w.as_ptr().add(16 * i));
                let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes));
                let first = vpaddq_s32(
                    vmull_s16(vget_low_s16(low), x),
                    vmull_s16(vget_high_s16(low), x),
                );
                let second = vpaddq_s32(
                    vmull_s16(vget_low_s16(high), x),
                    vmull_s16(vget_high_s16(high), x),
                );
                vaddq_s32(acc[i], vpaddq_s32(first, second))
            })
        })
    }
    #[inline(always)]
    fn less_middles(self, a: I, middles: &[i32; WIDTH]) -> I {
        from_fn(|i| {
            proven!({
                let middles = vld1q_s32(middles.as_ptr().add(4 * i));
                vsubq_s32(a[i], vshlq_n_s32::<7>(middles))
            })
        })
    }
    #[inline(always)]
    fn to_f32(self, a: I) -> F {
        a.map(|a| proven!(vcvtq_f32_s32(a)))
    }
}
