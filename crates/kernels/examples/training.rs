//! Where the time of a training step goes: the phases of a transformer of a
//! named size with random weights, made of this crate's kernels alone.
//!
//! Beside each phase with products: how many thousand million multiplications and
//! additions a second, and what share that is of the tile's own rate, taken before
//! and after.
//!
//! `cargo run --release -p kernels --example training [tiny|small|default]
//! [SEQUENCES] [STEPS] [f32|bf16]`

use std::time::{Duration, Instant};

use kernels::training::adamw::{Update, adamw};
use kernels::training::block::{
    Gradients, Layer, Matrices, Saved, Scratch, Tokens, Vectors, Widths, backward, forward,
};
use kernels::training::cells::{Layout, Precision};
use kernels::training::embedding::{embed, embed_backward};
use kernels::training::head::{Head, HeadGradients, HeadScratch, Labels, loss_and_gradient};
use kernels::training::linear::Linear;
use kernels::training::norm::Norm;
use kernels::training::peak::peak;
use kernels::{Piece, Pool, Team};

const VOCABULARY: usize = 10_000;
/// Of measuring the tile's own rate.
const ROUNDS: usize = 9;
const PARTS: [&str; 6] = ["pack", "embedding", "forward", "head", "backward", "adamw"];

/// One parameter: values, gradient and moments.
struct Parameter([Piece<f32>; 4]);

impl Parameter {
    /// Values that look random, in -0.05..0.05.
    fn new(pool: &mut Pool, count: usize) -> Self {
        let mut state = count as u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 / 10.0 - 0.05
        };
        let mut arrays = [(); 4].map(|()| pool.zeros(count));
        arrays[0].fill_with(next);
        Self(arrays)
    }
}

/// A layer's parameters: six matrices, four of norms, three biases.
fn layer(pool: &mut Pool, widths: Widths) -> Vec<Parameter> {
    let Widths { dim, hidden, .. } = widths;
    let square = dim * dim;
    let matrices = [square, square, square, square, hidden * dim, hidden * dim];
    let vectors = [dim, dim, dim, dim, dim, hidden, dim];
    matrices
        .into_iter()
        .chain(vectors)
        .map(|count| Parameter::new(pool, count))
        .collect()
}

/// Splits parameters into values and gradients.
fn split(parameters: &mut [Parameter]) -> (Vec<&[f32]>, Vec<&mut [f32]>) {
    let all = parameters.iter_mut();
    all.map(|Parameter([values, gradient, ..])| (&values[..], &mut gradient[..]))
        .unzip()
}

fn vectors<'a>(values: &[&'a [f32]]) -> Vectors<'a> {
    let norm = |weight: usize| Norm {
        weight: values[weight],
        bias: values[weight + 1],
    };
    Vectors {
        norm1: norm(6),
        norm2: norm(8),
        output_bias: values[10],
        up_bias: values[11],
        down_bias: values[12],
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize| arguments.get(index).map(String::as_str);
    let (layers, heads, head_dim, length) = match argument(0) {
        Some("tiny") => (4, 4, 32, 512),
        Some("small") => (6, 4, 64, 1024),
        _ => (8, 8, 64, 1024),
    };
    let number = |index, otherwise| argument(index).map_or(otherwise, |n| n.parse().unwrap());
    let (sequences, steps) = (number(1, 4), number(2, 10));
    let precision = match argument(3) {
        Some("f32") => Precision::F32,
        _ => Precision::Bf16,
    };
    let dim = heads * head_dim;
    let widths = Widths {
        dim,
        heads,
        head_dim,
        hidden: 4 * dim,
    };
    let tokens = Tokens { sequences, length };
    let count = tokens.count();
    let team = &mut Team::new(0);
    let layout = Layout::of(precision, team.isa());

    let mut network: Vec<_> = (0..layers).map(|_| layer(team.pool(), widths)).collect();
    let ends = [
        VOCABULARY * dim,
        length * dim,
        dim,
        dim,
        VOCABULARY * dim,
        VOCABULARY,
    ];
    let mut ends: Vec<_> = ends.map(|count| Parameter::new(team.pool(), count)).into();
    let mut matrices: Vec<_> = (0..layers)
        .map(|_| Matrices::new(team, layout, widths, true))
        .collect();
    let mut linear = Linear::new(team, layout, VOCABULARY, dim, true);
    let mut scratch = Scratch::new(team, layout, widths, tokens, true);
    let mut head_scratch = HeadScratch::new(team, layout, dim, VOCABULARY, count, true);
    let mut saved: Vec<_> = (0..layers)
        .map(|_| Saved::new(team, layout, widths, count))
        .collect();
    let mut streams: Vec<_> = (0..=layers)
        .map(|_| team.pool().zeros(count * dim))
        .collect();
    let mut d = team.pool().zeros(count * dim);
    let ids: Vec<u32> = (0..count).map(|i| (i * 7919 % VOCABULARY) as u32).collect();
    let labels: Vec<_> = ids.iter().map(|id| Some(*id as usize)).collect();

    // Of all tokens, forward. A backward pass has twice as many; that of attention
    // computes its scores anew.
    let layers_work = (2 * layers * count * 12 * dim * dim) as f64;
    let attention_work = (layers * 2 * count * length * dim) as f64;
    let head_work = (2 * count * VOCABULARY * dim) as f64;
    let work = [
        0.0,
        0.0,
        layers_work + attention_work,
        3.0 * head_work,
        2.0 * layers_work + 2.5 * attention_work,
        0.0,
    ];
    let before = peak(team, layout, ROUNDS);

    let mut times = Vec::new();
    for step in 0..steps {
        let mut clock = Instant::now();
        let mut lap = || std::mem::replace(&mut clock, Instant::now()).elapsed();
        let mut time = [Duration::ZERO; PARTS.len()];
        for (layer, matrices) in network.iter_mut().zip(&mut matrices) {
            let weights = split(layer).0[..6].to_vec();
            matrices.pack(team, weights.try_into().unwrap());
        }
        let (values, mut gradients) = split(&mut ends);
        linear.pack(team, values[4], 1.0);
        time[0] = lap();
        embed(
            team,
            &ids,
            length,
            values[0],
            Some(values[1]),
            dim,
            &mut streams[0],
        );
        time[1] = lap();
        for (index, (layer, matrices)) in network.iter_mut().zip(&matrices).enumerate() {
            let layer = Layer {
                tokens,
                vectors: vectors(&split(layer).0),
                matrices,
                visible: None,
                dropout: None,
                rotary: None,
            };
            let [x, out] = streams.get_disjoint_mut([index, index + 1]).unwrap();
            forward(team, &mut scratch, &layer, x, &mut saved[index], out);
        }
        time[2] = lap();
        let head = Head {
            norm: Norm {
                weight: values[2],
                bias: values[3],
            },
            matrix: &linear,
            bias: values[5],
        };
        let [d_table, d_positions, norm_weight, norm_bias, matrix, bias] = &mut gradients[..]
        else {
            panic!("six arrays");
        };
        let labels = Labels {
            ids: &labels,
            weight: 1.0 / count as f32,
        };
        let of_head = HeadGradients {
            norm_weight,
            norm_bias,
            matrix,
            bias,
        };
        let x = &streams[layers];
        loss_and_gradient(team, &mut head_scratch, &head, labels, x, &mut d, of_head);
        time[3] = lap();
        for index in (0..layers).rev() {
            let (values, gradients) = split(&mut network[index]);
            let layer = Layer {
                tokens,
                vectors: vectors(&values),
                matrices: &matrices[index],
                visible: None,
                dropout: None,
                rotary: None,
            };
            let Ok([q, k, v, o, u, w, a, b, e, f, g, h, i]) = <[_; 13]>::try_from(gradients) else {
                panic!("thirteen arrays");
            };
            let gradients = Gradients {
                matrices: [q, k, v, o, u, w],
                norms: [a, b, e, f],
                biases: [g, h, i],
            };
            let x = &streams[index];
            backward(
                team,
                &mut scratch,
                &layer,
                x,
                &saved[index],
                &mut d,
                gradients,
            );
        }
        time[4] = lap();
        let positions = Some(&mut d_positions[..]);
        embed_backward(team, &ids, length, &d, dim, d_table, positions);
        time[1] += lap();
        let update = Update {
            clip: 1.0,
            correction1: 1.0 - 0.9_f32.powi(step as i32 + 1),
            correction2: 1.0 - 0.999_f32.powi(step as i32 + 1),
            learning_rate: 4e-4,
            decay: 0.1,
        };
        for Parameter([values, gradient, first, second]) in
            network.iter_mut().flatten().chain(&mut ends)
        {
            adamw(team, update, values, gradient, first, second);
        }
        time[5] = lap();
        times.push(time);
    }
    let peak = (before + peak(team, layout, ROUNDS)) / 2.0;
    times.sort_by_key(|time| time.iter().sum::<Duration>());
    let median = times[times.len() / 2];
    let all = median.iter().sum::<Duration>().as_secs_f64();
    println!(
        "{:.0} tokens/s, {:.1} ms a step, products at {:.0} of {:.0} GFLOP/s, {:.0} %",
        count as f64 / all,
        1e3 * all,
        work.iter().sum::<f64>() / all / 1e9,
        peak / 1e9,
        100.0 * work.iter().sum::<f64>() / all / peak,
    );
    for ((part, time), work) in PARTS.into_iter().zip(median).zip(work) {
        let time = time.as_secs_f64();
        print!(
            "{part:10} {:7.2} ms {:5.1} %",
            1e3 * time,
            100.0 * time / all
        );
        if work > 0.0 {
            let rate = work / time;
            print!(
                " {:6.0} GFLOP/s {:5.1} % of the peak",
                rate / 1e9,
                100.0 * rate / peak
            );
        }
        println!();
    }
}
