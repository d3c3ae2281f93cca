//! A layer and the end of a network: every instruction set and layout beside the
//! plain f32 twin, and the twin's gradients beside its differences.

use kernels::training::block::{
    Gradients, Layer, Matrices, Saved, Scratch, Tokens, Vectors, Widths, backward, forward,
};
use kernels::training::cells::Layout;
use kernels::training::dropout::Dropout;
use kernels::training::head::{
    Head, HeadGradients, HeadScratch, Labels, each_logits, loss_and_gradient,
};
use kernels::training::linear::Linear;
use kernels::training::norm::Norm;
use kernels::{Isa, Rotary, Team};

/// Numbers in -1..1 that look random.
fn noise(count: usize, seed: u32, scale: f32) -> Vec<f32> {
    let value = |i: u32| {
        let mut x = (i ^ seed.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
        x = (x ^ (x >> 15)).wrapping_mul(0xc2b2_ae35);
        ((x ^ (x >> 13)) >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count as u32).map(|i| value(i) * scale).collect()
}

/// Parameters of a layer, in the order of `Gradients`: six matrices, four of
/// norms, three biases.
#[derive(Clone)]
struct Parameters {
    widths: Widths,
    values: Vec<Vec<f32>>,
}

impl Parameters {
    fn new(widths: Widths) -> Self {
        let Widths { dim, hidden, .. } = widths;
        let square = dim * dim;
        let sizes = [
            square,
            square,
            square,
            square,
            hidden * dim,
            hidden * dim,
            dim,
            dim,
            dim,
            dim,
            dim,
            hidden,
            dim,
        ];
        let scale = 1.5 / (dim as f32).sqrt();
        let values = (1..)
            .zip(sizes)
            .map(|(seed, size)| noise(size, seed, scale));
        let mut values: Vec<_> = values.collect();
        values[6].iter_mut().for_each(|x| *x += 1.0);
        values[8].iter_mut().for_each(|x| *x += 1.0);
        Self { widths, values }
    }

    fn vectors(&self) -> Vectors<'_> {
        let norm = |weight: usize| Norm {
            weight: &self.values[weight],
            bias: &self.values[weight + 1],
        };
        Vectors {
            norm1: norm(6),
            norm2: norm(8),
            output_bias: &self.values[10],
            up_bias: &self.values[11],
            down_bias: &self.values[12],
        }
    }
}

/// What a layer gives: its output, the gradient of its input, all gradients.
type Results = (Vec<f32>, Vec<f32>, Vec<Vec<f32>>);

fn run(team: &mut Team, layout: Layout, parameters: &Parameters, case: &Case) -> Results {
    let Case {
        tokens,
        x,
        d,
        visible,
        dropout,
        rotary,
    } = case;
    let widths = parameters.widths;
    let mut matrices = Matrices::new(team, layout, widths, true);
    let weights: Vec<&[f32]> = parameters.values[..6].iter().map(Vec::as_slice).collect();
    matrices.pack(team, weights.try_into().unwrap());
    let mut scratch = Scratch::new(team, layout, widths, *tokens, true);
    let mut saved = Saved::new(team, layout, widths, tokens.count());
    let layer = Layer {
        tokens: *tokens,
        vectors: parameters.vectors(),
        matrices: &matrices,
        visible: visible.as_deref(),
        dropout: *dropout,
        rotary: rotary.as_ref(),
    };
    let mut out = vec![0.0; x.len()];
    forward(team, &mut scratch, &layer, x, &mut saved, &mut out);
    let mut d_x = d.clone();
    let zeros = |values: &Vec<f32>| vec![0.0; values.len()];
    let mut all: Vec<Vec<f32>> = parameters.values.iter().map(zeros).collect();
    let [q, k, v, o, u, w, a, b, e, f, g, h, i] = &mut all[..] else {
        panic!("thirteen arrays");
    };
    let gradients = Gradients {
        matrices: [q, k, v, o, u, w],
        norms: [a, b, e, f],
        biases: [g, h, i],
    };
    backward(team, &mut scratch, &layer, x, &saved, &mut d_x, gradients);
    (out, d_x, all)
}

struct Case {
    tokens: Tokens,
    x: Vec<f32>,
    d: Vec<f32>,
    visible: Option<Vec<bool>>,
    dropout: Option<Dropout>,
    rotary: Option<Rotary>,
}

impl Case {
    fn new(dim: usize, sequences: usize, length: usize, padded: bool, dropout: f64) -> Self {
        let count = sequences * length;
        let hidden = |token: usize| token % length > length / 2 && token.is_multiple_of(3);
        Self {
            tokens: Tokens { sequences, length },
            x: noise(count * dim, 77, 1.0),
            d: noise(count * dim, 78, 1.0),
            visible: padded.then(|| (0..count).map(|token| !hidden(token)).collect()),
            dropout: Dropout::new(dropout, 5, 1),
            rotary: None,
        }
    }
}

fn cases() -> Vec<(Widths, Case)> {
    let case = |heads, head_dim, sequences, length, padded, dropout| {
        let dim = heads * head_dim;
        let widths = Widths {
            dim,
            heads,
            head_dim,
            hidden: 4 * dim,
        };
        (widths, Case::new(dim, sequences, length, padded, dropout))
    };
    let turned = |heads, head_dim, sequences, length, padded, dropout| {
        let (widths, case) = case(heads, head_dim, sequences, length, padded, dropout);
        let rotary = Some(Rotary::new(length + 3, head_dim));
        (widths, Case { rotary, ..case })
    };
    vec![
        case(1, 4, 1, 1, false, 0.0),
        turned(2, 6, 3, 5, true, 0.0),
        case(3, 16, 2, 33, true, 0.25),
        turned(3, 16, 2, 33, true, 0.25),
        case(1, 64, 1, 129, false, 0.1),
        turned(1, 64, 1, 129, false, 0.0),
        case(2, 34, 2, 70, false, 0.0),
        // More tokens than a product sums at a time.
        case(1, 6, 3, 400, false, 0.0),
    ]
}

/// Largest difference as a part of the largest value.
fn apart(found: &[f32], expected: &[f32]) -> f32 {
    let largest = expected.iter().fold(1e-6_f32, |m, x| m.max(x.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max) / largest
}

#[test]
fn every_instruction_set_and_layout_gives_the_plain_layer() {
    for (widths, case) in cases() {
        let parameters = Parameters::new(widths);
        let mut plain = Team::with_isa(1, Isa::plain());
        let expected = run(&mut plain, Layout::Single, &parameters, &case);
        for isa in Isa::available() {
            for (layout, tolerance) in [
                (Layout::Single, 2e-5),
                (Layout::Rounded, 4e-2),
                (Layout::Pairs, 4e-2),
            ] {
                let found = run(&mut Team::with_isa(2, isa), layout, &parameters, &case);
                let name = format!("{} {layout:?} {widths:?} {:?}", isa.name(), case.tokens);
                assert!(apart(&found.0, &expected.0) < tolerance, "out: {name}");
                assert!(apart(&found.1, &expected.1) < tolerance, "d_x: {name}");
                for (index, (found, expected)) in found.2.iter().zip(&expected.2).enumerate() {
                    // One token attends to itself alone: no gradient but rounding.
                    if case.tokens.length == 1 && index < 2 {
                        continue;
                    }
                    let apart = apart(found, expected);
                    assert!(apart < tolerance, "gradient {index} {apart}: {name}");
                }
                let one = run(&mut Team::with_isa(1, isa), layout, &parameters, &case);
                assert!(one == found, "other bits with one thread: {name}");
            }
        }
    }
}

/// The sum of `out * d`, in f64.
fn objective(parameters: &Parameters, case: &Case) -> f64 {
    let mut team = Team::with_isa(1, Isa::plain());
    let (out, _, _) = run(&mut team, Layout::Single, parameters, case);
    let products = out.iter().zip(&case.d);
    products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[test]
fn gradients_are_slopes() {
    for (widths, case) in cases().into_iter().skip(1) {
        are_slopes(widths, &case);
    }
}

fn are_slopes(widths: Widths, case: &Case) {
    let parameters = Parameters::new(widths);
    let mut team = Team::with_isa(1, Isa::plain());
    let (_, d_x, gradients) = run(&mut team, Layout::Single, &parameters, case);
    let step = 2e-3;
    let slope = |gradient: &[f32], direction: &[f32]| -> f64 {
        let products = gradient.iter().zip(direction);
        products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    for (index, gradient) in gradients.iter().enumerate() {
        let direction = noise(gradient.len(), 100 + index as u32, 1.0);
        let moved = |by: f32| {
            let mut parameters = parameters.clone();
            let values = parameters.values[index].iter_mut().zip(&direction);
            values.for_each(|(value, along)| *value += by * along);
            objective(&parameters, case)
        };
        let found = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        let expected = slope(gradient, &direction);
        let scale = slope(gradient, gradient).sqrt();
        assert!(
            (found - expected).abs() < 0.01 * scale + 0.02,
            "{index}: {found} {expected} {widths:?} {:?}",
            case.tokens
        );
    }
    let direction = noise(d_x.len(), 99, 1.0);
    let moved = |by: f32| {
        let x = case.x.iter().zip(&direction);
        let case = Case {
            x: x.map(|(x, along)| x + by * along).collect(),
            d: case.d.clone(),
            visible: case.visible.clone(),
            rotary: case.rotary.clone(),
            ..*case
        };
        objective(&parameters, &case)
    };
    let found = (moved(step) - moved(-step)) / f64::from(2.0 * step);
    let expected = slope(&d_x, &direction);
    let scale = slope(&d_x, &d_x).sqrt();
    assert!(
        (found - expected).abs() < 0.01 * scale,
        "x: {found} {expected} {widths:?} {:?}",
        case.tokens
    );
}

/// The loss in f64, from `x`, the norm's weight and bias, the matrix and its
/// bias.
fn loss_in_f64(arrays: &[Vec<f32>; 5], labels: &[Option<usize>], dim: usize) -> f64 {
    let wide = |array: &Vec<f32>| array.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
    let [x, norm_weight, norm_bias, matrix, bias] = arrays.each_ref().map(wide);
    let of_token = |(x, label): (&[f64], &Option<usize>)| {
        let Some(label) = label else { return 0.0 };
        let mean = x.iter().sum::<f64>() / dim as f64;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / dim as f64;
        let scale = 1.0 / (variance + 1e-5).sqrt();
        let y = |i: usize| (x[i] - mean) * scale * norm_weight[i] + norm_bias[i];
        let logits = matrix.chunks_exact(dim).zip(&bias);
        let logits = logits.map(|(row, bias)| (0..dim).map(|i| row[i] * y(i)).sum::<f64>() + bias);
        let logits: Vec<f64> = logits.collect();
        logits.iter().map(|z| z.exp()).sum::<f64>().ln() - logits[*label]
    };
    x.chunks_exact(dim).zip(labels).map(of_token).sum()
}

#[test]
fn the_loss_is_that_of_its_logits_and_its_gradient_the_slope() {
    let (dim, vocab_size, count) = (20, 131, 41);
    let x = noise(count * dim, 1, 1.0);
    let (weight, bias) = (noise(vocab_size * dim, 2, 0.5), noise(vocab_size, 3, 0.5));
    let (norm_weight, norm_bias) = (noise(dim, 4, 1.0), noise(dim, 5, 0.3));
    let label = |token: usize| (token % 7 != 3).then_some(token * 13 % vocab_size);
    let labels: Vec<_> = (0..count).map(label).collect();
    let arrays = [&x, &norm_weight, &norm_bias, &weight, &bias].map(Clone::clone);
    // Slopes of half the loss at some places of each array.
    let slopes = [0, 1, 2, 3, 4].map(|array| {
        let places = (0..arrays[array].len()).step_by(arrays[array].len().div_ceil(40));
        let slope = |place: usize| {
            let mut moved = arrays.clone();
            let [up, down] = [1e-3, -1e-3].map(|step| {
                moved[array][place] = arrays[array][place] + step;
                (moved[array][place], loss_in_f64(&moved, &labels, dim))
            });
            (
                place,
                (0.5 * (up.1 - down.1) / f64::from(up.0 - down.0)) as f32,
            )
        };
        places.map(slope).collect::<Vec<_>>()
    });
    for isa in Isa::available() {
        for (layout, tolerance) in [(Layout::Single, 1e-4), (Layout::Pairs, 3e-2)] {
            let mut team = Team::with_isa(2, isa);
            let mut matrix = Linear::new(&mut team, layout, vocab_size, dim, true);
            matrix.pack(&mut team, &weight, 1.0);
            let mut scratch = HeadScratch::new(&mut team, layout, dim, vocab_size, count, true);
            let head = Head {
                norm: Norm {
                    weight: &norm_weight,
                    bias: &norm_bias,
                },
                matrix: &matrix,
                bias: &bias,
            };
            let mut nats = vec![0.0; count];
            each_logits(
                &mut team,
                &mut scratch,
                &head,
                &x,
                &mut nats,
                |token, logits| {
                    let sum: f64 = logits.iter().map(|z| f64::from(*z).exp()).sum();
                    labels[token].map_or(0.0, |label| sum.ln() - f64::from(logits[label]))
                },
            );
            let mut d_x = vec![0.0; x.len()];
            let mut gradients = [dim, dim, vocab_size * dim, vocab_size].map(|n| vec![0.0; n]);
            let [a, b, c, d] = &mut gradients;
            let loss = loss_and_gradient(
                &mut team,
                &mut scratch,
                &head,
                Labels {
                    ids: &labels,
                    weight: 0.5,
                },
                &x,
                &mut d_x,
                HeadGradients {
                    norm_weight: a,
                    norm_bias: b,
                    matrix: c,
                    bias: d,
                },
            );
            let sum: f64 = nats.iter().sum();
            assert!((loss / sum - 1.0).abs() < 1e-5, "{loss} {sum}");
            // The gradient by the bias is half of the sum of what is too likely.
            let total: f32 = gradients[3].iter().sum();
            assert!(total.abs() < 1e-3, "probabilities sum to one: {total}");
            let [norm_weight, norm_bias, matrix, bias] = gradients;
            let found = [d_x, norm_weight, norm_bias, matrix, bias];
            for (array, (found, slopes)) in found.iter().zip(&slopes).enumerate() {
                let found: Vec<f32> = slopes.iter().map(|(place, _)| found[*place]).collect();
                let slopes: Vec<f32> = slopes.iter().map(|(_, slope)| *slope).collect();
                let apart = apart(&found, &slopes);
                assert!(
                    apart < tolerance,
                    "{} {layout:?} {array}: {apart}",
                    isa.name()
                );
            }
        }
    }
}
