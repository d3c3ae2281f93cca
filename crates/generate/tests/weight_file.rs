//! Weights from a file are those read at once; damaged files are refused.

mod common;

use common::{fixture, random_model};
use generate::{Tensors, WeightFile};
use model::{ModelConfig, Weights, WeightsError, parameters};
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::path::PathBuf;

fn temporary(name: &str, bytes: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn values(
    tensors: &(impl Tensors + ?Sized),
    name: &str,
    from: usize,
    count: usize,
) -> Result<Vec<f32>, WeightsError> {
    let mut values = vec![0.0; count];
    tensors.read(name, from, &mut values)?;
    Ok(values)
}

#[test]
fn every_tensor_equals_that_of_the_whole_file() {
    let path = fixture("weights_f32.safetensors");
    let whole = Weights::read(&path).unwrap();
    let file = WeightFile::open(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap().leak();
    let memory = WeightFile::in_memory(bytes, &path).unwrap();
    assert!(whole.iter().count() > 20);
    for (name, array) in whole.iter() {
        let all = &array.values;
        assert_eq!(&values(&file, name, 0, all.len()).unwrap(), all);
        assert_eq!(&values(&memory, name, 0, all.len()).unwrap(), all);
        assert_eq!(&values(&whole, name, 0, all.len()).unwrap(), all);
        let part = values(&file, name, all.len() / 3, all.len() / 2).unwrap();
        assert_eq!(part, all[all.len() / 3..][..all.len() / 2]);
        for tensors in [&file as &dyn Tensors, &memory, &whole] {
            let beyond = values(tensors, name, 1, all.len());
            assert!(matches!(beyond, Err(WeightsError::Missing { .. })));
        }
    }
}

#[test]
fn halves_are_widened() {
    let (one, minus_two) = ([0x80, 0x3f], [0x00, 0xc0]);
    let bf16 = [one, minus_two].concat();
    let (one, minus_two) = ([0x00, 0x3c], [0x00, 0xc0]);
    let f16 = [one, minus_two].concat();
    let view = |dtype, bytes| TensorView::new(dtype, vec![2], bytes).unwrap();
    let integers = 7_i32.to_le_bytes();
    let tensors = [
        ("brain", view(Dtype::BF16, &bf16)),
        ("half", view(Dtype::F16, &f16)),
        (
            "integers",
            TensorView::new(Dtype::I32, vec![1], &integers).unwrap(),
        ),
    ];
    let path = temporary("halves.safetensors", &serialize(tensors, None).unwrap());
    let file = WeightFile::open(&path).unwrap();
    assert_eq!(values(&file, "brain", 0, 2).unwrap(), [1.0, -2.0]);
    assert_eq!(values(&file, "half", 1, 1).unwrap(), [-2.0]);
    assert!(matches!(
        values(&file, "integers", 0, 1),
        Err(WeightsError::Dtype { .. })
    ));
    assert!(matches!(
        values(&file, "other", 0, 1),
        Err(WeightsError::Missing { .. })
    ));
}

#[test]
fn weights_of_another_model_are_refused() {
    let (config, weights) = random_model(32);
    let bytes = weights.to_bytes(&[("key", "value")]).unwrap();
    let file = WeightFile::open(&temporary("model.safetensors", &bytes)).unwrap();
    assert_eq!(file.metadata("key"), Some("value"));
    file.check(&config).unwrap();
    let deeper = ModelConfig {
        num_layers: config.num_layers + 1,
        ..config.clone()
    };
    assert!(matches!(
        file.check(&deeper),
        Err(WeightsError::Missing { .. })
    ));
    let shallower = ModelConfig {
        num_layers: config.num_layers - 1,
        ..config.clone()
    };
    assert!(matches!(
        file.check(&shallower),
        Err(WeightsError::Unknown { .. })
    ));
    let longer = ModelConfig {
        max_sequence_length: 33,
        ..config.clone()
    };
    assert!(matches!(
        file.check(&longer),
        Err(WeightsError::Shape { .. })
    ));
    assert_eq!(parameters(&config).len(), weights.iter().count());
}

#[test]
fn files_cut_short_anywhere_are_refused() {
    let bytes = random_model(32).1.to_bytes(&[]).unwrap();
    for length in [0, 7, 8, 100, 2000, bytes.len() / 2, bytes.len() - 1] {
        let path = temporary("short.safetensors", &bytes[..length]);
        let refused = WeightFile::open(&path);
        assert!(
            matches!(refused, Err(WeightsError::Damaged { .. })),
            "{length}"
        );
    }
    let longer = [&bytes[..], &[0]].concat();
    let refused = WeightFile::open(&temporary("long.safetensors", &longer));
    assert!(matches!(refused, Err(WeightsError::Damaged { .. })));
    let nothing = WeightFile::open("nothing.safetensors".as_ref());
    assert!(matches!(nothing, Err(WeightsError::Read { .. })));
}
