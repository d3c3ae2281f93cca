//! The steps of sampling against distributions computed by hand, and by
//! chi-square over many draws.

use generate::sampler::filters;
use generate::{Sampler, SamplerError, SamplerOptions};
use kernels::Isa;

/// Draws often with `options` and compares with `expected` by chi-square at
/// p = 0.0001.
#[track_caller]
fn check(options: SamplerOptions, logits: &[f32], mask: Option<&[bool]>, expected: &[f64]) {
    const DRAWS: usize = 100_000;
    let mut sampler = Sampler::new(options, 11).unwrap();
    let mut counts = vec![0_usize; logits.len()];
    for _ in 0..DRAWS {
        counts[sampler.sample(logits, mask, &[]).unwrap() as usize] += 1;
    }
    let (mut chi, mut freedom) = (0.0, -1.0);
    for (count, p) in counts.iter().zip(expected) {
        if *p == 0.0 {
            assert_eq!(*count, 0, "drew what cannot come");
            continue;
        }
        let mean = p * DRAWS as f64;
        chi += (*count as f64 - mean).powi(2) / mean;
        freedom += 1.0;
    }
    // Wilson and Hilferty's approximation of the quantile.
    let spread = 2.0 / (9.0 * f64::max(freedom, 1.0));
    let limit = f64::max(freedom, 1.0) * (1.0 - spread + 3.719 * spread.sqrt()).powi(3);
    assert!(chi < limit, "chi-square {chi} over {limit}: {counts:?}");
}

const P: [f32; 6] = [0.05, 0.4, 0.1, 0.3, 0.14, 0.01];

fn logits() -> Vec<f32> {
    P.iter().map(|p| p.ln() - 1.0).collect()
}

fn normed(weights: [f64; 6]) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

#[test]
fn draws_from_the_models_own_distribution() {
    check(
        SamplerOptions::UNCHANGED,
        &logits(),
        None,
        &P.map(f64::from),
    );
}

#[test]
fn temperature_raises_probabilities_to_a_power() {
    for temperature in [0.5, 2.0] {
        let options = SamplerOptions {
            temperature,
            ..SamplerOptions::UNCHANGED
        };
        let power = 1.0 / f64::from(temperature);
        check(
            options,
            &logits(),
            None,
            &normed(P.map(|p| f64::from(p).powf(power))),
        );
    }
}

#[test]
fn filters_keep_what_was_computed_by_hand() {
    let options = SamplerOptions {
        top_k: 3,
        ..SamplerOptions::UNCHANGED
    };
    check(
        options,
        &logits(),
        None,
        &normed([0.0, 0.4, 0.0, 0.3, 0.14, 0.0]),
    );
    let options = SamplerOptions {
        top_p: 0.75,
        ..SamplerOptions::UNCHANGED
    };
    check(
        options,
        &logits(),
        None,
        &normed([0.0, 0.4, 0.0, 0.3, 0.14, 0.0]),
    );
    let options = SamplerOptions {
        min_p: 0.2,
        ..SamplerOptions::UNCHANGED
    };
    check(
        options,
        &logits(),
        None,
        &normed([0.0, 0.4, 0.1, 0.3, 0.14, 0.0]),
    );
    let options = SamplerOptions {
        top_p: 0.9,
        min_p: 0.3,
        ..SamplerOptions::UNCHANGED
    };
    check(
        options,
        &logits(),
        None,
        &normed([0.0, 0.4, 0.0, 0.3, 0.14, 0.0]),
    );
    // Top-p after top-k looks at the probabilities that top-k leaves.
    let options = SamplerOptions {
        top_k: 3,
        top_p: 0.8,
        ..SamplerOptions::UNCHANGED
    };
    check(
        options,
        &logits(),
        None,
        &normed([0.0, 0.4, 0.0, 0.3, 0.0, 0.0]),
    );
}

#[test]
fn the_mask_leaves_out_ids() {
    let mask = [true, false, true, false, false, true];
    let expected = normed([0.05, 0.0, 0.1, 0.0, 0.0, 0.01]);
    check(SamplerOptions::UNCHANGED, &logits(), Some(&mask), &expected);
    let mut sampler = Sampler::new(SamplerOptions::UNCHANGED, 1).unwrap();
    let none = sampler.sample(&logits(), Some(&[false; 6]), &[]);
    assert_eq!(none, Err(SamplerError::NothingAllowed));
}

#[test]
fn a_temperature_near_0_takes_the_most_likely() {
    let options = SamplerOptions {
        temperature: f32::MIN_POSITIVE,
        ..SamplerOptions::UNCHANGED
    };
    let logits: Vec<f32> = logits().iter().map(|x| x + 10.0).collect();
    check(options, &logits, None, &[0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

/// Steep, usual, flat, and one that has most of its probability in a long tail.
fn shapes() -> impl Iterator<Item = Vec<f32>> {
    let shapes: [fn(f32) -> f32; 4] = [
        |i| i * 5.0,
        |i| i / 300.0,
        |i| i * 1e-6,
        |i| if i == 0.0 { 14.0 } else { i / 3000.0 },
    ];
    let logits = |shape: fn(f32) -> f32| {
        let logits = (0..3000).map(|i| shape(((i * 7919) % 3000) as f32));
        logits.collect()
    };
    shapes.into_iter().map(logits)
}

#[test]
fn top_p_and_top_k_of_many_equal_a_full_sort() {
    for (index, logits) in shapes().enumerate() {
        let largest = logits.iter().copied().fold(f32::MIN, f32::max);
        let weights: Vec<f32> = logits.iter().map(|x| (x - largest).exp()).collect();
        let mut sorted: Vec<usize> = (0..weights.len()).collect();
        sorted.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
        let likely = weights.iter().filter(|weight| **weight > 0.0).count();
        let same = |found: &[f32], count: usize, what: &str| {
            for id in &sorted[..count] {
                assert_eq!(found[*id], weights[*id], "{index}, {what}: {id}");
            }
            for id in &sorted[count..] {
                assert_eq!(found[*id], 0.0, "{index}, {what}: {id}");
            }
        };
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        for p in [0.01, 0.3, 0.9, 0.999] {
            let mut sum = 0.0;
            let reached = |id: &usize| {
                sum += f64::from(weights[*id]) / total;
                sum >= f64::from(p)
            };
            let count = sorted.iter().position(reached).unwrap() + 1;
            for isa in Isa::available() {
                let mut found = weights.clone();
                filters::top_p(isa, &mut found, p);
                same(&found, count, &format!("top-p {p} of {}", isa.name()));
                let near = count.saturating_sub(2)..(count + 2).min(likely);
                for at in near.chain((0..likely).step_by(501)) {
                    let kept = filters::in_top_p(isa, &weights, sorted[at] as u32, p);
                    assert_eq!(kept, at < count, "{index}, top-p {p}: {at} of {count}");
                }
            }
        }
        for k in [1, 2, 50, 2999, 3000, 5000] {
            let mut found = weights.clone();
            filters::top_k(&mut found, &mut Vec::new(), k);
            same(&found, k.min(likely), &format!("top-k {k}"));
        }
    }
}

#[test]
fn ties_at_the_cut_go_to_smaller_ids() {
    let mut weights = [0.1, 0.2, 0.2, 0.2, 0.3];
    filters::top_k(&mut weights, &mut Vec::new(), 3);
    assert_eq!(weights, [0.0, 0.2, 0.2, 0.0, 0.3]);
    for (p, kept) in [
        (0.2, 1),
        (0.25, 1),
        (0.26, 2),
        (0.5, 2),
        (0.6, 3),
        (0.99, 4),
    ] {
        let mut weights = [0.25; 4];
        let kept_each = [0, 1, 2, 3].map(|id| filters::in_top_p(Isa::detect(), &weights, id, p));
        assert_eq!(kept_each, [0, 1, 2, 3].map(|id| id < kept), "{p}");
        filters::top_p(Isa::detect(), &mut weights, p);
        let expected = [0, 1, 2, 3].map(|id| if id < kept { 0.25 } else { 0.0 });
        assert_eq!(weights, expected, "{p}");
    }
}

#[test]
fn draws_fall_where_probabilities_lie() {
    let mut weights = vec![0.0; 1000];
    for (id, weight) in [(3, 1.0), (255, 2.0), (256, 1.0), (900, 4.0)] {
        weights[id] = weight;
    }
    let drawn = |eighths: f64| filters::draw(&weights, eighths / 8.0).unwrap();
    let found = [0.0, 0.99, 1.0, 2.99, 3.0, 3.99, 4.0, 7.99].map(drawn);
    assert_eq!(found, [3, 3, 255, 255, 256, 256, 900, 900]);
    assert_eq!(filters::draw(&weights, 1.0), Some(900), "rounded up");
    assert_eq!(filters::draw(&[0.0; 3], 0.5), None);
}

#[test]
fn repetition_penalty_counts_an_id_once_and_forgets() {
    let mut logits = [0.0, 0.0, 4.0, 0.0, 0.0, -1.0, 1.0];
    filters::repetition_penalty(&mut logits, &[5, 2, 2, 7], 2.0);
    assert_eq!(logits, [0.0, 0.0, 2.0, 0.0, 0.0, -2.0, 1.0]);
    let options = SamplerOptions {
        temperature: 0.0,
        repetition_penalty: 10.0,
        repetition_window: 2,
        ..SamplerOptions::UNCHANGED
    };
    let mut sampler = Sampler::new(options, 0).unwrap();
    let logits = [1.0, 3.0, 2.0];
    assert_eq!(sampler.sample(&logits, None, &[1, 0, 0]), Ok(1));
    assert_eq!(sampler.sample(&logits, None, &[0, 1, 0]), Ok(2));
}

#[test]
fn greedy_takes_the_first_of_equals() {
    let options = SamplerOptions {
        temperature: 0.0,
        ..SamplerOptions::UNCHANGED
    };
    let mut sampler = Sampler::new(options, 0).unwrap();
    assert_eq!(sampler.sample(&[1.0, 7.0, 7.0, 0.0], None, &[]), Ok(1));
    let mask = [true, false, true, true];
    assert_eq!(
        sampler.sample(&[1.0, 7.0, 7.0, 0.0], Some(&mask), &[]),
        Ok(2)
    );
}

#[test]
fn same_seed_same_draws() {
    let draw = |seed| {
        let mut sampler = Sampler::new(SamplerOptions::UNCHANGED, seed).unwrap();
        let next = || sampler.sample(&logits(), None, &[]).unwrap();
        std::iter::repeat_with(next).take(50).collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn refuses_nonsense() {
    let bad = [
        SamplerOptions {
            temperature: -1.0,
            ..SamplerOptions::UNCHANGED
        },
        SamplerOptions {
            temperature: f32::NAN,
            ..SamplerOptions::UNCHANGED
        },
        SamplerOptions {
            temperature: f32::INFINITY,
            ..SamplerOptions::UNCHANGED
        },
        SamplerOptions {
            top_p: 0.0,
            ..SamplerOptions::UNCHANGED
        },
        SamplerOptions {
            top_p: 1.5,
            ..SamplerOptions::UNCHANGED
        },
        SamplerOptions {
            min_p: -0.1,
            ..SamplerOptions::UNCHANGED
        },
        SamplerOptions {
            repetition_penalty: 0.0,
            ..SamplerOptions::UNCHANGED
        },
    ];
    for options in bad {
        assert!(matches!(
            Sampler::new(options, 0),
            Err(SamplerError::Option { .. })
        ));
    }
    let mut sampler = Sampler::new(SamplerOptions::UNCHANGED, 1).unwrap();
    for damaged in [f32::NAN, f32::INFINITY] {
        let drawn = sampler.sample(&[0.0, damaged], None, &[]);
        assert_eq!(drawn, Err(SamplerError::NotANumber));
        let drawn = sampler.sample(&[0.0, damaged], Some(&[true, false]), &[]);
        assert_eq!(drawn, Ok(0), "where it is not allowed it does not matter");
    }
}
