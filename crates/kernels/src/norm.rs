//! Layer norm over rows.
//!
//! `y = (x - mean) / sqrt(variance + 1e-5) * weight + bias`, the variance about
//! the mean in a second pass (no cancellation). Sixteen running sums, one a
//! lane, joined pairwise; columns past the last full sixteen are added after.

use crate::lanes::{Lanes, WIDTH};

/// Added to the variance, as Equinox's `LayerNorm` does by default.
pub const EPSILON: f32 = 1e-5;

/// The mean of `lanes(x)`; `scalar` is the same function of one value.
#[inline(always)]
fn mean_of<S: Lanes>(
    s: S,
    x: &[f32],
    lanes: impl Fn(S::F) -> S::F,
    scalar: impl Fn(f32) -> f32,
) -> f32 {
    let (lines, rest) = x.as_chunks::<WIDTH>();
    let sum = lines
        .iter()
        .fold(s.splat(0.0), |sum, line| s.add(sum, lanes(s.load(line))));
    let total = rest.iter().fold(s.sum(sum), |total, x| total + scalar(*x));
    total / x.len() as f32
}

/// Norms one row: `x`, `weight`, `bias` and `out` have the same length.
#[inline(always)]
pub fn layer_norm<S: Lanes>(s: S, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
    let n = x.len();
    assert!(
        weight.len() == n && bias.len() == n && out.len() == n,
        "norm of unequal lengths"
    );
    let mean = mean_of(s, x, |v| v, |v| v);
    let centre = s.splat(mean);
    let squared = |v| {
        let d = s.sub(v, centre);
        s.mul(d, d)
    };
    let variance = mean_of(s, x, squared, |v| (v - mean) * (v - mean));
    let inverse = 1.0 / (variance + EPSILON).sqrt();
    let scale = s.splat(inverse);
    let full = n - n % WIDTH;
    let lines = (x.as_chunks::<WIDTH>().0.iter())
        .zip(weight.as_chunks::<WIDTH>().0)
        .zip(bias.as_chunks::<WIDTH>().0)
        .zip(out.as_chunks_mut::<WIDTH>().0);
    for (((x, w), b), out) in lines {
        let normed = s.mul(s.sub(s.load(x), centre), scale);
        s.store(s.mul_add(normed, s.load(w), s.load(b)), out);
    }
    for i in full..n {
        out[i] = (x[i] - mean) * inverse * weight[i] + bias[i];
    }
}
