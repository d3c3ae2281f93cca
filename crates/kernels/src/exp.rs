//! Exponential, SiLU and softmax.
//!
//! `exp(x) = 2^n exp(r)` with `n = round(x log2 e)` and `|r| <= ln 2 / 2`; `r` is
//! taken in two steps so that it is exact, and `exp(r)` is the polynomial of
//! degree 7 of Cephes' `expf`. Relative error at most 3e-7 where the result is a
//! normal number; below -87.3 the result is 0, above 88.3 it stays at exp(88.3).
//!
//! [`exp_coarse`] is for results that are rounded to bf16, whose own error is
//! 4e-3, or to integers of fifteen bits, 3e-5 of the largest: `2^n p(r)` with
//! `n + r = x log2 e`, `|r| <= 1/2`, and `p` the polynomial of degree 4 with
//! `p(0) = 1` and the least relative error, 2.9e-6. With the rounding of `x log2 e`
//! it is at most 1e-5.

use crate::isa::{Isa, Kernel};
use crate::lanes::{Lanes, WIDTH};

/// Below this, `exp` gives 0.
pub const SMALLEST: f32 = -87.3;
const LARGEST: f32 = 88.3;
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
const POLYNOMIAL: [f32; 6] = [
    1.987_569_1e-4,
    1.398_199_9e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    1.666_666_5e-1,
    0.5,
];

const COARSE: [f32; 5] = [9.582_856e-3, 5.590_643e-2, 0.240_240_99, 0.693_124_2, 1.0];

/// `exp` of each lane; see the module's head for its error.
#[inline(always)]
pub fn exp<S: Lanes>(s: S, x: S::F) -> S::F {
    let clamped = s.min(s.max(x, s.splat(SMALLEST)), s.splat(LARGEST));
    let n = s.round(s.mul(clamped, s.splat(std::f32::consts::LOG2_E)));
    let r = s.mul_add(n, s.splat(-LN_2_HIGH), clamped);
    let r = s.mul_add(n, s.splat(-LN_2_LOW), r);
    let mut p = s.splat(POLYNOMIAL[0]);
    for coefficient in &POLYNOMIAL[1..] {
        p = s.mul_add(p, r, s.splat(*coefficient));
    }
    let p = s.add(s.mul_add(p, s.mul(r, r), r), s.splat(1.0));
    s.keep_from(s.times_power(p, n), x, SMALLEST)
}

/// `exp` of each lane, coarser and in half the time; see the module's head. Below
/// -87.3 and above 88.3 as [`exp`]; exactly 1 at 0.
#[inline(always)]
pub fn exp_coarse<S: Lanes>(s: S, x: S::F) -> S::F {
    let power = s.mul(
        s.min(x, s.splat(LARGEST)),
        s.splat(std::f32::consts::LOG2_E),
    );
    let n = s.round(power);
    let r = s.sub(power, n);
    let mut p = s.splat(COARSE[0]);
    for coefficient in &COARSE[1..] {
        p = s.mul_add(p, r, s.splat(*coefficient));
    }
    s.keep_from(s.times_power(p, n), x, SMALLEST)
}

/// `x / (1 + exp(-x))` of each lane.
#[inline(always)]
pub fn silu<S: Lanes>(s: S, x: S::F) -> S::F {
    let e = exp(s, s.sub(s.splat(0.0), x));
    s.div(x, s.add(s.splat(1.0), e))
}

/// [`silu`] with a relative error of at most 1.2e-4, for results that are rounded to bf16 or
/// to an integer of eight bits.
#[inline(always)]
pub fn silu_coarse<S: Lanes>(s: S, x: S::F) -> S::F {
    let e = exp_coarse(s, s.sub(s.splat(0.0), x));
    s.mul(x, s.reciprocal(s.add(s.splat(1.0), e)))
}

/// Replaces each value by `exp(value - largest)` and returns their sum. Sixteen running
/// sums, one a lane, joined pairwise. Values that are minus infinity become 0.
#[inline(always)]
fn exp_and_sum<S: Lanes>(s: S, values: &mut [f32]) -> f32 {
    let (lines, rest) = values.as_chunks_mut::<WIDTH>();
    let mut tail = [f32::NEG_INFINITY; WIDTH];
    tail[..rest.len()].copy_from_slice(rest);
    let mut largest = s.load(&tail);
    for line in lines.iter() {
        largest = s.max(largest, s.load(line));
    }
    let largest = s.splat(s.largest(largest).max(f32::MIN));
    let mut sum = s.splat(0.0);
    for line in lines.iter_mut().chain(std::iter::once(&mut tail)) {
        let e = exp(s, s.sub(s.load(line), largest));
        s.store(e, line);
        sum = s.add(sum, e);
    }
    rest.copy_from_slice(&tail[..rest.len()]);
    s.sum(sum)
}

struct Softmax<'a>(&'a mut [f32]);

impl Kernel for Softmax<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        let scale = 1.0 / exp_and_sum(s, self.0);
        for x in self.0 {
            *x *= scale;
        }
    }
}

/// Turns logits into probabilities in place. Minus infinity becomes 0; when all
/// are, or the slice is empty, the result is not a number.
pub fn softmax(isa: Isa, logits: &mut [f32]) {
    isa.run(Softmax(logits));
}
