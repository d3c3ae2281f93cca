//! The fused kernels equal the composite body and the JAX original.

use burn::tensor::Device;
use model::{Batch, Dropout, Fused, ModelConfig, Precision, Transformer, Weights, parameters};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::goldens::{arrays, batch, config, difference, meta};

fn fused(config: &ModelConfig, weights: Weights, precision: Precision) -> Fused {
    Fused::new(config, weights, precision, true, 2).unwrap()
}

#[test]
fn logits_losses_and_gradients_are_the_original_s() {
    let mut model = fused(&config(), arrays("weights_f32.safetensors"), Precision::F32);
    let expected = arrays("logits_f32.safetensors");
    let (_, expected) = expected.iter().next().unwrap();
    let difference_of_logits = difference(&model.logits(&batch(0)), &expected.values);
    assert!(difference_of_logits < 2e-6, "{difference_of_logits}");

    let losses = &meta()["f32"]["losses_all_batches"];
    let mut gradients = model.zeros();
    let loss = model.loss_and_gradients(&batch(0), None, 1.0, &mut gradients);
    assert!((loss / losses[0][0].as_f64().unwrap() - 1.0).abs() < 1e-6);
    let expected = arrays("grads_f32.safetensors");
    for (gradient, parameter) in gradients.iter().zip(&parameters(&config())) {
        let (expected, _) = expected.tensor(&parameter.name).unwrap();
        let difference = difference(gradient, expected);
        assert!(difference < 3e-6, "{} {difference}", parameter.name);
    }
}

/// Weights with nothing at a plain 0 or 1.
fn perturbed(config: &ModelConfig, rng: &mut ChaCha8Rng) -> Weights {
    let mut initial = Weights::initial(config, rng.random());
    let mut weights = Weights::default();
    for parameter in parameters(config) {
        let mut values = initial.take(&parameter.name).unwrap().values;
        for value in &mut values {
            *value += rng.random_range(-0.1..0.1);
        }
        weights.insert(parameter.name, parameter.shape, values);
    }
    weights
}

/// Random sequences, some shorter than the longest, some with PAD inside.
fn sequences(rows: usize, length: usize, vocab: usize, rng: &mut ChaCha8Rng) -> Batch {
    let mut sequence = |row: usize| -> Vec<u32> {
        let ids = match row {
            0 => length + 1,
            _ => rng.random_range(2..=length + 1),
        };
        let holes = rng.random_bool(0.3);
        let mut id = |_| match holes && rng.random_bool(0.1) {
            true => 0,
            false => rng.random_range(1..vocab as u32),
        };
        (0..ids).map(&mut id).collect()
    };
    let all: Vec<_> = (0..rows).map(&mut sequence).collect();
    Batch::new(&all).unwrap()
}

/// Compares the two on random shapes. `dim` of each is `heads * head_dim`.
fn compare(precision: Precision, tolerance: f32) {
    let learned = [false, false];
    let shapes = [
        ((1, 1, 1, 4, 1, 1), learned),
        ((2, 3, 2, 5, 2, 3), learned),
        ((3, 7, 1, 19, 3, 17), [false, true]),
        ((2, 16, 2, 50, 4, 40), [true, false]),
        ((1, 64, 3, 300, 1, 130), learned),
        ((1, 64, 2, 300, 2, 130), [true, true]),
        ((4, 33, 2, 97, 2, 65), learned),
        ((5, 24, 1, 1000, 5, 31), [true, false]),
    ];
    for ((heads, head_dim, num_layers, vocab_size, rows, length), [rotary, tied]) in shapes {
        let mut rng = ChaCha8Rng::seed_from_u64((heads * head_dim * length) as u64);
        let config = ModelConfig {
            dim: heads * head_dim,
            heads,
            head_dim,
            num_layers,
            vocab_size,
            max_sequence_length: length,
            rotary,
            tied,
            ..ModelConfig::default()
        };
        let weights = perturbed(&config, &mut rng);
        let composite =
            Transformer::new(&config, weights.clone(), &Device::default().autodiff()).unwrap();
        let mut model = fused(&config, weights, precision);
        let batch = sequences(rows, length, vocab_size, &mut rng);
        for dropout in [None, Dropout::new(0.3, rng.random())] {
            let (loss, expected) = composite.loss_and_gradients(&batch, dropout).unwrap();
            let mut gradients = model.zeros();
            let found = model.loss_and_gradients(&batch, dropout, 0.5, &mut gradients);
            let shape = format!("{heads} x {head_dim}, {rows} x {length}, dropout {dropout:?}");
            let relative = (found / loss - 1.0).abs() as f32;
            assert!(relative < tolerance, "loss {found} for {loss}: {shape}");
            let norm = |all: &[Vec<f32>]| {
                let squares = all.iter().flatten().map(|x| f64::from(*x).powi(2));
                squares.sum::<f64>().sqrt() as f32
            };
            let whole = norm(&expected);
            for ((gradient, expected), parameter) in
                gradients.iter().zip(&expected).zip(parameters(&config))
            {
                let apart: Vec<f32> = (gradient.iter().zip(expected))
                    .map(|(a, b)| 2.0 * a - b)
                    .collect();
                let apart = norm(&[apart]) / (norm(std::slice::from_ref(expected)) + 1e-3 * whole);
                assert!(apart < tolerance, "{} {apart}: {shape}", parameter.name);
            }
        }
        let scores = (model.score(&batch), composite.score(&batch).unwrap());
        for (found, expected) in scores.0.iter().zip(&scores.1) {
            assert!((found.nll - expected.nll).abs() <= f64::from(tolerance) * expected.nll);
            assert_eq!(found.tokens, expected.tokens);
        }
    }
}

#[test]
fn fused_is_composite_in_f32() {
    compare(Precision::F32, 2e-5);
}

#[test]
fn fused_is_composite_in_bf16() {
    compare(Precision::Bf16, 3e-2);
}
