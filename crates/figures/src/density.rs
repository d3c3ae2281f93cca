//! Densities of values, estimated with Gaussian kernels.

/// A density at evenly spaced places.
pub struct Density {
    values: Vec<f64>,
    spacing: f64,
}

impl Density {
    /// The density of values at `places` places from `least` to `most`, which lie
    /// around all values. Kernels are as wide as Scott's rule has it (standard
    /// deviation times n^(-1/5), as `scipy.stats.gaussian_kde`). Each value is
    /// shared out between its two neighbouring places first (Wand 1994), which
    /// changes little where places are closer than kernels are wide, and takes
    /// time in proportion to the values. `None` where all values are alike.
    pub fn new(values: &[f64], least: f64, most: f64, places: usize) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>();
        let width = (squares / (count - 1.0)).sqrt() * count.powf(-0.2);
        // Not so for no value, or a single one.
        let spread = width > 1e-12 * (most - least).abs();
        if !spread || places < 2 {
            return None;
        }
        let spacing = (most - least) / (places - 1) as f64;
        let mut shared = vec![0.0; places];
        for value in values {
            let place = ((value - least) / spacing).clamp(0.0, (places - 1) as f64);
            let (below, above) = (place as usize, place.fract());
            shared[below] += 1.0 - above;
            if let Some(next) = shared.get_mut(below + 1) {
                *next += above;
            }
        }
        let kernel = |distance: usize| (-(distance as f64 * spacing / width).powi(2) / 2.0).exp();
        let kernel: Vec<f64> = (0..places).map(kernel).collect();
        let area = width * (2.0 * std::f64::consts::PI).sqrt() * count;
        let density = |place: usize| {
            let shared = shared.iter().enumerate();
            let sum: f64 = shared
                .map(|(other, share)| share * kernel[place.abs_diff(other)])
                .sum();
            sum / area
        };
        let values = (0..places).map(density).collect();
        Some(Self { values, spacing })
    }

    /// The area under both of two densities at the same places, by trapezoids.
    pub fn overlapping_area(&self, other: &Self) -> f64 {
        let both = self
            .values
            .iter()
            .zip(&other.values)
            .map(|(a, b)| a.min(*b));
        let both: Vec<f64> = both.collect();
        both.windows(2)
            .map(|pair| (pair[0] + pair[1]) / 2.0 * self.spacing)
            .sum()
    }

    /// Kullback-Leibler divergence in nats of the other from this one, both at
    /// the same places and brought to a sum of 1; infinite where the other has
    /// no density at all and this one has.
    pub fn divergence(&self, other: &Self) -> f64 {
        let (sum, others) = (
            self.values.iter().sum::<f64>(),
            other.values.iter().sum::<f64>(),
        );
        let pairs = self
            .values
            .iter()
            .zip(&other.values)
            .filter(|(a, _)| **a > 0.0);
        pairs
            .map(|(a, b)| (a / sum) * ((a / sum) / (b / others)).ln())
            .sum()
    }
}
