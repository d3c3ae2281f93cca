//! The engine against the JAX original's logits, and against itself fed in other
//! ways.

mod common;

use common::{distance, engine, ids, jax_model, random_model, tensor, uncached, with_format};
use generate::{Engine, EngineError, EngineOptions, WeightFormat};
use kernels::Isa;
use model::ModelConfig;

const FORMATS: [WeightFormat; 3] = [WeightFormat::F32, WeightFormat::Bf16, WeightFormat::Int8];

/// The rows of batch 0 without their padding, with the JAX original's logits
/// after each id.
fn jax_rows() -> Vec<(Vec<u32>, Vec<Vec<f32>>)> {
    let all = tensor("batches.safetensors", "batch0.input_ids");
    let mask = tensor("batches.safetensors", "batch0.attention_mask");
    let logits = tensor("logits_f32.safetensors", "logits");
    let rows = all
        .chunks(33)
        .zip(mask.chunks(33))
        .zip(logits.chunks(32 * 97));
    rows.map(|((row, mask), logits)| {
        let real = mask[..32].iter().filter(|m| **m != 0.0).count();
        let ids = row[..real].iter().map(|id| *id as u32).collect();
        let f32s = |row: &[f64]| row.iter().map(|x| *x as f32).collect();
        (ids, logits.chunks(97).take(real).map(f32s).collect())
    })
    .collect()
}

#[test]
fn cached_and_uncached_equal_the_jax_original() {
    let mut engine = engine(&jax_model(), EngineOptions::default());
    let mut positions = 0;
    for (ids, expected) in jax_rows() {
        let at_once = uncached(&mut engine, &ids);
        engine.truncate(0, 0).unwrap();
        for (i, id) in ids.iter().enumerate() {
            let cached = engine.step(&[(0, *id)]).unwrap();
            assert!(
                distance(cached, &expected[i]) < 2e-5,
                "cached, position {i}"
            );
            assert!(
                distance(&at_once[i], &expected[i]) < 2e-5,
                "at once, position {i}"
            );
            positions += 1;
        }
    }
    assert!(positions > 60, "only {positions} real positions");
}

#[test]
fn smaller_formats_stay_near_the_jax_original() {
    // Activations have eight bits with int8, and seven where AVX2 multiplies them, whose
    // weights are scaled by sums of eight: coarser where they are spread evenly, as here.
    let int8 = match Isa::detect().name() {
        "avx2" => 0.05,
        _ => 0.02,
    };
    for (format, tolerance) in [(WeightFormat::Bf16, 0.02), (WeightFormat::Int8, int8)] {
        let mut engine = engine(&jax_model(), with_format(format));
        for (ids, expected) in jax_rows() {
            for (found, expected) in uncached(&mut engine, &ids).iter().zip(&expected) {
                let d = distance(found, expected);
                assert!(d < tolerance, "{format:?}: {d}");
            }
        }
    }
}

#[test]
fn feeding_in_pieces_changes_nothing() {
    for format in FORMATS {
        let mut engine = engine(&random_model(300), with_format(format));
        let ids = ids(1, 300, 75);
        let expected = uncached(&mut engine, &ids);
        for pieces in [
            vec![300],
            vec![1, 299],
            vec![129, 1, 1, 169],
            vec![127, 173],
        ] {
            engine.truncate(0, 0).unwrap();
            let mut end = 0;
            for piece in pieces {
                let logits = engine.feed(0, &ids[end..end + piece]).unwrap();
                end += piece;
                assert_eq!(logits, expected[end - 1], "{format:?} {end}");
            }
        }
    }
}

#[test]
fn a_sequence_gets_the_same_bits_alone_and_in_a_batch_with_any_threads() {
    let model = random_model(40);
    let prompts: Vec<Vec<u32>> = (0..8).map(|i| ids(i, 2 + i as usize, 75)).collect();
    let next = |step: usize, sequence: usize| (sequence, 3 + ((step * 7 + sequence) % 70) as u32);
    for format in FORMATS {
        let options = EngineOptions {
            threads: 3,
            sequences: 8,
            ..with_format(format)
        };
        let mut batch = engine(&model, options);
        for (sequence, prompt) in prompts.iter().enumerate() {
            batch.feed(sequence, prompt).unwrap();
        }
        let mut alone: Vec<Engine> = (0..8)
            .map(|sequence| {
                let options = EngineOptions {
                    threads: 1,
                    sequences: 1,
                    ..options
                };
                let mut engine = engine(&model, options);
                engine.feed(0, &prompts[sequence]).unwrap();
                engine
            })
            .collect();
        for step in 0..20 {
            let ids: Vec<_> = (0..8).map(|sequence| next(step, sequence)).collect();
            let logits = batch.step(&ids).unwrap();
            for (sequence, logits) in logits.chunks(75).enumerate() {
                let own = alone[sequence].step(&[(0, ids[sequence].1)]).unwrap();
                assert_eq!(own, logits, "{format:?} step {step} sequence {sequence}");
            }
        }
    }
}

#[test]
fn copies_and_truncates() {
    for format in FORMATS {
        let options = EngineOptions {
            sequences: 3,
            ..with_format(format)
        };
        let mut engine = engine(&random_model(64), options);
        let ids = ids(3, 41, 75);
        engine.feed(1, &ids).unwrap();
        engine.feed(2, &[5, 6, 7]).unwrap();
        engine.copy(1, 2).unwrap();
        engine.copy(1, 0).unwrap();
        assert_eq!((engine.used(0), engine.used(2)), (41, 41));
        let logits = engine.step(&[(0, 9), (1, 9), (2, 9)]).unwrap().to_vec();
        assert_eq!(logits[..75], logits[75..150]);
        assert_eq!(logits[..75], logits[150..]);
        engine.truncate(1, 41).unwrap();
        assert_eq!(engine.step(&[(1, 9)]).unwrap(), &logits[..75]);
        engine.truncate(1, 40).unwrap();
        assert_ne!(engine.step(&[(1, 9)]).unwrap(), &logits[..75]);
    }
}

/// Steps of sequences that share what they were copied with, against engines of one
/// sequence that was fed all of it, while one sequence after the other is cut short.
#[test]
fn copies_share_their_beginning_and_change_no_bit() {
    let model = random_model(160);
    let prompt = ids(4, 77, 75);
    for format in FORMATS {
        let options = EngineOptions {
            threads: 3,
            sequences: 5,
            ..with_format(format)
        };
        let mut together = engine(&model, options);
        let mut histories = vec![prompt.clone(); 5];
        together.feed(2, &prompt).unwrap();
        for to in [0, 1, 3] {
            together.copy(2, to).unwrap();
        }
        histories[4] = ids(5, 90, 75);
        together.feed(4, &histories[4]).unwrap();
        let mut alone = engine(
            &model,
            EngineOptions {
                threads: 1,
                sequences: 1,
                ..options
            },
        );
        for step in 0..12 {
            let fed: Vec<_> = (0..5)
                .map(|s| (s, 3 + ((step * 11 + s * 5) % 70) as u32))
                .collect();
            let logits = together.step(&fed).unwrap().to_vec();
            for ((sequence, id), logits) in fed.into_iter().zip(logits.chunks(75)) {
                histories[sequence].push(id);
                alone.truncate(0, 0).unwrap();
                let own = alone.feed(0, &histories[sequence]).unwrap();
                assert_eq!(own, logits, "{format:?} step {step} sequence {sequence}");
            }
            let (sequence, left) = match step {
                // Into the shared positions, to a block's end, to nothing at all.
                2 => (1, 50),
                4 => (3, 32),
                6 => (2, 0),
                _ => continue,
            };
            together.truncate(sequence, left).unwrap();
            histories[sequence].truncate(left);
            let more = ids(6, 20, 75);
            together.feed(sequence, &more).unwrap();
            histories[sequence].extend(&more);
            if step == 6 {
                // A longer history, with its own beginning, for one that shared.
                together.copy(4, 0).unwrap();
                histories[0] = histories[4].clone();
            }
        }
        assert_eq!(together.used(1), histories[1].len());
    }
}

#[test]
fn refuses_what_does_not_fit() {
    let model = random_model(8);
    let mut small = engine(&model, EngineOptions::default());
    assert!(matches!(small.feed(0, &[]), Err(EngineError::NoIds)));
    assert!(matches!(small.step(&[]), Err(EngineError::NoIds)));
    assert!(matches!(
        small.feed(0, &[75]),
        Err(EngineError::Id {
            id: 75,
            vocabulary: 75
        })
    ));
    assert!(matches!(
        small.feed(1, &[3]),
        Err(EngineError::Sequence { sequence: 1, .. })
    ));
    assert!(matches!(
        small.step(&[(0, 3), (0, 4)]),
        Err(EngineError::Sequence { .. })
    ));
    assert!(matches!(
        small.feed(0, &[3; 9]),
        Err(EngineError::Full {
            ids: 9,
            used: 0,
            ..
        })
    ));
    assert_eq!(small.used(0), 0, "nothing was fed");
    small.feed(0, &[3; 8]).unwrap();
    assert!(matches!(
        small.step(&[(0, 3)]),
        Err(EngineError::Full { used: 8, .. })
    ));
    let capacity = EngineOptions {
        capacity: 9,
        ..EngineOptions::default()
    };
    let refused = Engine::new(&model.0, model.1.clone(), capacity);
    assert!(matches!(
        refused,
        Err(EngineError::Capacity {
            capacity: 9,
            positions: 8
        })
    ));
    let other = ModelConfig {
        vocab_size: 76,
        ..model.0.clone()
    };
    let refused = Engine::new(&other, model.1.clone(), EngineOptions::default());
    assert!(matches!(refused, Err(EngineError::Weights(_))));
}
