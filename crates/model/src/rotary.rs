//! Rotary positions: queries and keys turned by angles that grow with their
//! position, so that their product depends on the distance alone (Su and others,
//! "RoFormer", 2021). Value `i` of a head is paired with value `i + head_dim / 2`,
//! as GPT-NeoX pairs them.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// The slowest pair turns by a radian in about so many positions.
const BASE: f64 = 10_000.0;

/// Cosines and sines of all angles.
#[derive(Debug, Clone)]
pub struct Rotary {
    /// `[1 or rows, 1, length, head_dim]`, both halves alike.
    cosines: Tensor<4>,
    /// Likewise.
    sines: Tensor<4>,
}

impl Rotary {
    /// The angles of positions 0 to `length - 1`; `head_dim` is even.
    pub fn new(length: usize, head_dim: usize, device: &Device) -> Self {
        let half = head_dim / 2;
        let table = |of: fn(f64) -> f64| {
            let angle = |position: usize, pair: usize| {
                position as f64 * BASE.powf(-((pair % half) as f64) / half as f64)
            };
            let rows = (0..length).flat_map(|position| {
                (0..head_dim).map(move |pair| of(angle(position, pair)) as f32)
            });
            let data = TensorData::new::<f32, _>(rows.collect(), [1, 1, length, head_dim]);
            Tensor::from_data(data, device)
        };
        Self {
            cosines: table(f64::cos),
            sines: table(f64::sin),
        }
    }

    /// The angles of `positions`, `[rows * length]`, for queries and keys of
    /// `rows` sequences.
    pub fn at(&self, positions: &Tensor<1, Int>, rows: usize) -> Self {
        let [_, _, all, head_dim] = self.cosines.dims();
        let length = positions.dims()[0] / rows;
        let of = |table: &Tensor<4>| {
            let table = table.clone().reshape([all, head_dim]);
            let table = table.select(0, positions.clone());
            table.reshape([rows, 1, length, head_dim])
        };
        Self {
            cosines: of(&self.cosines),
            sines: of(&self.sines),
        }
    }

    /// Turns queries or keys, `[rows, heads, length, head_dim]`.
    pub fn turn(&self, x: Tensor<4>) -> Tensor<4> {
        let half = x.dims()[3] / 2;
        let (first, second) = (
            x.clone().narrow(3, 0, half),
            x.clone().narrow(3, half, half),
        );
        let crossed = Tensor::cat(vec![-second, first], 3);
        x * self.cosines.clone() + crossed * self.sines.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_depend_on_the_distance_alone() {
        let device = Device::default();
        let rotary = Rotary::new(9, 6, &device);
        let same = |values: [f32; 6]| {
            let rows = values.repeat(9);
            rotary.turn(Tensor::from_data(
                TensorData::new(rows, [1, 1, 9, 6]),
                &device,
            ))
        };
        let query = same([0.3, -1.0, 0.5, 2.0, 0.1, -0.7]);
        let key = same([1.0, 0.2, -0.4, 0.6, -1.5, 0.9]);
        let products = query.matmul(key.swap_dims(2, 3)).into_data();
        let products = products.try_into_vec::<f32>().unwrap();
        let at = |query: usize, key: usize| products[query * 9 + key];
        for distance in 0..8 {
            let difference = at(distance, 0) - at(8, 8 - distance);
            assert!(difference.abs() < 1e-5, "{distance}");
        }
        // By hand: turned by nothing at distance 0.
        assert!((at(0, 0) - (0.3 - 0.2 - 0.2 + 1.2 - 0.15 - 0.63)).abs() < 1e-6);
        assert!((at(0, 0) - at(1, 0)).abs() > 0.1);
    }
}
