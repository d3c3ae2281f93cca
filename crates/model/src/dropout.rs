//! Attention dropout from a counter-based generator.
//!
//! Which weights are dropped is a pure function of (seed, layer, position in the
//! attention matrix), so nothing has to be stored: a resumed run, another device
//! or a fused kernel drops the same ones.

use rayon::prelude::*;

/// The dropout of one forward pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    probability: f64,
    seed: u64,
}

impl Dropout {
    /// Drops attention weights with `probability`; `None` when that is 0.
    /// `seed` has to be new for every forward pass.
    pub fn new(probability: f64, seed: u64) -> Option<Self> {
        (probability > 0.0).then_some(Self { probability, seed })
    }

    /// What the weights that are kept are multiplied by: `1 / (1 - probability)`.
    pub fn scale(self) -> f32 {
        (1.0 / (1.0 - self.probability)) as f32
    }

    /// An attention weight is dropped when [`random_bits`] of its row and key
    /// are below this.
    pub fn threshold(self) -> u32 {
        (self.probability * 4_294_967_296.0) as u32
    }

    /// The key of one row of attention weights. `row` counts
    /// `(sequence * heads + head) * length + query`.
    pub fn row_key(self, layer: usize, row: usize) -> u32 {
        let layer_key = mix64(self.seed ^ mix64(layer as u64));
        (mix64(layer_key.wrapping_add(row as u64)) >> 32) as u32
    }

    /// As the kernels take it, for one layer.
    pub(crate) fn of_layer(self, layer: usize) -> Option<kernels::training::dropout::Dropout> {
        kernels::training::dropout::Dropout::new(self.probability, self.seed, layer)
    }

    /// The factors of a layer's attention weights, `[rows, length]` row-major
    /// where `rows` is a multiple of `length`: 0 or [`scale`](Self::scale).
    /// Weights of later positions, which the causal mask zeroes, get 0.
    pub fn factors(self, layer: usize, rows: usize, length: usize) -> Vec<f32> {
        let (scale, threshold) = (self.scale(), self.threshold());
        let mut factors = vec![0.0; rows * length];
        let each = factors.par_chunks_exact_mut(length).enumerate();
        each.for_each(|(row, factors)| {
            let row_key = self.row_key(layer, row);
            let visible = &mut factors[..=row % length];
            for (key, factor) in visible.iter_mut().enumerate() {
                if random_bits(row_key, key as u32) >= threshold {
                    *factor = scale;
                }
            }
        });
        factors
    }
}

/// 32 random bits for `key` (the position looked at) of the row with `row_key`:
/// a multiplicative hash whose constants are Chris Wellons's lowbias32.
#[inline]
pub fn random_bits(row_key: u32, key: u32) -> u32 {
    let mut x = row_key ^ key.wrapping_mul(0x9e37_79b9);
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// SplitMix64's finaliser.
fn mix64(value: u64) -> u64 {
    let mut x = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
