//! Where the JAX original rounds to bf16.
//!
//! Its `generate.py` keeps the parameters of a model trained with `--use_bf16`
//! in f32, and computes in f32 but for a few casts: the residual stream before
//! each layer, the heads' joined output, and within the norms of layers (not in
//! the final one) the mean, the variance, the difference from the mean and the
//! inverse deviation. Their product is not rounded: the compiler drops a cast
//! whose result is widened at once.

use half::bf16;

/// Equinox's epsilon, in the type of what it is added to.
const EPSILON: f32 = 1e-5;

/// To the nearest bf16, ties to even.
fn rounded(value: f32) -> f32 {
    bf16::from_f32(value).to_f32()
}

/// Rounds each value.
pub(crate) fn round(values: &mut [f32]) {
    for value in values {
        *value = rounded(*value);
    }
}

/// The norm of each row of `x`, rounded values of shape `[rows, dim]`, to `out`.
/// `weight` and `bias` are `[dim]`.
pub(crate) fn norm(x: &[f32], weight: &[f32], bias: &[f32], out: &mut [f32]) {
    let dim = weight.len();
    let count = dim as f32;
    for (x, out) in x.chunks_exact(dim).zip(out.chunks_exact_mut(dim)) {
        let mean = x.iter().sum::<f32>() / count;
        let squares = x.iter().map(|x| (x - mean) * (x - mean));
        let variance = rounded(squares.sum::<f32>() / count);
        let inverse = rounded(1.0 / rounded(variance + rounded(EPSILON)).sqrt());
        let mean = rounded(mean);
        let scale = weight.iter().zip(bias);
        for ((out, x), (weight, bias)) in out.iter_mut().zip(x).zip(scale) {
            *out = rounded(x - mean) * inverse * weight + bias;
        }
    }
}
