//! Attention over the cache against f64, on every instruction set.

mod common;

use common::{distance, values};
use kernels::{Attention, CacheShape, Caches, HeadCache, Isa, Prefix, Span, Team, WeightFormat};

/// Causal attention of one sequence: `qkv` `[rows, 3, heads, head_dim]`.
fn expected(qkv: &[f32], heads: usize, head_dim: usize) -> Vec<f32> {
    let width = heads * head_dim;
    let rows = qkv.len() / (3 * width);
    let part = |row: usize, part: usize, head: usize| {
        &qkv[(row * 3 + part) * width + head * head_dim..][..head_dim]
    };
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let mut out = Vec::new();
    for row in 0..rows {
        for head in 0..heads {
            let root = (head_dim as f64).sqrt();
            let scores: Vec<f64> = (0..=row)
                .map(|j| (dot(part(row, 0, head), part(j, 1, head)) / root).exp())
                .collect();
            let sum: f64 = scores.iter().sum();
            for d in 0..head_dim {
                let value = |(j, p): (usize, &f64)| p * f64::from(part(j, 2, head)[d]);
                out.push((scores.iter().enumerate().map(value).sum::<f64>() / sum) as f32);
            }
        }
    }
    out
}

const SHAPES: [(usize, usize, usize); 7] = [
    (1, 1, 3),
    (4, 16, 40),
    (2, 31, 35),
    (3, 64, 70),
    (1, 5, 33),
    (2, 33, 64),
    (1, 64, 150),
];
const FORMATS: [(WeightFormat, f32); 3] = [
    (WeightFormat::F32, 3e-6),
    (WeightFormat::Bf16, 2e-2),
    (WeightFormat::Int8, 2e-2),
];

/// Of one sequence.
fn shape(heads: usize, head_dim: usize, capacity: usize) -> CacheShape {
    CacheShape {
        sequences: 1,
        heads,
        head_dim,
        capacity,
        stripe: 0,
    }
}

/// Feeds the rows of one sequence in the given pieces.
fn run(
    team: &mut Team,
    format: WeightFormat,
    (heads, head_dim): (usize, usize),
    qkv: &[f32],
    pieces: &[usize],
) -> Vec<f32> {
    let width = heads * head_dim;
    let capacity = qkv.len() / (3 * width);
    let mut attention = Attention::new(2, heads, head_dim, capacity, team.threads());
    let shape = CacheShape {
        stripe: 32,
        ..shape(2 * heads, head_dim, capacity)
    };
    let mut caches = HeadCache::all(team, format, shape);
    let (mut position, mut out) = (0, vec![f32::NAN; capacity * width]);
    for rows in pieces {
        let span = Span {
            sequence: 0,
            row: 0,
            rows: *rows,
            position,
            prefix: Prefix::default(),
        };
        let qkv = &qkv[position * 3 * width..][..rows * 3 * width];
        let out = &mut out[position * width..][..rows * width];
        attention.attend(
            team,
            1,
            &[span],
            Caches {
                own: &mut caches,
                shared: &[],
            },
            qkv,
            out,
        );
        position += rows;
    }
    out
}

#[test]
fn equals_f64_however_it_is_fed() {
    for isa in Isa::available() {
        let mut team = Team::with_isa(2, isa);
        for (heads, head_dim, rows) in SHAPES {
            let qkv: Vec<f32> = values(rows as u64, rows * 3 * heads * head_dim);
            let qkv: Vec<f32> = qkv.iter().map(|x| 2.0 * x).collect();
            let right = expected(&qkv, heads, head_dim);
            for (format, tolerance) in FORMATS {
                for pieces in [vec![rows], vec![1; rows], vec![rows - 2, 1, 1]] {
                    let out = run(&mut team, format, (heads, head_dim), &qkv, &pieces);
                    let d = distance(&out, &right);
                    let name = isa.name();
                    assert!(
                        d < tolerance,
                        "{name} {format:?} {heads}x{head_dim}x{rows}: {d}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_largest_sums_of_many_positions_are_right() {
    // All positions weigh the same, and all values are as large as they come: sums of
    // integers must neither overflow nor be cut short.
    let (head_dim, rows) = (4, 1_100);
    let line: Vec<f32> = (0..head_dim)
        .map(|d| if d % 2 == 0 { 1.0 } else { -1.0 })
        .collect();
    let row = [vec![0.5; head_dim], vec![0.0; head_dim], line.clone()].concat();
    let (qkv, right) = (row.repeat(rows), line.repeat(rows));
    for isa in Isa::available() {
        for (format, _) in FORMATS {
            let pieces = [rows - 3, 2, 1];
            let mut team = Team::with_isa(1, isa);
            let out = run(&mut team, format, (1, head_dim), &qkv, &pieces);
            let d = distance(&out, &right);
            assert!(d < 2e-3, "{} {format:?}: {d}", isa.name());
        }
    }
}

#[test]
fn sequences_of_a_batch_do_not_see_each_other() {
    let (heads, head_dim, capacity) = (2, 16, 20);
    let width = heads * head_dim;
    let mut team = Team::new(2);
    let mut attention = Attention::new(1, heads, head_dim, capacity, 2);
    let shape = CacheShape {
        sequences: 3,
        ..shape(heads, head_dim, capacity)
    };
    let mut caches = HeadCache::all(&mut team, WeightFormat::F32, shape);
    let rows = [7, 12, 1];
    let qkv = values(3, 20 * 3 * width);
    let mut out = vec![0.0; 20 * width];
    let mut spans = Vec::new();
    let mut row = 0;
    for (sequence, rows) in rows.into_iter().enumerate() {
        spans.push(Span {
            sequence: 2 - sequence,
            row,
            rows,
            position: 0,
            prefix: Prefix::default(),
        });
        row += rows;
    }
    attention.attend(
        &mut team,
        0,
        &spans,
        Caches {
            own: &mut caches,
            shared: &[],
        },
        &qkv,
        &mut out,
    );
    for span in spans {
        let own = &qkv[span.row * 3 * width..][..span.rows * 3 * width];
        let found = &out[span.row * width..][..span.rows * width];
        assert!(distance(found, &expected(own, heads, head_dim)) < 3e-6);
    }
}

#[test]
fn a_cache_that_was_used_before_is_overwritten() {
    FORMATS
        .into_iter()
        .for_each(|(format, _)| overwritten(format));
}

fn overwritten(format: WeightFormat) {
    let (heads, head_dim, rows) = (1, 16, 40);
    let mut team = Team::new(1);
    let mut attention = Attention::new(1, heads, head_dim, rows, 1);
    let mut cache = || HeadCache::all(&mut team, format, shape(heads, head_dim, rows));
    let (mut caches, mut fresh) = (cache(), cache());
    let mut feed = |seed, rows: usize, caches: &mut [HeadCache]| {
        let qkv = values(seed, rows * 3 * head_dim);
        let mut out = vec![0.0; rows * head_dim];
        let span = Span {
            sequence: 0,
            row: 0,
            rows,
            position: 0,
            prefix: Prefix::default(),
        };
        attention.attend(
            &mut team,
            0,
            &[span],
            Caches {
                own: caches,
                shared: &[],
            },
            &qkv,
            &mut out,
        );
        out
    };
    feed(1, rows, &mut caches);
    let again = feed(2, 21, &mut caches);
    assert_eq!(again, feed(2, 21, &mut fresh));
}

/// Five sequences that begin with the same 64 positions, two with others of the
/// same number, one with nothing shared: each gets the bits that it gets alone.
#[test]
fn a_shared_prefix_changes_no_bit() {
    let (heads, head_dim, capacity) = (2, 33, 120);
    let width = 3 * heads * head_dim;
    let histories = [(1, 64, 5), (1, 64, 0), (2, 96, 9), (1, 64, 37), (2, 96, 0)];
    let histories = histories
        .into_iter()
        .chain([(3, 0, 70), (1, 64, 1), (1, 64, 2)]);
    let histories: Vec<(u64, usize, usize)> = histories.collect();
    // In the order of the rows; those that share are neighbours, or not.
    let orders = [[0, 1, 3, 6, 7, 2, 4, 5], [0, 2, 5, 1, 4, 3, 7, 6]];
    for isa in Isa::available() {
        for (format, _) in FORMATS {
            for threads in [1, 2, 5] {
                let mut team = Team::with_isa(threads, isa);
                let mut attention = Attention::new(1, heads, head_dim, capacity, threads);
                // In stripes of unequal length.
                let mut caches = |sequences, stripe| {
                    let shape = CacheShape {
                        sequences,
                        stripe,
                        ..shape(heads, head_dim, capacity)
                    };
                    HeadCache::all(&mut team, format, shape)
                };
                let (mut alone, mut together) = (caches(8, 0), caches(8, 64));
                let mut shared = caches(2, 32);
                let mut feed = |caches: &mut [HeadCache], span: Span, qkv: &[f32]| {
                    let mut out = vec![0.0; span.rows * heads * head_dim];
                    let caches = Caches {
                        own: caches,
                        shared: &[],
                    };
                    attention.attend(&mut team, 0, &[span], caches, qkv, &mut out);
                };
                for (sequence, (seed, common, own)) in histories.iter().copied().enumerate() {
                    let mut qkv = values(seed, common * width);
                    qkv.extend(values(10 + sequence as u64, own * width));
                    let span = Span {
                        sequence,
                        row: 0,
                        rows: common + own,
                        position: 0,
                        prefix: Prefix::default(),
                    };
                    feed(&mut alone, span, &qkv);
                    for head in 0..heads {
                        let from = &alone[sequence * heads + head];
                        together[sequence * heads + head].copy_from(from, common..common + own);
                        if common > 0 {
                            let index = seed as usize - 1;
                            shared[index * heads + head].copy_from(from, 0..common);
                        }
                    }
                }
                for (step, order) in orders.into_iter().enumerate() {
                    // The last sequence is fed several rows at once.
                    let rows = [1, 1, 1, 1, 1, 1, 1, 3];
                    let qkv = values(50 + step as u64, 10 * width);
                    let span = |at: usize, shares: bool| {
                        let sequence: usize = order[at];
                        let (seed, common, own) = histories[sequence];
                        let earlier = orders[..step].iter().map(|order| {
                            let at = order.iter().position(|other| *other == sequence);
                            at.map_or(0, |at| rows[at])
                        });
                        Span {
                            sequence,
                            row: at,
                            rows: rows[at],
                            position: common + own + earlier.sum::<usize>(),
                            prefix: Prefix {
                                index: seed as usize - 1,
                                positions: if shares { common } else { 0 },
                            },
                        }
                    };
                    let mut run = |spans: &[Span], own: &mut [HeadCache], out: &mut [f32]| {
                        let caches = Caches {
                            own,
                            shared: &shared,
                        };
                        attention.attend(&mut team, 0, spans, caches, &qkv, out);
                    };
                    let mut expected = vec![0.0; 10 * heads * head_dim];
                    for at in 0..8 {
                        run(&[span(at, false)], &mut alone, &mut expected);
                    }
                    let mut found = vec![f32::NAN; 10 * heads * head_dim];
                    let spans: Vec<Span> = (0..8).map(|at| span(at, true)).collect();
                    run(&spans, &mut together, &mut found);
                    assert_eq!(found, expected, "{} {format:?} {threads}", isa.name());
                }
            }
        }
    }
}
