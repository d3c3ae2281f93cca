//! Attention dropout from a counter-based generator.
//!
//! Which weights are dropped is a pure function of (seed, layer, position in the
//! attention matrix), so nothing has to be stored: a resumed run, another device
//! or a fused kernel drops the same ones.

use kernels::training::dropout::Dropout as LayerDropout;
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

    /// The dropout of one layer, counted from 0.
    pub(crate) fn of_layer(self, layer: usize) -> Option<LayerDropout> {
        LayerDropout::new(self.probability, self.seed, layer)
    }

    /// The factors of a layer's attention weights, `[rows, length]` row-major
    /// where `rows` is a multiple of `length`: 0 or `1 / (1 - probability)`.
    /// Weights of later positions, which the causal mask zeroes, get 0.
    pub fn factors(self, layer: usize, rows: usize, length: usize) -> Vec<f32> {
        let mut factors = vec![0.0; rows * length];
        let Some(dropout) = self.of_layer(layer) else {
            factors.fill(1.0);
            return factors;
        };
        let each = factors.par_chunks_exact_mut(length).enumerate();
        each.for_each(|(row, factors)| {
            let row_key = dropout.row_key(row);
            let visible = &mut factors[..=row % length];
            for (key, factor) in visible.iter_mut().enumerate() {
                if dropout.keeps(row_key, key) {
                    *factor = dropout.scale();
                }
            }
        });
        factors
    }
}
