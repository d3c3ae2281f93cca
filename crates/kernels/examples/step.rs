//! Where the time of a decoding step goes: each phase of a transformer of the
//! default size (8 layers of 512, a head of 10,000) with random weights, and what
//! memory gives when it is only read. Here one phase comes after the other; in use the
//! MLP's first product is a phase with attention.
//!
//! `cargo run --release -p kernels --example step [positions] [threads] [shared]`: of
//! the positions so many are in one cache for all rows, a multiple of 32.

use kernels::{
    Activations, Attention, CacheShape, Caches, Conversion, HeadCache, Matrix, Output, Prefix,
    Product, Span, Team, Then, WeightFormat, convert, products,
};
use std::hint::black_box;
use std::time::Instant;

const LAYERS: usize = 8;
const DIM: usize = 512;
const HEADS: usize = 8;
const HEAD_DIM: usize = 64;
const VOCABULARY: usize = 10_000;
const CAPACITY: usize = 1024;
const STEPS: usize = 60;

struct Model {
    qkv: Vec<Matrix>,
    expand: Vec<Matrix>,
    output: Vec<Matrix>,
    contract: Vec<Matrix>,
    head: Matrix,
}

/// Values that look random, in -0.05..0.05.
fn values(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 / 10.0 - 0.05
    };
    std::iter::repeat_with(next).take(count).collect()
}

impl Model {
    fn new(team: &mut Team, format: WeightFormat) -> Self {
        let mut pack = |rows, columns| {
            let weights = values(rows * columns);
            Matrix::pack(team, format, &weights, rows, columns)
        };
        let mut layers = |rows, columns| (0..LAYERS).map(|_| pack(rows, columns)).collect();
        Self {
            qkv: layers(3 * DIM, DIM),
            expand: layers(4 * DIM, DIM),
            output: layers(DIM, DIM),
            contract: layers(DIM, 4 * DIM),
            head: pack(VOCABULARY, DIM),
        }
    }

    fn bytes(&self) -> usize {
        let all = [&self.qkv, &self.expand, &self.output, &self.contract];
        let layers: usize = all.into_iter().flatten().map(Matrix::bytes).sum();
        layers + self.head.bytes()
    }
}

/// Seconds of each phase, summed over the steps.
#[derive(Default)]
struct Times {
    convert: f64,
    products: f64,
    attention: f64,
    head: f64,
}

fn lap(clock: &mut Instant, sum: &mut f64) {
    let now = Instant::now();
    *sum += now.duration_since(*clock).as_secs_f64();
    *clock = now;
}

fn product<'a>(weights: &'a Matrix, input: &'a Activations, then: Then) -> Product<'a> {
    Product {
        weights,
        bias: None,
        input,
        then,
    }
}

fn norm<'a>(x: &'a [f32], out: &'a mut Activations) -> Conversion<'a> {
    Conversion {
        x,
        norm: Some((&[1.0; DIM], &[0.0; DIM])),
        out,
    }
}

fn step(
    team: &mut Team,
    format: WeightFormat,
    model: &Model,
    rows: usize,
    [position, positions]: [usize; 2],
) {
    let threads = team.threads();
    let mut x = values(rows * DIM);
    let mut qkv = vec![0.0; rows * 3 * DIM];
    let mut hidden = vec![0.0; rows * 4 * DIM];
    let mut attended = vec![0.0; rows * DIM];
    let mut logits = vec![0.0; rows * VOCABULARY];
    let mut narrow = Activations::new(format, rows, DIM, threads);
    let mut other = Activations::new(format, rows, DIM, threads);
    let mut wide = Activations::new(format, rows, 4 * DIM, threads);
    let mut attention = Attention::new(LAYERS, HEADS, HEAD_DIM, CAPACITY, threads);
    let shape = CacheShape {
        sequences: rows,
        heads: LAYERS * HEADS,
        head_dim: HEAD_DIM,
        capacity: CAPACITY,
        stripe: 0,
    };
    let mut caches = HeadCache::all(team, format, shape);
    let prefix = CacheShape {
        sequences: 1,
        ..shape
    };
    let mut shared = HeadCache::all(team, format, prefix);
    let span = |row| Span {
        sequence: row,
        row,
        rows: 1,
        position,
        prefix: Prefix {
            index: 0,
            positions,
        },
    };
    let spans: Vec<Span> = (0..rows).map(span).collect();
    fill(team, &mut attention, &mut caches, rows, position);
    fill(team, &mut attention, &mut shared, 1, positions);
    let mut times = Times::default();
    for _ in 0..STEPS {
        let mut clock = Instant::now();
        for layer in 0..LAYERS {
            convert(team, [norm(&x, &mut narrow), norm(&x, &mut other)]);
            lap(&mut clock, &mut times.convert);
            let outputs = [
                (&model.qkv[layer], &narrow, Then::Store, &mut qkv),
                (&model.expand[layer], &other, Then::Silu, &mut hidden),
            ];
            for (weights, input, then, out) in outputs {
                let output = Output {
                    products: &[product(weights, input, then)],
                    out,
                };
                products(team, rows, output);
            }
            lap(&mut clock, &mut times.products);
            attention.attend(
                team,
                layer,
                &spans,
                Caches {
                    own: &mut caches,
                    shared: &shared,
                },
                &qkv,
                &mut attended,
            );
            lap(&mut clock, &mut times.attention);
            let mixed = Conversion::plain(&attended, &mut narrow);
            convert(team, [mixed, Conversion::plain(&hidden, &mut wide)]);
            lap(&mut clock, &mut times.convert);
            let both = [
                product(&model.output[layer], &narrow, Then::Store),
                product(&model.contract[layer], &wide, Then::Add),
            ];
            let output = Output {
                products: &both,
                out: &mut x,
            };
            products(team, rows, output);
            lap(&mut clock, &mut times.products);
        }
        convert(team, [norm(&x, &mut narrow)]);
        lap(&mut clock, &mut times.convert);
        let output = Output {
            products: &[product(&model.head, &narrow, Then::Store)],
            out: &mut logits,
        };
        products(team, rows, output);
        lap(&mut clock, &mut times.head);
    }
    black_box(logits);
    let us = |seconds: f64| seconds / STEPS as f64 * 1e6;
    let total = times.convert + times.products + times.attention + times.head;
    println!(
        "{:<5} {rows:>4} {:>8.0} {:>8.0} {:>9.0} {:>6.0} {:>8.0} {:>9.0} {:>12.1}",
        format!("{format:?}"),
        us(times.convert),
        us(times.products),
        us(times.attention),
        us(times.head),
        us(total),
        rows as f64 * STEPS as f64 / total,
        model.bytes() as f64 * STEPS as f64 / (times.products + times.head) / 1e9,
    );
}

/// Puts random keys and values into all positions before `position`, so that
/// attention reads memory of its own.
fn fill(
    team: &mut Team,
    attention: &mut Attention,
    caches: &mut [HeadCache],
    sequences: usize,
    position: usize,
) {
    if position == 0 {
        return;
    }
    let qkv = values(position * 3 * DIM);
    let mut attended = vec![0.0; position * DIM];
    for layer in 0..LAYERS {
        for sequence in 0..sequences {
            let span = Span {
                sequence,
                row: 0,
                rows: position,
                position: 0,
                prefix: Prefix::default(),
            };
            attention.attend(
                team,
                layer,
                &[span],
                Caches {
                    own: caches,
                    shared: &[],
                },
                &qkv,
                &mut attended,
            );
        }
    }
}

/// Bytes a second, in billions, when a gigabyte is only read.
fn bandwidth(team: &mut Team) -> f64 {
    let words = vec![1_u64; 1 << 27];
    let parts: Vec<&[u64]> = words.chunks(1 << 17).collect();
    let mut sums = vec![0; parts.len()];
    let mut best = f64::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        team.for_each(&mut sums, |part, sum| {
            *sum = parts[part].iter().fold(0, |sum, x| sum | *x);
        });
        best = best.min(start.elapsed().as_secs_f64());
        black_box(&sums);
    }
    (words.len() * 8) as f64 / best / 1e9
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let position = arguments.next().transpose()?.unwrap_or(384);
    let mut team = Team::new(arguments.next().transpose()?.unwrap_or(0));
    let shared = arguments.next().transpose()?.unwrap_or(0);
    println!("memory read: {:.1} GB/s", bandwidth(&mut team));
    println!(
        "microseconds a step at position {position} ({shared} shared), {} threads",
        team.threads()
    );
    println!("format rows  convert products attention   head    total  tokens/s  weights GB/s");
    for format in [WeightFormat::F32, WeightFormat::Bf16, WeightFormat::Int8] {
        let model = Model::new(&mut team, format);
        for rows in [1, 8] {
            step(&mut team, format, &model, rows, [position, shared]);
        }
    }
    Ok(())
}
