//! The steps of sampling against distributions computed by hand, and by
//! chi-square over many draws.

use generate::sampler::filters::{self, Candidate};
use generate::{Sampler, SamplerError, SamplerOptions};
use kernels::Isa;

/// Candidates with these probabilities, ids from 0 on.
fn candidates(probabilities: &[f32]) -> Vec<Candidate> {
    let one = |(id, p): (usize, &f32)| Candidate {
        id: id as u32,
        logit: p.ln() + 3.0,
    };
    probabilities.iter().enumerate().map(one).collect()
}

fn ids(candidates: &[Candidate]) -> Vec<u32> {
    candidates.iter().map(|candidate| candidate.id).collect()
}

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
fn top_p_of_many_equals_a_full_sort() {
    let mut scratch = filters::Scratch::default();
    // Steep, usual, flat, and one that has most of its probability in a long tail.
    let shapes: [fn(f32) -> f32; 4] = [
        |i| i * 5.0,
        |i| i / 300.0,
        |i| i * 1e-6,
        |i| if i == 0.0 { 14.0 } else { i / 3000.0 },
    ];
    for (index, shape) in shapes.into_iter().enumerate() {
        let many: Vec<f32> = (0..3000)
            .map(|i| shape(((i * 7919) % 3000) as f32))
            .collect();
        for p in [0.01, 0.3, 0.9, 0.999] {
            let mut found: Vec<Candidate> = Vec::new();
            filters::collect(&mut found, &many, None);
            let mut sorted = found.clone();
            sorted.sort_by(|a, b| b.logit.total_cmp(&a.logit));
            let largest = f64::from(sorted[0].logit);
            let weight = |logit: f32| (f64::from(logit) - largest).exp();
            let total: f64 = many.iter().map(|logit| weight(*logit)).sum();
            let mut sum = 0.0;
            let reached = |candidate: &Candidate| {
                sum += weight(candidate.logit) / total;
                sum >= f64::from(p)
            };
            let kept = sorted.iter().position(reached).unwrap() + 1;
            filters::top_p(Isa::detect(), &mut found, &mut scratch, p);
            assert!(found.is_sorted_by_key(|candidate| candidate.id));
            filters::top_k(&mut found, many.len());
            let spread = found.len().abs_diff(kept);
            assert!(spread <= 1, "{index}, {p}: {} for {kept}", found.len());
            let count = found.len().min(kept);
            assert_eq!(ids(&found)[..count], ids(&sorted)[..count]);
        }
    }
}

#[test]
fn repetition_penalty_counts_an_id_once_and_forgets() {
    let mut found = vec![
        Candidate { id: 2, logit: 4.0 },
        Candidate { id: 5, logit: -1.0 },
        Candidate { id: 9, logit: 1.0 },
    ];
    filters::repetition_penalty(&mut found, &[5, 2, 2, 7], 2.0);
    assert_eq!(
        found.iter().map(|c| c.logit).collect::<Vec<_>>(),
        [2.0, -2.0, 1.0]
    );
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
fn ties_at_the_cut_go_to_smaller_ids() {
    let mut found = candidates(&[0.25; 4]);
    filters::top_k(&mut found, 2);
    assert_eq!(ids(&found), [0, 1]);
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
    assert_eq!(
        sampler.sample(&[0.0, f32::NAN], None, &[]),
        Err(SamplerError::NotANumber)
    );
}
