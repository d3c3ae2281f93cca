//! The least likely of the most likely: where a nucleus ends (Holtzman et al.
//! 2019).
//!
//! Sorting all of a large vocabulary would take longer than the model. The bits of
//! floats that are not negative are in the order of their values, so the cut is
//! found by halving the range of bits: some twenty times all weights from the
//! middle on are summed, sixteen at a time. Where no two weights fit into what the
//! range sums up to, the one that is left is the last of the nucleus.

use crate::elements::largest_magnitude;
use crate::isa::{Isa, Kernel};
use crate::lanes::{Lanes, WIDTH};

/// Weights that are summed in f32 before the sum goes on in f64: few enough that a
/// large one does not swallow the small ones beside it.
const PART: usize = 16 * WIDTH;

struct Nucleus<'a> {
    weights: &'a [f32],
    sum: f64,
}

impl Kernel for Nucleus<'_> {
    type Output = (f32, f64);
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> (f32, f64) {
        let Self { weights, sum } = self;
        let largest = largest_magnitude(s, weights);
        // Those from the first on reach the sum, those from the second on do not.
        let (mut reaching, mut short) = (0, largest.to_bits() + 1);
        let (mut all, mut above) = (f64::INFINITY, 0.0);
        while short - reaching > 1 && all - above >= 1.9 * f64::from(f32::from_bits(reaching)) {
            let middle = reaching + (short - reaching) / 2;
            let found = sum_from(s, weights, f32::from_bits(middle));
            if found >= sum {
                (reaching, all) = (middle, found);
            } else {
                (short, above) = (middle, found);
            }
        }
        (f32::from_bits(reaching), above)
    }
}

/// The sum of the weights that are at least `least`.
#[inline(always)]
fn sum_from<S: Lanes>(s: S, weights: &[f32], least: f32) -> f64 {
    let mut total = 0.0;
    for part in weights.chunks(PART) {
        let (lines, rest) = part.as_chunks::<WIDTH>();
        let mut tail = [0.0; WIDTH];
        tail[..rest.len()].copy_from_slice(rest);
        let mut sum = s.keep_from(s.load(&tail), s.load(&tail), least);
        for line in lines {
            let weights = s.load(line);
            sum = s.add(sum, s.keep_from(weights, weights, least));
        }
        total += f64::from(s.sum(sum));
    }
    total
}

struct SumOver<'a> {
    weights: &'a [f32],
    limit: f32,
}

impl Kernel for SumOver<'_> {
    type Output = f64;
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> f64 {
        sum_from(s, self.weights, self.limit.next_up())
    }
}

/// The sum of the weights that are larger than `limit`; neither is negative, and the weights
/// are finite.
pub fn sum_over(isa: Isa, weights: &[f32], limit: f32) -> f64 {
    isa.run(SumOver { weights, limit })
}

/// A `least` so that the largest weights, as few as sum up to `sum`, are those that
/// are larger, with one that is not smaller or several that are equal to it. And
/// the sum of the larger ones, but for a single last one. 0 where even all do not
/// reach the sum.
///
/// `weights` are not negative and finite.
pub fn nucleus(isa: Isa, weights: &[f32], sum: f64) -> (f32, f64) {
    isa.run(Nucleus { weights, sum })
}
