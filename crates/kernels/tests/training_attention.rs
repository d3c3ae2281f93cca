//! Attention of training against f64, on every instruction set and layout.

mod common;

use common::{distance, values};
use kernels::training::attention::{
    Gradients, Inputs, Results, Rows, RowsMut, Scratch, Shape, backward, forward,
};
use kernels::training::cells::Layout;
use kernels::training::dropout::Dropout;
use kernels::{Isa, Team};

mod reference {
    //! The plain twin: f64, one loop a formula.
    use super::*;

    /// A problem in f64; operands are `[sequences, length, heads, head_dim]`.
    pub struct Problem {
        pub shape: Shape,
        pub operands: [Vec<f64>; 3],
        pub visible: Option<Vec<bool>>,
        pub dropout: Option<Dropout>,
    }

    impl Problem {
        fn at(&self, sequence: usize, head: usize, position: usize) -> usize {
            let Shape {
                heads,
                length,
                head_dim,
                ..
            } = self.shape;
            ((sequence * length + position) * heads + head) * head_dim
        }

        fn dot(&self, a: &[f64], i: usize, b: &[f64], j: usize) -> f64 {
            let head_dim = self.shape.head_dim;
            let pairs = a[i..i + head_dim].iter().zip(&b[j..j + head_dim]);
            pairs.map(|(a, b)| a * b).sum()
        }

        /// Weights of a query before dropout, the factors of dropout, and
        /// whether the query sees a key.
        fn weights(
            &self,
            sequence: usize,
            head: usize,
            query: usize,
        ) -> (Vec<f64>, Vec<f64>, bool) {
            let Shape { heads, length, .. } = self.shape;
            let [q, k, _] = &self.operands;
            let sees = |key: usize| {
                let visible = self.visible.as_ref();
                key <= query && visible.is_none_or(|v| v[sequence * length + key])
            };
            let score = |key| {
                let (i, j) = (self.at(sequence, head, query), self.at(sequence, head, key));
                // As the composite: hidden scores are the smallest f32.
                if sees(key) {
                    self.dot(q, i, k, j)
                } else {
                    f64::from(f32::MIN)
                }
            };
            let scores: Vec<f64> = (0..length).map(score).collect();
            let largest = scores.iter().copied().fold(f64::MIN, f64::max);
            let e: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
            let sum: f64 = e.iter().sum();
            let factor = |key| match self.dropout {
                None => 1.0,
                Some(_) if key > query => 0.0,
                Some(dropout) => {
                    let row_key = dropout.row_key((sequence * heads + head) * length + query);
                    if dropout.keeps(row_key, key) {
                        f64::from(dropout.scale())
                    } else {
                        0.0
                    }
                }
            };
            let weights = e.iter().map(|e| e / sum).collect();
            (
                weights,
                (0..length).map(factor).collect(),
                (0..length).any(sees),
            )
        }

        fn each(&self, mut f: impl FnMut(usize, usize, usize)) {
            for sequence in 0..self.shape.sequences {
                for head in 0..self.shape.heads {
                    for query in 0..self.shape.length {
                        f(sequence, head, query);
                    }
                }
            }
        }

        pub fn forward(&self) -> Vec<f64> {
            let Shape {
                length, head_dim, ..
            } = self.shape;
            let mut out = vec![0.0; self.operands[0].len()];
            self.each(|sequence, head, query| {
                let (p, f, _) = self.weights(sequence, head, query);
                let i = self.at(sequence, head, query);
                for key in 0..length {
                    let j = self.at(sequence, head, key);
                    for d in 0..head_dim {
                        out[i + d] += p[key] * f[key] * self.operands[2][j + d];
                    }
                }
            });
            out
        }

        /// The gradients of q, k and v.
        pub fn backward(&self, d_out: &[f64]) -> [Vec<f64>; 3] {
            let Shape {
                length, head_dim, ..
            } = self.shape;
            let [q, k, v] = &self.operands;
            let mut gradients = [q, k, v].map(|x| vec![0.0; x.len()]);
            self.each(|sequence, head, query| {
                let (p, f, sees) = self.weights(sequence, head, query);
                let i = self.at(sequence, head, query);
                let key = |key| self.at(sequence, head, key);
                let dp: Vec<f64> = (0..length)
                    .map(|j| f[j] * self.dot(d_out, i, v, key(j)))
                    .collect();
                let mean: f64 = p.iter().zip(&dp).map(|(p, dp)| p * dp).sum();
                for j in 0..length {
                    let ds = if sees { p[j] * (dp[j] - mean) } else { 0.0 };
                    for d in 0..head_dim {
                        gradients[0][i + d] += ds * k[key(j) + d];
                        gradients[1][key(j) + d] += ds * q[i + d];
                        gradients[2][key(j) + d] += p[j] * f[j] * d_out[i + d];
                    }
                }
            });
            gradients
        }
    }
}
use reference::Problem;

/// Cells of rows of `[rows, heads * head_dim]` values, with unused cells between
/// rows.
fn cells(layout: Layout, shape: &Shape, values: &[f32]) -> (Vec<u32>, usize) {
    let width = shape.heads * shape.head_dim;
    let stride = layout.cells(width) + 5;
    let mut cells = vec![0xffff_ffff; values.len() / width * stride];
    for (row, out) in values.chunks(width).zip(cells.chunks_mut(stride)) {
        for (values, out) in row.chunks(layout.group()).zip(out) {
            *out = match layout {
                Layout::Single | Layout::Rounded => values[0].to_bits(),
                Layout::Pairs => values[0].to_bits() >> 16 | values[1].to_bits() & 0xffff_0000,
            };
        }
    }
    (cells, stride)
}

fn widened(layout: Layout, shape: &Shape, cells: &[u32], stride: usize) -> Vec<f32> {
    let width = layout.cells(shape.heads * shape.head_dim);
    let rows = cells.chunks(stride).flat_map(|row| &row[..width]);
    match layout {
        Layout::Single | Layout::Rounded => rows.map(|c| f32::from_bits(*c)).collect(),
        Layout::Pairs => rows
            .flat_map(|c| [c << 16, c & 0xffff_0000].map(f32::from_bits))
            .collect(),
    }
}

/// Random values; bf16 where the layout is of bf16, so that inputs are exact.
fn random(layout: Layout, seed: u64, count: usize, scale: f32) -> Vec<f32> {
    let exact = |x: f32| match layout {
        Layout::Single => x * scale,
        _ => f32::from_bits((x * scale).to_bits() & 0xffff_0000),
    };
    values(seed, count).into_iter().map(exact).collect()
}

struct Found {
    out: Vec<f32>,
    gradients: [Vec<f32>; 3],
    /// Every cell that was written.
    bits: Vec<u32>,
}

struct Case {
    problem: Problem,
    operands: [Vec<f32>; 3],
    d_out: Vec<f32>,
}

fn case(
    layout: Layout,
    shape: Shape,
    visible: Option<Vec<bool>>,
    dropout: Option<Dropout>,
) -> Case {
    let count = shape.sequences * shape.length * shape.heads * shape.head_dim;
    // Scores of a standard deviation of about 2.
    let scale = 2.0 / (shape.head_dim as f32).powf(0.25) * 1.5;
    let operands = [
        random(layout, 1, count, scale),
        random(layout, 2, count, scale),
        random(layout, 3, count, 1.0),
    ];
    let wide = |x: &Vec<f32>| x.iter().copied().map(f64::from).collect::<Vec<_>>();
    Case {
        problem: Problem {
            shape,
            operands: [0, 1, 2].map(|i| wide(&operands[i])),
            visible,
            dropout,
        },
        d_out: random(layout, 4, count, 1.0),
        operands,
    }
}

fn run(isa: Isa, layout: Layout, threads: usize, case: &Case) -> Found {
    let Problem {
        shape,
        visible,
        dropout,
        ..
    } = &case.problem;
    let mut team = Team::with_isa(threads, isa);
    // Room for longer sequences than this one.
    let mut scratch = Scratch::new(layout, shape.length + 7, shape.head_dim, threads);
    let [q, k, v] = [0, 1, 2].map(|i| cells(layout, shape, &case.operands[i]));
    let (d_out, stride) = cells(layout, shape, &case.d_out);
    let rows =
        |(cells, stride): &'_ (Vec<u32>, usize)| -> (usize, usize) { (cells.len(), *stride) };
    let (len, _) = rows(&q);
    let inputs = Inputs {
        q: Rows {
            cells: &q.0,
            stride: q.1,
        },
        k: Rows {
            cells: &k.0,
            stride: k.1,
        },
        v: Rows {
            cells: &v.0,
            stride: v.1,
        },
        visible: visible.as_deref(),
        dropout: *dropout,
        rotary: None,
    };
    let mut out = vec![0x7fc0_7fc0; len];
    let mut statistics = vec![f32::NAN; shape.sequences * shape.heads * shape.length];
    let target = RowsMut {
        cells: &mut out,
        stride,
    };
    forward(
        &mut team,
        shape,
        &inputs,
        &mut scratch,
        target,
        &mut statistics,
    );
    let mut gradients = [(); 3].map(|()| vec![0x7fc0_7fc0; len]);
    let results = Results {
        statistics: &statistics,
        out: Rows {
            cells: &out,
            stride,
        },
        d_out: Rows {
            cells: &d_out,
            stride,
        },
    };
    let [q, k, v] = &mut gradients;
    let targets = Gradients {
        q: RowsMut { cells: q, stride },
        k: RowsMut { cells: k, stride },
        v: RowsMut { cells: v, stride },
    };
    backward(&mut team, shape, &inputs, &results, &mut scratch, targets);
    let bits = gradients.iter().chain([&out]).flatten().copied();
    Found {
        bits: bits.chain(statistics.iter().map(|x| x.to_bits())).collect(),
        out: widened(layout, shape, &out, stride),
        gradients: gradients.map(|cells| widened(layout, shape, &cells, stride)),
    }
}

/// The largest difference that rounding explains, of the largest value.
fn tolerance(layout: Layout) -> f32 {
    match layout {
        Layout::Single => 1e-5,
        // Weights, `ds`, results and the output behind `D` are rounded to 8 bits.
        Layout::Rounded | Layout::Pairs => 2.5e-2,
    }
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|x| *x as f32).collect()
}

#[track_caller]
fn check(isa: Isa, layout: Layout, case: &Case) {
    let found = run(isa, layout, 1, case);
    let what = format!("{} {layout:?} {:?}", isa.name(), case.problem.shape);
    let d_out: Vec<f64> = case.d_out.iter().copied().map(f64::from).collect();
    let [q, k, v] = case.problem.backward(&d_out);
    let pairs = [
        ("out", &found.out, case.problem.forward()),
        ("d_q", &found.gradients[0], q),
        ("d_k", &found.gradients[1], k),
        ("d_v", &found.gradients[2], v),
    ];
    for (name, found, expected) in pairs {
        let far = distance_or_both_zero(found, &narrow(&expected));
        assert!(far < tolerance(layout), "{what} {name}: {far}");
    }
}

/// [`distance`]; gradients that are zero but for rounding compare with 1.
#[track_caller]
fn distance_or_both_zero(found: &[f32], expected: &[f32]) -> f32 {
    let largest = expected.iter().fold(0.0_f32, |a, x| a.max(x.abs()));
    distance(found, expected)
        * if largest < 1e-6 {
            largest.max(1e-30)
        } else {
            1.0
        }
}

const LAYOUTS: [Layout; 3] = [Layout::Single, Layout::Rounded, Layout::Pairs];

fn shapes() -> Vec<Shape> {
    let shape = |(sequences, heads, length, head_dim)| Shape {
        sequences,
        heads,
        length,
        head_dim,
    };
    let all = [
        (1, 1, 1, 1),
        (2, 3, 1, 8),
        (1, 2, 7, 33),
        (2, 1, 17, 16),
        (1, 2, 48, 64),
        (2, 2, 61, 8),
        (1, 1, 97, 128),
        (1, 1, 211, 1),
        (1, 2, 301, 64),
        (1, 1, 402, 18),
    ];
    all.map(shape).to_vec()
}

fn fits(layout: Layout, shape: &Shape) -> bool {
    shape.head_dim.is_multiple_of(layout.group())
}

fn everywhere(mut each: impl FnMut(Isa, Layout)) {
    for isa in Isa::available() {
        for layout in LAYOUTS {
            each(isa, layout);
        }
    }
}

#[test]
fn equals_f64() {
    everywhere(|isa, layout| {
        for shape in shapes().into_iter().filter(|shape| fits(layout, shape)) {
            for dropout in [None, Dropout::new(0.3, 7, 2)] {
                check(isa, layout, &case(layout, shape, None, dropout));
            }
        }
    });
}

#[test]
fn pad_is_hidden() {
    let shape = Shape {
        sequences: 4,
        heads: 2,
        length: 113,
        head_dim: 16,
    };
    // Right; left, so that the first queries see no key; in the middle; all.
    let sees = |sequence: usize, position: usize| match sequence {
        0 => position < 59,
        1 => position >= 50,
        2 => !(13..77).contains(&position),
        _ => false,
    };
    let all = (0..4).flat_map(|s| (0..113).map(move |p| sees(s, p)));
    let visible: Vec<bool> = all.collect();
    everywhere(|isa, layout| {
        for dropout in [None, Dropout::new(0.3, 7, 2)] {
            check(
                isa,
                layout,
                &case(layout, shape, Some(visible.clone()), dropout),
            );
        }
    });
}

#[test]
fn same_bits_for_any_number_of_threads() {
    let shape = Shape {
        sequences: 3,
        heads: 3,
        length: 131,
        head_dim: 32,
    };
    everywhere(|isa, layout| {
        let case = case(layout, shape, None, Dropout::new(0.1, 3, 0));
        let one = run(isa, layout, 1, &case);
        let two = run(isa, layout, 2, &case);
        assert!(one.bits == two.bits, "{} {layout:?}", isa.name());
    });
}

#[test]
fn the_twin_s_gradients_are_finite_differences() {
    let shape = Shape {
        sequences: 2,
        heads: 2,
        length: 9,
        head_dim: 3,
    };
    let visible = Some((0..18).map(|i| i != 3 && i != 9 && i != 10).collect());
    let mut case = case(Layout::Single, shape, visible, Dropout::new(0.2, 5, 1));
    let d_out: Vec<f64> = case.d_out.iter().copied().map(f64::from).collect();
    let loss = |problem: &Problem| -> f64 {
        problem
            .forward()
            .iter()
            .zip(&d_out)
            .map(|(a, b)| a * b)
            .sum()
    };
    let gradients = case.problem.backward(&d_out);
    const STEP: f64 = 1e-5;
    for (operand, gradient) in gradients.iter().enumerate() {
        for (i, expected) in gradient.iter().enumerate() {
            let value = case.problem.operands[operand][i];
            let mut at = |x| {
                case.problem.operands[operand][i] = x;
                loss(&case.problem)
            };
            let found = (at(value + STEP) - at(value - STEP)) / (2.0 * STEP);
            at(value);
            assert!(
                (found - expected).abs() < 1e-8,
                "{operand} {i}: {found} {expected}"
            );
        }
    }
}
