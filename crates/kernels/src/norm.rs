//! Layer norm over rows.
//!
//! `y = (x - mean) / sqrt(variance + 1e-5) * weight + bias`, the variance about
//! the mean in a second pass (no cancellation). Sixteen running sums, one a
//! lane, joined pairwise; columns past the last full sixteen are added after.

use crate::lanes::{Lanes, WIDTH};

/// Added to the variance, as Equinox's `LayerNorm` does by default.
pub const EPSILON: f32 = 1e-5;

/// The mean of `(x - centre)^2`, or of `x - centre`.
#[inline(always)]
fn mean_of<S: Lanes>(s: S, x: &[f32], centre: f32, squared: bool) -> f32 {
    let (lines, rest) = x.as_chunks::<WIDTH>();
    let mut sum = s.splat(0.0);
    for line in lines {
        let d = s.sub(s.load(line), s.splat(centre));
        sum = if squared {
            s.mul_add(d, d, sum)
        } else {
            s.add(sum, d)
        };
    }
    let mut total = s.sum(sum);
    for x in rest {
        let d = x - centre;
        total += if squared { d * d } else { d };
    }
    total / x.len() as f32
}

/// What a row is normed by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// The mean.
    pub mean: f32,
    /// One over the standard deviation.
    pub inverse: f32,
}

impl Statistics {
    /// Those of a row.
    #[inline(always)]
    pub(crate) fn of<S: Lanes>(s: S, x: &[f32]) -> Self {
        let mean = mean_of(s, x, 0.0, false);
        let variance = mean_of(s, x, mean, true);
        Self {
            mean,
            inverse: 1.0 / (variance + EPSILON).sqrt(),
        }
    }

    /// Sixteen values of the row, less the mean and divided by the deviation.
    #[inline(always)]
    pub(crate) fn normed<S: Lanes>(self, s: S, x: S::F) -> S::F {
        s.mul(s.sub(x, s.splat(self.mean)), s.splat(self.inverse))
    }
}

/// Norms one row: `x`, `weight`, `bias` and `out` have the same length.
#[inline(always)]
pub fn layer_norm<S: Lanes>(s: S, x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
    let n = x.len();
    assert!(
        weight.len() == n && bias.len() == n && out.len() == n,
        "norm of unequal lengths"
    );
    let statistics = Statistics::of(s, x);
    let full = n - n % WIDTH;
    let lines = (x.as_chunks::<WIDTH>().0.iter())
        .zip(weight.as_chunks::<WIDTH>().0)
        .zip(bias.as_chunks::<WIDTH>().0)
        .zip(out.as_chunks_mut::<WIDTH>().0);
    for (((x, w), b), out) in lines {
        let normed = statistics.normed(s, s.load(x));
        s.store(s.mul_add(normed, s.load(w), s.load(b)), out);
    }
    let Statistics { mean, inverse } = statistics;
    for i in full..n {
        out[i] = (x[i] - mean) * inverse * weight[i] + bias[i];
    }
}
