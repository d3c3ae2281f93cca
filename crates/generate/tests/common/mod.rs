//! What the tests share: the models of the JAX original, and small random ones.
#![expect(dead_code, reason = "each test uses a part")]

use burn::tensor::Device;
use generate::{Engine, EngineOptions, WeightFormat};
use model::{ModelConfig, Weights};
use safetensors::SafeTensors;
use std::path::PathBuf;

/// A file of the JAX original's outputs, of this crate or of `model`.
pub fn fixture(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let own = root.join("tests/fixtures/jax").join(name);
    if own.exists() {
        own
    } else {
        root.join("../model/tests/fixtures/jax").join(name)
    }
}

/// The JAX original's small model: 97 ids, 32 positions.
pub fn jax_model() -> (ModelConfig, Weights) {
    let config = ModelConfig {
        dim: 64,
        heads: 4,
        num_layers: 2,
        vocab_size: 97,
        head_dim: 16,
        max_sequence_length: 32,
        ..ModelConfig::default()
    };
    (
        config,
        Weights::read(&fixture("weights_f32.safetensors")).unwrap(),
    )
}

/// A tensor of a file of the JAX original, of any number type, as f64.
pub fn tensor(file: &str, name: &str) -> Vec<f64> {
    let bytes = std::fs::read(fixture(file)).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let view = tensors.tensor(name).unwrap();
    let four = |b: &[u8]| [b[0], b[1], b[2], b[3]];
    let data = view.data().chunks(4).map(four);
    match view.dtype() {
        safetensors::Dtype::F32 => data.map(|b| f64::from(f32::from_le_bytes(b))).collect(),
        safetensors::Dtype::I32 => data.map(|b| f64::from(i32::from_le_bytes(b))).collect(),
        other => panic!("{other}"),
    }
}

/// A model with random weights, which differ enough for logits to matter.
pub fn random_model(positions: usize) -> (ModelConfig, Weights) {
    with_random_weights(random_config(positions))
}

/// As `random_model`, with rotary positions, and one table for ids and logits.
pub fn rotary_model(positions: usize) -> (ModelConfig, Weights) {
    with_random_weights(ModelConfig {
        rotary: true,
        tied: true,
        ..random_config(positions)
    })
}

fn random_config(positions: usize) -> ModelConfig {
    ModelConfig {
        dim: 48,
        heads: 3,
        num_layers: 3,
        vocab_size: 75,
        head_dim: 16,
        max_sequence_length: positions,
        ..ModelConfig::default()
    }
}

fn with_random_weights(config: ModelConfig) -> (ModelConfig, Weights) {
    let weights = Weights::initial(&config, 5);
    (config, weights)
}

pub fn engine(model: &(ModelConfig, Weights), options: EngineOptions) -> Engine {
    Engine::new(&model.0, model.1.clone(), options).unwrap()
}

pub fn with_format(format: WeightFormat) -> EngineOptions {
    EngineOptions {
        format,
        threads: 2,
        ..EngineOptions::default()
    }
}

/// The device that tensors are tested on: `TEST_DEVICE` names another than the
/// CPU.
pub fn device() -> Device {
    let name = std::env::var("TEST_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    let name: model::DeviceName = name.parse().unwrap();
    name.open().unwrap().device
}

/// `count` ids from 3 to `vocabulary`, the same for the same seed.
pub fn ids(seed: u32, count: usize, vocabulary: u32) -> Vec<u32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(97);
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        3 + (state >> 8) % (vocabulary - 3)
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// The logits after each id, all fed at once.
pub fn uncached(engine: &mut Engine, ids: &[u32]) -> Vec<Vec<f32>> {
    let mut rows = Vec::new();
    engine.truncate(0, 0).unwrap();
    engine
        .feed_each(0, ids, |logits| rows.push(logits.to_vec()))
        .unwrap();
    rows
}

/// The largest difference over the largest magnitude of `expected`.
#[track_caller]
pub fn distance(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().all(|x| x.is_finite()));
    let scale = expected.iter().fold(1e-30_f32, |a, x| a.max(x.abs()));
    let pairs = found.iter().zip(expected);
    pairs.fold(0.0_f32, |a, (x, y)| a.max((x - y).abs())) / scale
}

pub fn argmax(logits: &[f32]) -> u32 {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(id, _)| id as u32)
}
