//! The arrays that the JAX original wrote.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use model::{Batch, DeviceName, ModelConfig, Weights};
use safetensors::SafeTensors;

/// A file of `tests/fixtures/jax`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../model"))
        .join("tests/fixtures/jax")
        .join(name)
}

/// An f32 safetensors file.
pub fn arrays(name: &str) -> Weights {
    Weights::read(&fixture(name)).unwrap()
}

/// `meta.json`.
pub fn meta() -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(fixture("meta.json")).unwrap()).unwrap()
}

/// The configuration of the golden model.
pub fn config() -> ModelConfig {
    serde_json::from_value(meta()["config"].clone()).unwrap()
}

/// The device that is tested: `TEST_DEVICE` names another than the CPU.
pub fn device() -> Device {
    let name = std::env::var("TEST_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    let name: DeviceName = name.parse().unwrap();
    name.open().unwrap().device
}

/// Batch `index`; its stored attention mask has to be "not PAD".
pub fn batch(index: usize) -> Batch {
    let bytes = std::fs::read(fixture("batches.safetensors")).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let read = |part: &str| {
        let view = stored.tensor(&format!("batch{index}.{part}")).unwrap();
        let words = view.data().chunks_exact(4);
        let ids: Vec<u32> = words
            .map(|b| u32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        (ids, view.shape()[1])
    };
    let (ids, columns) = read("input_ids");
    let (mask, _) = read("attention_mask");
    assert!(
        ids.iter()
            .zip(&mask)
            .all(|(&id, &mask)| (id != 0) == (mask == 1))
    );
    let rows: Vec<_> = ids.chunks_exact(columns).collect();
    Batch::new(&rows).unwrap()
}

/// Largest difference, as a part of the largest expected magnitude.
pub fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let pairs = found.iter().zip(expected);
    pairs.fold(
        0.0f32,
        |m, (a, b)| if (a - b).abs() > m { (a - b).abs() } else { m },
    ) / scale
}
