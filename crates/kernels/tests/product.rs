//! Products against f64, on every instruction set and in every format.

mod common;

use common::{distance, values};
use kernels::{
    Activations, Conversion, Isa, Matrix, Output, Product, Team, Then, WeightFormat, convert,
    products,
};

const FORMATS: [(WeightFormat, f32); 3] = [
    (WeightFormat::F32, 2e-6),
    (WeightFormat::Bf16, 8e-3),
    (WeightFormat::Int8, 8e-3),
];

/// Into how many steps int8 divides the largest activation.
fn most(isa: Isa) -> f32 {
    match isa.name() {
        "avx2" => 63.0,
        _ => 127.0,
    }
}

/// `[rows, n]` in f64: `weights[n, k] x[rows, k] + bias`.
fn expected(weights: &[f32], x: &[f32], bias: &[f32], k: usize) -> Vec<f32> {
    let dot = |w: &[f32], x: &[f32]| -> f64 {
        w.iter()
            .zip(x)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let row = |x| {
        weights
            .chunks(k)
            .zip(bias)
            .map(move |(w, b)| (dot(w, x) + f64::from(*b)) as f32)
    };
    x.chunks(k).flat_map(row).collect()
}

struct Case {
    n: usize,
    k: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
    x: Vec<f32>,
}

impl Case {
    fn new(n: usize, k: usize, rows: usize) -> Self {
        let seed = (n * 1000 + k * 10 + rows) as u64;
        Self {
            n,
            k,
            weights: values(seed, n * k),
            bias: values(seed + 1, n),
            x: values(seed + 2, rows * k),
        }
    }

    fn run(&self, team: &mut Team, format: WeightFormat, then: Then, out: &mut [f32]) {
        let rows = self.x.len() / self.k;
        let matrix = Matrix::pack(team, format, &self.weights, self.n, self.k);
        let mut input = Activations::new(format, rows, self.k, team.threads());
        convert(team, [Conversion::plain(&self.x, &mut input)]);
        let product = Product {
            weights: &matrix,
            bias: Some(&self.bias),
            input: &input,
            then,
        };
        let output = Output {
            products: &[product],
            out,
        };
        products(team, rows, output);
    }
}

const SHAPES: [(usize, usize, usize); 11] = [
    (1, 1, 1),
    (16, 4, 2),
    (33, 7, 3),
    (97, 64, 5),
    (64, 31, 8),
    (10, 66, 13),
    (48, 130, 25),
    (31, 2, 7),
    (512, 512, 1),
    (40, 600, 60),
    (33, 300, 140),
];

/// The nearest bf16, ties to even.
fn to_bf16(x: &f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
}

#[test]
fn bf16_rounds_both_operands_on_every_instruction_set() {
    for (n, k, rows) in SHAPES {
        let case = Case::new(n, k, rows);
        let [weights, x] = [&case.weights, &case.x].map(|all| all.iter().map(to_bf16).collect());
        let (weights, x): (Vec<f32>, Vec<f32>) = (weights, x);
        let right = expected(&weights, &x, &case.bias, k);
        for isa in Isa::available() {
            let mut out = vec![f32::NAN; rows * n];
            let mut team = Team::with_isa(2, isa);
            case.run(&mut team, WeightFormat::Bf16, Then::Store, &mut out);
            let d = distance(&out, &right);
            assert!(d < 2e-6, "{} {n} x {k}, {rows} rows: {d}", isa.name());
        }
    }
}

#[test]
fn equals_f64_on_every_instruction_set() {
    for isa in Isa::available() {
        let mut team = Team::with_isa(2, isa);
        for (n, k, rows) in SHAPES {
            let case = Case::new(n, k, rows);
            let right = expected(&case.weights, &case.x, &case.bias, k);
            for (format, tolerance) in FORMATS {
                let mut out = vec![f32::NAN; rows * n];
                case.run(&mut team, format, Then::Store, &mut out);
                let d = distance(&out, &right);
                let tolerance = match format {
                    // Both factors are coarser, weights that are spread evenly most.
                    WeightFormat::Int8 if isa.name() == "avx2" => 3.0 * tolerance,
                    _ => tolerance,
                };
                assert!(
                    d < tolerance,
                    "{} {format:?} {n}x{k}x{rows}: {d}",
                    isa.name()
                );
            }
        }
    }
}

/// The largest of the absolute values.
fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |a, x| a.max(x.abs()))
}

/// The largest sum of the absolute values of eight: of each 64, two neighbours of which
/// the first is an even one, and those 16, 32 and 48 from them.
fn largest_of_eight(values: &[f32]) -> f32 {
    let of_lane = |block: &[f32], lane: usize| -> f32 {
        let lane = block.iter().skip(lane).step_by(16);
        lane.fold(0.0, |sum, x| sum + x.abs())
    };
    let pairs = |block| (0..16).step_by(2).map(move |i| (block, i));
    let sums = values.chunks(64).flat_map(pairs);
    sums.map(|(block, i)| of_lane(block, i) + of_lane(block, i + 1))
        .fold(0.0, f32::max)
}

/// What weights are divided by.
fn weight_scale(isa: Isa, weights: &[f32]) -> f32 {
    let scale = largest(weights) / 127.0;
    match isa.name() {
        "avx2" => scale.max(largest_of_eight(weights) / 254.0),
        _ => scale,
    }
}

/// The nearest integers to values over their scale.
fn integers(values: &[f32], scale: f32) -> Vec<i64> {
    let inverse = 1.0 / scale;
    let integer = |x: &f32| (x * inverse).round_ties_even() as i64;
    values.iter().map(integer).collect()
}

/// What `expected` is with integers in place of weights and, for each 256 columns, of
/// `x`.
fn expected_of_integers(case: &Case, isa: Isa) -> Vec<f32> {
    let mut out = Vec::new();
    for x in case.x.chunks(case.k) {
        for (weights, bias) in case.weights.chunks(case.k).zip(&case.bias) {
            let weight_scale = weight_scale(isa, weights);
            let weights = integers(weights, weight_scale);
            let piece = |(weights, x): (&[i64], &[f32])| {
                let scale = largest(x) / most(isa);
                let x = integers(x, scale);
                let sum: i64 = weights.iter().zip(x).map(|(w, x)| w * x).sum();
                sum as f64 * f64::from(scale)
            };
            let sum: f64 = weights.chunks(256).zip(x.chunks(256)).map(piece).sum();
            out.push((sum * f64::from(weight_scale) + f64::from(*bias)) as f32);
        }
    }
    out
}

#[test]
fn integers_are_what_they_should_be_on_every_instruction_set() {
    for (n, k, rows) in SHAPES {
        let case = Case::new(n, k, rows);
        for isa in Isa::available() {
            let mut out = vec![0.0; rows * n];
            case.run(
                &mut Team::with_isa(1, isa),
                WeightFormat::Int8,
                Then::Store,
                &mut out,
            );
            let d = distance(&out, &expected_of_integers(&case, isa));
            assert!(d < 2e-7, "{} {n}x{k}x{rows}: {d}", isa.name());
        }
    }
}

#[test]
fn the_largest_sums_of_integers_are_exact() {
    let (n, k, rows) = (40, 2048, 8);
    let mut case = Case::new(n, k, rows);
    case.bias.fill(0.0);
    for (i, x) in case.x.iter_mut().enumerate() {
        *x = if i / k % 2 == 0 { 1.0 } else { -1.0 };
    }
    // All alike, and half of them small.
    for odd in [1.0, 1.0 / 127.0] {
        for (i, weight) in case.weights.iter_mut().enumerate() {
            *weight = if i / 16 % 2 == 0 { -1.0 } else { -odd };
        }
        let right = expected(&case.weights, &case.x, &case.bias, k);
        for isa in Isa::available() {
            let mut out = vec![0.0; rows * n];
            let team = &mut Team::with_isa(1, isa);
            case.run(team, WeightFormat::Int8, Then::Store, &mut out);
            let d = distance(&out, &expected_of_integers(&case, isa));
            assert!(d < 2e-7, "{} {odd}: {d}", isa.name());
            // -1 and -1/127 are whole 127ths, but not whole steps of a sum of eight.
            let tolerance = if isa.name() == "avx2" { 1e-2 } else { 2e-5 };
            let d = distance(&out, &right);
            assert!(d < tolerance, "{} {odd}: {d}", isa.name());
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_in_a_batch_and_with_any_threads() {
    for (n, k, rows) in [(97, 64, 23), (40, 600, 140)] {
        let case = Case::new(n, k, rows);
        let mut alone = Case::new(n, k, rows);
        for isa in Isa::available() {
            for (format, _) in FORMATS {
                let mut batch = vec![0.0; rows * n];
                case.run(&mut Team::with_isa(3, isa), format, Then::Store, &mut batch);
                for (row, x) in case.x.chunks(k).enumerate() {
                    alone.x = x.to_vec();
                    let mut out = vec![0.0; n];
                    alone.run(&mut Team::with_isa(1, isa), format, Then::Store, &mut out);
                    assert_eq!(
                        out,
                        batch[row * n..][..n],
                        "{} {format:?} row {row}",
                        isa.name()
                    );
                }
            }
        }
    }
}

#[test]
fn adds_and_applies_silu() {
    let case = Case::new(50, 20, 3);
    let product = expected(&case.weights, &case.x, &case.bias, 20);
    let silu: Vec<f32> = product.iter().map(|x| x / (1.0 + (-x).exp())).collect();
    let twice: Vec<f32> = product.iter().map(|x| 2.0 * x + 1.0).collect();
    for isa in Isa::available() {
        let mut team = Team::with_isa(2, isa);
        let mut out = vec![0.0; 150];
        case.run(&mut team, WeightFormat::F32, Then::Silu, &mut out);
        assert!(distance(&out, &silu) < 2e-6, "{}", isa.name());
        let mut out = vec![1.0; 150];
        case.run(&mut team, WeightFormat::F32, Then::Add, &mut out);
        case.run(&mut team, WeightFormat::F32, Then::Add, &mut out);
        assert!(distance(&out, &twice) < 2e-6, "{}", isa.name());
    }
}

#[test]
#[should_panic(expected = "another width")]
fn refuses_an_input_of_another_width() {
    let mut team = Team::new(1);
    let matrix = Matrix::pack(&mut team, WeightFormat::F32, &[0.0; 64], 8, 8);
    let input = Activations::new(WeightFormat::F32, 1, 7, 1);
    let product = Product {
        weights: &matrix,
        bias: None,
        input: &input,
        then: Then::Store,
    };
    let output = Output {
        products: &[product],
        out: &mut [0.0; 8],
    };
    products(&mut team, 1, output);
}
