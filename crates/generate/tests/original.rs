//! Checkpoints that the JAX original saved, against what it makes of them: the
//! logits of its `generate.py` and its greedy continuations.

mod common;

use std::path::{Path, PathBuf};

use common::{argmax, distance, uncached, with_format};
use generate::{Engine, WeightFormat};
use model::OriginalCheckpoint;
use model::folder::read_config;
use safetensors::SafeTensors;
use serde_json::Value;

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../model/tests/fixtures/orbax")
        .join(name)
}

fn loaded(name: &str) -> Engine {
    let config = read_config(&place(name).join("config.json")).unwrap();
    let checkpoint = place(name).join("checkpoint-001.eqx");
    let checkpoint = OriginalCheckpoint::open(&checkpoint).unwrap();
    let weights = checkpoint.weights(&config).unwrap();
    Engine::new(&config, weights, with_format(WeightFormat::F32)).unwrap()
}

/// A tensor of `expected.safetensors` as its 32-bit words.
fn words(name: &str, tensor: &str) -> Vec<u32> {
    let bytes = std::fs::read(place(name).join("expected.safetensors")).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let view = stored.tensor(tensor).unwrap();
    let (words, _) = view.data().as_chunks::<4>();
    words.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

fn greedy(engine: &mut Engine, prompt: &[u32], count: usize) -> Vec<u32> {
    engine.truncate(0, 0).unwrap();
    let mut ids = prompt.to_vec();
    let mut next = argmax(engine.feed(0, prompt).unwrap());
    for _ in 1..count {
        ids.push(next);
        next = argmax(engine.step(&[(0, next)]).unwrap());
    }
    ids.push(next);
    ids
}

#[track_caller]
fn check_logits(name: &str, tensor: &str) {
    let mut engine = loaded(name);
    let found = uncached(&mut engine, &words(name, "input_ids")).concat();
    let expected = words(name, tensor).into_iter().map(f32::from_bits);
    let difference = distance(&found, &expected.collect::<Vec<_>>());
    println!("{name}: {difference:e}");
    assert!(difference < 2e-5, "{name}: {difference}");
}

#[test]
fn logits_are_the_originals() {
    for name in ["f32_ts0.1.49", "f32_ts0.1.86", "bf16_ts0.1.86"] {
        check_logits(name, "logits_generate_style");
    }
}

#[test]
fn logits_of_other_shapes_are_the_originals() {
    for name in ["wide", "one-layer-bf16", "tiny"] {
        check_logits(name, "logits");
    }
}

#[test]
fn greedy_continuations_are_the_originals_while_its_window_lasts() {
    let ids = |value: &Value| -> Vec<u32> { serde_json::from_value(value.clone()).unwrap() };
    for (name, file) in [
        ("f32_ts0.1.49", "greedy_generation.json"),
        ("f32_ts0.1.86", "greedy_generation.json"),
        ("bf16_ts0.1.86", "greedy_generation_bf16.json"),
    ] {
        let text = std::fs::read_to_string(place(file)).unwrap();
        let golden: Value = serde_json::from_str(&text).unwrap();
        // It goes on for two ids less than the model has positions, then repeats.
        let window = golden["model_max_positions"].as_u64().unwrap() as usize - 1;
        let mut engine = loaded(name);
        for case in golden["cases"].as_array().unwrap() {
            let prompt = ids(&case["prompt"]);
            let mut expected = ids(&case["output"]);
            if case["output_generated_only"] == true {
                expected = [prompt.clone(), expected].concat();
            }
            expected.truncate(window);
            let found = greedy(&mut engine, &prompt, expected.len() - prompt.len());
            assert_eq!(found, expected, "{name} {}", case["name"]);
        }
    }
}

#[test]
fn greedy_continuations_of_other_shapes_are_the_originals() {
    for name in ["wide", "one-layer-bf16", "tiny"] {
        let expected = words(name, "greedy");
        let found = greedy(&mut loaded(name), &expected[..1], expected.len() - 1);
        assert_eq!(found, expected, "{name}");
    }
}
