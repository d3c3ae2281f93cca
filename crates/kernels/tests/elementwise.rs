//! Exponential, softmax, SiLU and norm against f64, on every instruction set.

mod common;

use common::{distance, values};
use kernels::exp::{exp, exp_coarse, silu, silu_coarse, softmax};
use kernels::isa::Kernel;
use kernels::lanes::{Lanes, f32_to_bf16};
use kernels::norm::layer_norm;
use kernels::training::squares::sum_of_squares;
use kernels::{Isa, Team};

#[derive(Clone, Copy)]
enum Function {
    Exp,
    Coarse,
    Silu,
    CoarseSilu,
    Reciprocal,
}

struct Map<'a>(&'a mut [[f32; 16]], Function);

impl Kernel for Map<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        for line in self.0 {
            let x = s.load(line);
            let y = match self.1 {
                Function::Exp => exp(s, x),
                Function::Coarse => exp_coarse(s, x),
                Function::Silu => silu(s, x),
                Function::CoarseSilu => silu_coarse(s, x),
                Function::Reciprocal => s.reciprocal(x),
            };
            s.store(y, line);
        }
    }
}

/// The largest relative error over values from -87.2 to 88.2.
fn worst(isa: Isa, function: Function, right: impl Fn(f64) -> f64) -> f64 {
    let x: Vec<[f32; 16]> = (0..20_000)
        .map(|i| std::array::from_fn(|j| -87.2 + 175.4 * (i * 16 + j) as f32 / 320_000.0))
        .collect();
    let mut y = x.clone();
    isa.run(Map(&mut y, function));
    let pairs = x.as_flattened().iter().zip(y.as_flattened());
    pairs.fold(0.0, |worst: f64, (x, y)| {
        let right = right(f64::from(*x));
        worst.max((f64::from(*y) - right).abs() / right.abs())
    })
}

#[test]
fn exp_keeps_its_stated_error() {
    for isa in Isa::available() {
        for (function, error) in [(Function::Exp, 3e-7), (Function::Coarse, 1e-5)] {
            let worst = worst(isa, function, f64::exp);
            assert!(worst < error, "{}: {worst}", isa.name());
            let mut edge = [[f32::NEG_INFINITY; 16]];
            edge[0][1] = -88.0;
            edge[0][2] = -1e30;
            edge[0][3] = 0.0;
            edge[0][4] = 1e9;
            isa.run(Map(&mut edge, function));
            assert_eq!(edge[0][..4], [0.0, 0.0, 0.0, 1.0], "{}", isa.name());
            assert!(edge[0][4] > 2e38 && edge[0][4].is_finite());
        }
    }
}

#[test]
fn reciprocals_keep_their_stated_error() {
    for isa in Isa::available() {
        let worst = worst(isa, Function::Reciprocal, f64::recip);
        assert!(worst < 1e-4, "{}: {worst}", isa.name());
    }
}

#[test]
fn silu_equals_f64() {
    let x: Vec<[f32; 16]> = values(1, 1600).as_chunks().0.to_vec();
    let x: Vec<[f32; 16]> = x.into_iter().map(|line| line.map(|x| 30.0 * x)).collect();
    for isa in Isa::available() {
        for (function, error) in [(Function::Silu, 5e-7), (Function::CoarseSilu, 1.2e-4)] {
            let mut y = x.clone();
            isa.run(Map(&mut y, function));
            for (x, y) in x.as_flattened().iter().zip(y.as_flattened()) {
                let right = f64::from(*x) / (1.0 + (-f64::from(*x)).exp());
                let found = (f64::from(*y) - right).abs();
                assert!(found <= error * right.abs() + 1e-12, "{}: {x}", isa.name());
            }
        }
    }
}

#[test]
fn softmax_equals_f64() {
    for count in [1, 2, 15, 16, 17, 100, 1000] {
        let mut x: Vec<f32> = values(count as u64, count)
            .iter()
            .map(|x| 20.0 * x)
            .collect();
        if count > 20 {
            x[5] = f32::NEG_INFINITY;
        }
        let largest = x.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
        let e: Vec<f64> = x.iter().map(|x| f64::from(x - largest).exp()).collect();
        let sum: f64 = e.iter().sum();
        let right: Vec<f32> = e.iter().map(|e| (e / sum) as f32).collect();
        for isa in Isa::available() {
            let mut y = x.clone();
            softmax(isa, &mut y);
            assert!(distance(&y, &right) < 1e-6, "{} {count}", isa.name());
            assert!(count <= 20 || y[5] == 0.0);
        }
    }
}

struct Norm<'a>(&'a [f32], &'a [f32], &'a [f32], &'a mut [f32]);

impl Kernel for Norm<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        layer_norm(s, self.0, self.1, self.2, self.3);
    }
}

#[test]
fn norm_equals_f64() {
    for n in [1, 5, 16, 31, 64, 515] {
        // A mean far from zero: a one-pass variance would fail.
        let x: Vec<f32> = values(n as u64, n).iter().map(|x| x + 300.0).collect();
        let (weight, bias) = (values(7, n), values(8, n));
        let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / n as f64;
        let variance = x
            .iter()
            .map(|x| (f64::from(*x) - mean).powi(2))
            .sum::<f64>()
            / n as f64;
        let right: Vec<f32> = (0..n)
            .map(|i| {
                let normed = (f64::from(x[i]) - mean) / (variance + 1e-5).sqrt();
                (normed * f64::from(weight[i]) + f64::from(bias[i])) as f32
            })
            .collect();
        for isa in Isa::available() {
            let mut y = vec![0.0; n];
            isa.run(Norm(&x, &weight, &bias, &mut y));
            assert!(distance(&y, &right) < 1e-4, "{} {n}", isa.name());
        }
    }
}

#[test]
fn squares_are_summed_in_f64_the_same_by_any_number_of_threads() {
    let arrays: Vec<Vec<f32>> = [0, 1, 15, 16, 33, 32_768, 70_001]
        .iter()
        .map(|&length| values(length as u64, length))
        .collect();
    let square = |x: &f32| f64::from(*x) * f64::from(*x);
    let right: f64 = arrays.iter().flatten().map(square).sum();
    for isa in Isa::available() {
        let of = |threads| sum_of_squares(&mut Team::with_isa(threads, isa), &arrays);
        let (one, three) = (of(1), of(3));
        assert_eq!(one, three, "{}", isa.name());
        assert!(
            right > 1.0 && (one / right - 1.0).abs() < 1e-12,
            "{one} {right}"
        );
    }
}

struct Rounded<'a>(&'a [f32; 16], &'a mut [u32; 16], &'a mut [u32; 8]);

impl Kernel for Rounded<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        let x = s.load(self.0);
        s.store_bits(s.round_to_bf16(x), self.1);
        s.narrow_line(x, self.2);
    }
}

#[test]
fn bf16_is_rounded_to_even_on_every_instruction_set() {
    // Ties up and down, their neighbours, what overflows, and what is no number.
    let bits: [u32; 16] = [
        0x3f80_8000,
        0x3f81_8000,
        0x3f80_8001,
        0x3f81_7fff,
        0xbf80_8000,
        0xbf81_8000,
        0x7f7f_ffff,
        0xff7f_8000,
        0x7fc0_0001,
        0x7f80_0001,
        0xff80_0000,
        0x0000_8000,
        0x8001_8000,
        0,
        0x3fff_8000,
        0x4000_7fff,
    ];
    let right = bits.map(|bits| f32_to_bf16(f32::from_bits(bits)));
    for isa in Isa::available() {
        let (mut wide, mut narrow) = ([0; 16], [0; 8]);
        isa.run(Rounded(&bits.map(f32::from_bits), &mut wide, &mut narrow));
        let pairs: Vec<u16> = (narrow.iter())
            .flat_map(|pair| [*pair as u16, (pair >> 16) as u16])
            .collect();
        for (i, right) in right.into_iter().enumerate() {
            assert_eq!(wide[i], u32::from(right) << 16, "{}: {i}", isa.name());
            // Instructions for bf16 take numbers too small for their exponent as 0.
            if bits[i] & 0x7f80_0000 != 0 {
                assert_eq!(pairs[i], right, "{}: {i}", isa.name());
            }
        }
    }
}
