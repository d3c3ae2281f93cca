//! Rotary positions (Su and others, "RoFormer", 2021): pairs of a head's values
//! are turned by angles that grow with the position, so that the product of a
//! query and a key depends on their distance alone.
//!
//! ```text
//! a = position / BASE^(i / half)          half = head_dim / 2, i = 0 .. half - 1
//! y[i]        = x[i] cos a - x[i + half] sin a
//! y[i + half] = x[i + half] cos a + x[i] sin a
//! ```
//! Gradients go the same way back: turned by `-a`.

/// The slowest pair turns by a radian in about so many positions.
const BASE: f64 = 10_000.0;

/// Cosines and sines of all angles.
#[derive(Clone, Debug)]
pub struct Rotary {
    half: usize,
    /// `[positions, half]`.
    cosines: Vec<f32>,
    /// Likewise.
    sines: Vec<f32>,
}

impl Rotary {
    /// The angles of positions 0 to `positions - 1`. Panics when `head_dim` is
    /// odd.
    pub fn new(positions: usize, head_dim: usize) -> Self {
        assert!(head_dim.is_multiple_of(2), "values are turned in pairs");
        let half = head_dim / 2;
        let table = |of: fn(f64) -> f64| {
            let speeds = (0..half).map(|i| BASE.powf(-(i as f64) / half as f64));
            let speeds: Vec<_> = speeds.collect();
            let angles = (0..positions).flat_map(|at| speeds.iter().map(move |v| at as f64 * v));
            angles.map(|angle| of(angle) as f32).collect()
        };
        Self {
            half,
            cosines: table(f64::cos),
            sines: table(f64::sin),
        }
    }

    /// Turns whole heads, f32 `[heads, head_dim]`, that are at `position`.
    #[inline(always)]
    pub fn turn(&self, position: usize, heads: &mut [f32]) {
        self.by(position, heads, 1.0);
    }

    /// Undoes [`turn`](Self::turn), and takes gradients from behind it to before.
    #[inline(always)]
    pub fn turn_back(&self, position: usize, heads: &mut [f32]) {
        self.by(position, heads, -1.0);
    }

    #[inline(always)]
    fn by(&self, position: usize, heads: &mut [f32], sign: f32) {
        let angles = position * self.half..(position + 1) * self.half;
        let (cosines, sines) = (&self.cosines[angles.clone()], &self.sines[angles]);
        for head in heads.chunks_exact_mut(2 * self.half) {
            let (first, second) = head.split_at_mut(self.half);
            let pairs = first.iter_mut().zip(second);
            for ((x, y), (cos, sin)) in pairs.zip(cosines.iter().zip(sines)) {
                let sin = sign * sin;
                (*x, *y) = (*x * cos - *y * sin, *y * cos + *x * sin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_depend_on_the_distance_alone() {
        let rotary = Rotary::new(40, 6);
        let at = |position, mut row: [f32; 6]| {
            rotary.turn(position, &mut row);
            row
        };
        let product = |query, key| {
            let query = at(query, [0.3, -1.0, 0.5, 2.0, 0.1, -0.7]);
            let key = at(key, [1.0, 0.2, -0.4, 0.6, -1.5, 0.9]);
            query.iter().zip(key).map(|(q, k)| q * k).sum::<f32>()
        };
        for distance in 0..20 {
            let difference = product(distance, 0) - product(distance + 19, 19);
            assert!(difference.abs() < 1e-5, "{distance}: {difference}");
        }
        assert!((product(3, 0) - product(4, 0)).abs() > 0.1);
    }

    #[test]
    fn pairs_turn_at_their_own_speeds() {
        // Half a head: speeds 1 and 10,000^(-1/2) = 1/100. Two heads alike.
        let rotary = Rotary::new(101, 4);
        let mut heads = [1.0, 2.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0];
        rotary.turn(100, &mut heads);
        let (fast, slow) = (100.0_f32, 1.0_f32);
        let turned = [fast.cos(), 2.0 * slow.cos(), fast.sin(), 2.0 * slow.sin()];
        for head in heads.chunks(4) {
            for (is, should) in head.iter().zip(turned) {
                assert!((is - should).abs() < 1e-5, "{is} is not {should}");
            }
        }
        rotary.turn_back(100, &mut heads);
        for (is, should) in heads.iter().zip([1.0, 2.0, 0.0, 0.0].repeat(2)) {
            assert!((is - should).abs() < 1e-5, "{is} is not {should}");
        }
    }
}
