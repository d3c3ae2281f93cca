//! The sum of the squares of all gradients, for clipping them.

use std::ops::Deref;

use crate::isa::Kernel;
use crate::lanes::{Lanes, WIDTH};
use crate::team::Team;

/// Values that one task sums.
const CHUNK: usize = 1 << 15;

/// The sum of the squares of all values, f32, in f64. The order of the sum
/// depends on the arrays' lengths alone.
pub fn sum_of_squares(team: &mut Team, arrays: &[impl Deref<Target = [f32]>]) -> f64 {
    let chunks: Vec<_> = arrays.iter().flat_map(|a| a.chunks(CHUNK)).collect();
    let mut sums = vec![0.0; chunks.len()];
    let isa = team.isa();
    team.for_each(&mut sums, |index, sum| {
        *sum = isa.run(Squares(chunks[index]));
    });
    sums.iter().sum()
}

struct Squares<'a>(&'a [f32]);

impl Kernel for Squares<'_> {
    type Output = f64;
    /// Sixteen running sums in plain arithmetic, which the compiler turns into
    /// vectors of the instruction set.
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) -> f64 {
        let (lines, rest) = self.0.as_chunks::<WIDTH>();
        let mut sums = [0.0; WIDTH];
        for line in lines {
            for (sum, value) in sums.iter_mut().zip(line) {
                let value = f64::from(*value);
                *sum += value * value;
            }
        }
        let mut total = 0.0;
        for sum in sums {
            total += sum;
        }
        for value in rest {
            total += f64::from(*value) * f64::from(*value);
        }
        total
    }
}
