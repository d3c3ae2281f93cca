//! Floating point to whole numbers.

/// Rounds samples to a number of bits, with dither: noise of a triangular
/// distribution that turns the distortion of rounding into an even hiss below
/// the last bit (Lipshitz, Wannamaker and Vanderkooy 1992). Exact silence stays
/// exact silence. The noise is the same each time.
pub struct Quantizer {
    scale: f32,
    state: u32,
}

impl Quantizer {
    /// For whole numbers of that many bits, 16 or 24.
    pub fn new(bits: u32) -> Self {
        Self {
            scale: ((1_u32 << (bits - 1)) - 1) as f32,
            state: 1,
        }
    }

    /// The whole number nearest to a sample between -1 and 1.
    pub fn quantize(&mut self, sample: f32) -> i32 {
        if sample == 0.0 {
            return 0;
        }
        let noise = self.uniform() - self.uniform();
        let value = (sample * self.scale + noise).round();
        value.clamp(-self.scale, self.scale) as i32
    }

    /// Between 0 and 1, by a linear congruential generator.
    fn uniform(&mut self) -> f32 {
        self.state = self
            .state
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        (self.state >> 8) as f32 / (1_u32 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dither_keeps_what_is_below_the_last_bit_and_silence_silent() {
        let mut quantizer = Quantizer::new(16);
        let quarter = 0.25 / 32767.0;
        let sum: i32 = (0..40_000).map(|_| quantizer.quantize(quarter)).sum();
        assert!((f64::from(sum) / 40_000.0 - 0.25).abs() < 0.02, "{sum}");
        assert!((0..1000).all(|_| quantizer.quantize(0.0) == 0));
        assert_eq!(quantizer.quantize(2.0), 32767);
    }
}
