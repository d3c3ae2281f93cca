//! The engine on Burn's tensors against the CPU's own, and the JAX original.
//! `TEST_DEVICE` names the device.

mod common;

use common::{device, distance, engine, ids, jax_model, random_model, rotary_model, tensor};
use generate::{
    Decoder, DeviceEngine, Engine, EngineError, EngineOptions, Sample, SamplerOptions, Session,
    SessionOptions,
};
use model::{ModelConfig, Weights};

/// Of the largest logit.
const TOLERANCE: f32 = 2e-5;

fn tensors(model: &(ModelConfig, Weights), sequences: usize) -> DeviceEngine {
    DeviceEngine::new(&model.0, model.1.clone(), &device(), sequences, 0).unwrap()
}

fn own(model: &(ModelConfig, Weights), sequences: usize) -> Engine {
    let options = EngineOptions {
        sequences,
        ..EngineOptions::default()
    };
    engine(model, options)
}

#[track_caller]
fn same(found: &[f32], expected: &[f32]) {
    let distance = distance(found, expected);
    assert!(distance < TOLERANCE, "{distance}");
}

#[test]
fn logits_equal_the_jax_original() {
    let all = tensor("batches.safetensors", "batch0.input_ids");
    let ids: Vec<u32> = all[..32].iter().map(|id| *id as u32).collect();
    assert!(ids.iter().all(|id| *id != model::PAD));
    let expected: Vec<f32> = tensor("logits_f32.safetensors", "logits")
        .iter()
        .map(|logit| *logit as f32)
        .collect();
    let mut engine = tensors(&jax_model(), 1);
    for (id, expected) in ids.iter().zip(expected.chunks(97)) {
        same(engine.step(&[(0, *id)]).unwrap(), expected);
    }
}

#[test]
fn prompts_and_steps_equal_the_cpu_engine_at_every_position() {
    prompts_and_steps(&random_model(200));
    prompts_and_steps(&rotary_model(200));
}

fn prompts_and_steps(model: &(ModelConfig, Weights)) {
    let ids = ids(7, 200, 75);
    let (mut found, mut expected) = (tensors(model, 1), own(model, 1));
    for prompt in [1, 31, 150] {
        found.truncate(0, 0).unwrap();
        expected.truncate(0, 0).unwrap();
        let logits = expected.feed(0, &ids[..prompt]).unwrap();
        same(found.feed(0, &ids[..prompt]).unwrap(), logits);
        for id in &ids[prompt..] {
            let logits = expected.step(&[(0, *id)]).unwrap();
            same(found.step(&[(0, *id)]).unwrap(), logits);
        }
    }
}

#[test]
fn sequences_of_any_length_and_order_equal_the_cpu_engine() {
    sequences(&random_model(90));
    sequences(&rotary_model(90));
}

fn sequences(model: &(ModelConfig, Weights)) {
    let (mut found, mut expected) = (tensors(model, 4), own(model, 4));
    for (sequence, length) in [(2, 40), (0, 3), (3, 85), (1, 33)] {
        let ids = ids(sequence as u32, length, 75);
        let logits = expected.feed(sequence, &ids).unwrap();
        same(found.feed(sequence, &ids).unwrap(), logits);
    }
    let mut step = |ids: &[(usize, u32)]| {
        let logits = expected.step(ids).unwrap();
        same(found.step(ids).unwrap(), logits);
    };
    step(&[(0, 9), (1, 9), (2, 9), (3, 9)]);
    step(&[(1, 4), (2, 5)]);
    step(&[(3, 4), (0, 5), (1, 70)]);
    step(&[(2, 74)]);
    found.copy(3, 0).unwrap();
    found.truncate(1, 20).unwrap();
    expected.copy(3, 0).unwrap();
    expected.truncate(1, 20).unwrap();
    for id in [8, 30] {
        let ids = [(0, id), (1, id), (3, id)];
        let logits = expected.step(&ids).unwrap();
        same(found.step(&ids).unwrap(), logits);
    }
}

#[test]
fn refuses_what_the_cpu_engine_refuses() {
    let model = random_model(8);
    let mut engine = tensors(&model, 2);
    assert!(matches!(engine.feed(0, &[]), Err(EngineError::NoIds)));
    assert!(matches!(engine.step(&[]), Err(EngineError::NoIds)));
    assert!(matches!(
        engine.feed(0, &[75]),
        Err(EngineError::Id { id: 75, .. })
    ));
    assert!(matches!(
        engine.step(&[(0, 3), (0, 4)]),
        Err(EngineError::Sequence { sequence: 0, .. })
    ));
    assert!(matches!(
        engine.copy(1, 1),
        Err(EngineError::Sequence { sequence: 1, .. })
    ));
    engine.copy(0, 1).unwrap();
    engine.feed(0, &[3; 8]).unwrap();
    assert!(matches!(
        engine.step(&[(0, 3)]),
        Err(EngineError::Full { used: 8, .. })
    ));
    let refused = DeviceEngine::new(&model.0, model.1.clone(), &device(), 1, 9);
    assert!(matches!(
        refused.err(),
        Some(EngineError::Capacity { capacity: 9, .. })
    ));
}

#[test]
fn a_session_past_the_window_of_which_a_sample_ends_early_draws_the_same_ids() {
    let model = random_model(24);
    let draw = |engine: &mut dyn Decoder| {
        let sample = |seed| Sample {
            prompt: ids(1, 10, 75),
            seed,
            grammar: None,
        };
        let options = SessionOptions {
            sampler: SamplerOptions {
                temperature: 0.0,
                ..SamplerOptions::default()
            },
            max_tokens: Some(60),
            end: None,
            // The second sample ends after its fortieth id.
            stop: Some(Box::new({
                let mut drawn = 0;
                move |sample, _| {
                    drawn += usize::from(sample == 1);
                    sample == 1 && drawn == 40
                }
            })),
            ..SessionOptions::default()
        };
        let session = Session::new(engine, vec![sample(1), sample(2)], options).unwrap();
        session.map(|token| token.unwrap().id).collect::<Vec<_>>()
    };
    let found = draw(&mut tensors(&model, 2));
    assert_eq!(found.len(), 100);
    assert_eq!(found, draw(&mut own(&model, 2)));
}
