//! Attention dropout from a counter-based generator.
//!
//! Which weights are dropped is a pure function of (seed, layer, position in the
//! attention matrix), so nothing has to be stored: the backward pass, a resumed
//! run or another device drops the same ones. The weight of `key` in `row` is
//! dropped when `scramble(row_key(row) ^ key_word(key))` is below a threshold.

pub use crate::lanes::scramble;

/// The dropout of one layer in one forward pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    layer_key: u64,
    threshold: u32,
    scale: f32,
}

impl Dropout {
    /// Drops the attention weights of `layer`, counted from 0, with
    /// `probability`; `None` when that is 0. `seed` has to be new for every
    /// forward pass.
    pub fn new(probability: f64, seed: u64, layer: usize) -> Option<Self> {
        (probability > 0.0).then(|| Self {
            layer_key: mix64(seed ^ mix64(layer as u64)),
            threshold: (probability * 4_294_967_296.0) as u32,
            scale: (1.0 / (1.0 - probability)) as f32,
        })
    }

    /// What the weights that are kept are multiplied by: `1 / (1 - probability)`.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// A weight is dropped when its random bits are below this.
    pub fn threshold(&self) -> u32 {
        self.threshold
    }

    /// The key of one row of attention weights. `row` counts
    /// `(sequence * heads + head) * length + query`.
    pub fn row_key(&self, row: usize) -> u32 {
        (mix64(self.layer_key.wrapping_add(row as u64)) >> 32) as u32
    }

    /// Whether the weight of position `key` in the row with `row_key` is kept.
    #[inline]
    pub fn keeps(&self, row_key: u32, key: usize) -> bool {
        scramble(row_key ^ key_word(key)) >= self.threshold
    }
}

/// What a position adds to the hash.
#[inline]
pub fn key_word(key: usize) -> u32 {
    (key as u32).wrapping_mul(0x9e37_79b9)
}

/// SplitMix64's finaliser.
fn mix64(value: u64) -> u64 {
    let mut x = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
