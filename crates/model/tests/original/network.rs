//! The network equals the JAX original: logits, losses, every gradient.

use crate::goldens::{arrays, batch, config, device, difference, meta};
use burn::tensor::Device;
use model::{Dropout, Transformer, parameters};

fn golden_model(device: &Device) -> Transformer {
    Transformer::new(&config(), arrays("weights_f32.safetensors"), device).unwrap()
}

#[test]
fn logits_are_the_original_s() {
    let model = golden_model(&device());
    let logits = model
        .forward(&batch(0), None)
        .into_data()
        .try_into_vec::<f32>()
        .unwrap();
    let expected = arrays("logits_f32.safetensors");
    let (_, expected) = expected.iter().next().unwrap();
    assert_eq!(expected.shape, [3, 32, 97]);
    let difference = difference(&logits, &expected.values);
    assert!(difference < 2e-6, "{difference}");
}

#[test]
fn losses_and_accuracies_are_the_original_s() {
    let model = golden_model(&device());
    for (index, expected) in meta()["f32"]["losses_all_batches"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let batch = batch(index);
        let loss = f64::from(model.loss(&batch, None).into_scalar::<f32>());
        let nats = expected[0].as_f64().unwrap();
        assert!((loss / nats - 1.0).abs() < 1e-6, "{loss} {nats}");
        let mut score = model::Score::default();
        model
            .score(&batch)
            .unwrap()
            .iter()
            .for_each(|row| score.add(row));
        assert_eq!(score.tokens, batch.tokens());
        assert!((score.nats_per_token() / nats - 1.0).abs() < 1e-6);
        let accuracy = score.correct as f64 / score.tokens as f64;
        assert!((accuracy - expected[1].as_f64().unwrap()).abs() < 1e-6);
    }
}

#[test]
fn every_gradient_is_the_original_s() {
    let model = golden_model(&device().autodiff());
    let gradients = model.loss(&batch(0), None).backward();
    let gradients = model.take_gradients(gradients).unwrap();
    let expected = arrays("grads_f32.safetensors");
    let parameters = parameters(&config());
    assert_eq!(gradients.len(), parameters.len());
    assert_eq!(expected.iter().count(), parameters.len());
    for (gradient, parameter) in gradients.iter().zip(&parameters) {
        let (expected, shape) = expected.tensor(&parameter.name).unwrap();
        assert_eq!(shape, parameter.shape);
        let difference = difference(gradient, expected);
        assert!(difference < 2e-6, "{} {difference}", parameter.name);
    }
}

#[test]
fn weights_come_back_bit_for_bit() {
    let model = golden_model(&device().autodiff());
    let weights = model.to_weights().unwrap();
    assert!(weights.iter().eq(arrays("weights_f32.safetensors").iter()));
    let mut next = 0;
    let doubled = model.map_values(|index, values| {
        assert_eq!(index, next);
        next += 1;
        values.iter_mut().for_each(|value| *value *= 2.0);
    });
    let doubled = doubled.unwrap().to_weights().unwrap();
    for (name, array) in weights.iter() {
        let (found, _) = doubled.tensor(name).unwrap();
        assert!(
            found.iter().zip(&array.values).all(|(a, b)| *a == 2.0 * b),
            "{name}"
        );
    }
}

#[test]
fn dropout_is_a_function_of_its_seed_and_keeps_the_mean() {
    let dropout = |seed| Dropout::new(0.25, seed).unwrap().factors(1, 4 * 64, 64);
    assert_eq!(dropout(7), dropout(7));
    assert_ne!(dropout(7), dropout(8));
    let visible = 4.0 * 64.0 * 65.0 / 2.0;
    let mean = dropout(7).iter().sum::<f32>() / visible;
    assert!((mean - 1.0).abs() < 0.02, "{mean}");

    let model = golden_model(&device());
    let loss = |dropout| model.loss(&batch(0), dropout).into_scalar::<f32>();
    assert_eq!(loss(Dropout::new(0.5, 1)), loss(Dropout::new(0.5, 1)));
    assert_ne!(loss(Dropout::new(0.5, 1)), loss(Dropout::new(0.5, 2)));
    assert_eq!(loss(Dropout::new(0.0, 1)), loss(None));
}

#[test]
fn weights_stored_as_bf16_are_widened() {
    let (wide, narrow) = (
        arrays("weights_f32.safetensors"),
        arrays("weights_bf16.safetensors"),
    );
    narrow.check(&config()).unwrap();
    for (name, array) in wide.iter() {
        let (found, _) = narrow.tensor(name).unwrap();
        let rounded = |x: f32| half::bf16::from_f32(x).to_f32();
        assert!(
            found
                .iter()
                .zip(&array.values)
                .all(|(a, b)| *a == rounded(*b)),
            "{name}"
        );
    }
}
