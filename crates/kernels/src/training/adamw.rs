//! AdamW in one pass over parameters, gradients and moments.
//!
//! `g' = g clip`, `m = 0.9 m + 0.1 g'`, `v = 0.999 v + 0.001 g'^2`,
//! `p -= rate (m / c1 / (sqrt(v / c2) + 1e-8) + decay p)`, with the corrections
//! `c1 = 1 - 0.9^t` and `c2 = 1 - 0.999^t` (Loshchilov and Hutter, as optax
//! computes it). The gradient is zeroed for the next accumulation.

use crate::isa::Kernel;
use crate::lanes::{Lanes, WIDTH};
use crate::shared::SharedMut;
use crate::team::Team;

/// Decay of the first moment.
pub const BETA1: f32 = 0.9;
/// Decay of the second moment.
pub const BETA2: f32 = 0.999;
/// `1 - BETA1` and `1 - BETA2` before rounding to f32, as the original has them.
const REST1: f32 = 0.1;
const REST2: f32 = 0.001;
/// Added outside the square root.
const EPSILON: f32 = 1e-8;
/// Values that one task updates.
const CHUNK: usize = 1 << 15;

/// The numbers of one step's update of one parameter.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// What gradients are multiplied by; 1 where they are not clipped.
    pub clip: f32,
    /// `1 - BETA1^t`.
    pub correction1: f32,
    /// `1 - BETA2^t`.
    pub correction2: f32,
    /// Learning rate.
    pub learning_rate: f32,
    /// Weight decay.
    pub decay: f32,
}

/// Updates `values` and both moments and zeroes the gradient, all f32 of one
/// length.
pub fn adamw(
    team: &mut Team,
    update: Update,
    values: &mut [f32],
    gradient: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let length = values.len();
    assert!(
        gradient.len() == length && first.len() == length && second.len() == length,
        "gradient or moments of another shape"
    );
    let isa = team.isa();
    let all = [values, gradient, first, second].map(SharedMut::new);
    team.run(length.div_ceil(CHUNK), &|_, task| {
        let from = task * CHUNK;
        let count = CHUNK.min(length - from);
        // SAFETY: one task for these values.
        let parts = unsafe { all.each_ref().map(|all| all.part(from, count)) };
        isa.run(Pass { update, parts });
    });
}

struct Pass<'a> {
    update: Update,
    parts: [&'a mut [f32]; 4],
}

impl Kernel for Pass<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        let [values, gradient, first, second] = self.parts;
        let full = values.len() - values.len() % WIDTH;
        let lines = (values.as_chunks_mut().0.iter_mut())
            .zip(gradient.as_chunks_mut().0)
            .zip(
                first
                    .as_chunks_mut()
                    .0
                    .iter_mut()
                    .zip(second.as_chunks_mut().0),
            );
        for ((value, gradient), (first, second)) in lines {
            step(s, self.update, value, gradient, first, second);
        }
        let mut padded = [[0.0; WIDTH]; 4];
        let rest = values.len() - full;
        let tails = [values, gradient, first, second].map(|all| &mut all[full..]);
        for (padded, tail) in padded.iter_mut().zip(&tails) {
            padded[..rest].copy_from_slice(tail);
        }
        let [value, gradient, first, second] = &mut padded;
        step(s, self.update, value, gradient, first, second);
        for (padded, tail) in padded.iter().zip(tails) {
            tail.copy_from_slice(&padded[..rest]);
        }
    }
}

#[inline(always)]
fn step<S: Lanes>(
    s: S,
    update: Update,
    value: &mut [f32; WIDTH],
    gradient: &mut [f32; WIDTH],
    first: &mut [f32; WIDTH],
    second: &mut [f32; WIDTH],
) {
    let g = s.mul(s.load(gradient), s.splat(update.clip));
    let m = s.mul_add(s.splat(REST1), g, s.mul(s.splat(BETA1), s.load(first)));
    let v = s.mul_add(
        s.splat(REST2),
        s.mul(g, g),
        s.mul(s.splat(BETA2), s.load(second)),
    );
    let root = s.sqrt(s.mul(v, s.splat(1.0 / update.correction2)));
    let direction = s.div(
        s.mul(m, s.splat(1.0 / update.correction1)),
        s.add(root, s.splat(EPSILON)),
    );
    let p = s.load(value);
    let change = s.mul_add(s.splat(update.decay), p, direction);
    let p = s.sub(p, s.mul(s.splat(update.learning_rate), change));
    s.store(p, value);
    s.store(m, first);
    s.store(v, second);
    *gradient = [0.0; WIDTH];
}
