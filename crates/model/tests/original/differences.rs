//! The block's gradients against finite differences of its value.

use crate::goldens::{batch, device};
use burn::tensor::{Device, Tensor, TensorData};
use model::block::{Pass, hidden_keys, parallel_block};
use model::rotary::Rotary;
use model::{Dropout, ModelConfig, Score, Transformer, Weights, parameters};

const STEP: f32 = 4e-3;

fn config() -> ModelConfig {
    ModelConfig {
        dim: 12,
        heads: 3,
        head_dim: 4,
        num_layers: 1,
        vocab_size: 97,
        max_sequence_length: 32,
        ..ModelConfig::default()
    }
}

/// `sum(block(x) * direction)` on PAD-ended sequences with dropout.
fn value(model: &Transformer, device: &Device) -> Tensor<1> {
    let config = model.config();
    let batch = batch(1);
    let (rows, length, dim) = (batch.rows(), batch.length(), config.dim);
    let wave = |rate: f32| {
        (0..rows * length * dim)
            .map(|i| (i as f32 * rate).sin())
            .collect()
    };
    let tensor = |rate| {
        let data = TensorData::new::<f32, _>(wave(rate), [rows * length, dim]);
        Tensor::<2>::from_data(data, device)
    };
    let hidden = TensorData::new(hidden_keys(&batch), [rows, 1, length, length]);
    let pass = Pass {
        heads: config.heads,
        rows,
        length,
        hidden: Tensor::from_data(hidden, device),
        dropout: Dropout::new(0.3, 5),
        rotary: config
            .rotary
            .then(|| Rotary::new(length, config.head_dim, device)),
    };
    let y = parallel_block(tensor(0.37), &model.decoder.layers[0], &pass, 0);
    (y * tensor(0.11)).sum()
}

#[test]
fn gradients_of_the_block_agree_with_finite_differences() {
    compare(&config(), value, scalar, |name| name.starts_with("decoder"));
}

#[test]
fn gradients_of_the_block_with_rotary_positions_too() {
    let rotary = ModelConfig {
        rotary: true,
        ..config()
    };
    compare(&rotary, value, scalar, |name| name.starts_with("decoder"));
}

#[test]
fn gradients_of_a_tied_rotary_model_s_loss_too() {
    let config = ModelConfig {
        rotary: true,
        tied: true,
        ..config()
    };
    let tracked = |model: &Transformer, _: &Device| model.loss(&batch(1), None);
    // The same in f64, so that small differences are seen.
    let number = |model: &Transformer| {
        let mut total = Score::default();
        let rows = model.score(&batch(1)).unwrap();
        rows.iter().for_each(|row| total.add(row));
        total.nats_per_token()
    };
    compare(&config, tracked, number, |_| true);
}

fn scalar(model: &Transformer) -> f64 {
    f64::from(value(model, &device()).into_scalar::<f32>())
}

/// Compares gradients of `value` by all parameters that `moves` it with slopes of
/// `number`, which is the same; gradients by others have to be zero.
fn compare(
    config: &ModelConfig,
    value: impl Fn(&Transformer, &Device) -> Tensor<1>,
    number: impl Fn(&Transformer) -> f64,
    moves: impl Fn(&str) -> bool,
) {
    let weights = Weights::initial(config, 3);
    let device = device();
    let tracked = device.clone().autodiff();
    let model = Transformer::new(config, weights.clone(), &tracked).unwrap();
    let gradients = model
        .take_gradients(value(&model, &tracked).backward())
        .unwrap();

    let at = |name: &str, index: usize, step: f32| {
        let mut moved = weights.clone();
        let mut array = moved.take(name).unwrap();
        array.values[index] += step;
        moved.insert(name.to_owned(), array.shape, array.values);
        let model = Transformer::new(config, moved, &device).unwrap();
        number(&model)
    };
    let mut checked = 0;
    for (gradient, parameter) in gradients.iter().zip(parameters(config)) {
        if !moves(&parameter.name) {
            assert!(gradient.iter().all(|&g| g == 0.0), "{}", parameter.name);
            continue;
        }
        let scale = gradient.iter().fold(0.0f32, |m, g| m.max(g.abs()));
        for index in (0..gradient.len()).step_by(gradient.len() / 6 + 1) {
            let name = &parameter.name;
            let slope = (at(name, index, STEP) - at(name, index, -STEP)) / f64::from(2.0 * STEP);
            let error = (slope as f32 - gradient[index]).abs() / scale;
            assert!(error < 5e-3, "{name}[{index}]: {slope} {}", gradient[index]);
            checked += 1;
        }
    }
    assert!(checked > 60);
}
