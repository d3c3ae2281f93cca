//! The engine against the model that training uses, at every position.

mod common;

use common::{device, distance, engine, ids, random_model, rotary_model, uncached, with_format};
use generate::WeightFormat;
use model::{Batch, ModelConfig, Transformer, Weights};

#[test]
fn logits_equal_the_training_models_at_every_position() {
    equal(&random_model(200));
}

#[test]
fn with_rotary_positions_too() {
    equal(&rotary_model(200));
}

fn equal(model: &(ModelConfig, Weights)) {
    // The training model sees all but the last id of a sequence.
    let ids = ids(7, 201, 75);
    let trained = Transformer::new(&model.0, model.1.clone(), &device()).unwrap();
    let batch = Batch::new(std::slice::from_ref(&ids)).unwrap();
    let expected = trained
        .forward(&batch, None)
        .into_data()
        .try_into_vec::<f32>()
        .unwrap();
    let formats = [
        (WeightFormat::F32, 2e-5),
        (WeightFormat::Bf16, 0.03),
        (WeightFormat::Int8, 0.03),
    ];
    for (format, tolerance) in formats {
        let mut engine = engine(model, with_format(format));
        let at_once = uncached(&mut engine, &ids[..200]);
        engine.truncate(0, 0).unwrap();
        for (i, expected) in expected.chunks(75).enumerate() {
            let cached = engine.step(&[(0, ids[i])]).unwrap();
            let d = distance(cached, expected);
            assert!(d < tolerance, "{format:?} position {i}: {d}");
            assert_eq!(cached, at_once[i], "{format:?} position {i}");
        }
    }
}
