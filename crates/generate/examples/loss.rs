//! What smaller weights cost: the loss of each format on pieces.
//!
//! `tchaikovsky encode --tokenizer MODEL_FOLDER PIECE.mid ... > pieces.jsonl`
//! `cargo run --release -p generate --example loss MODEL_FOLDER pieces.jsonl`

use generate::{Engine, EngineOptions, WeightFormat};
use model::{BOS, ModelFolder};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().ok_or("name a model folder")?;
    let pieces = arguments.next().ok_or("name a file of ids")?;
    let folder = ModelFolder::read(folder.as_ref())?;
    let lines = std::fs::read_to_string(pieces)?;
    let pieces: Vec<Vec<u32>> = lines
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line)?;
            serde_json::from_value(line["ids"][0].clone())
        })
        .collect::<Result<_, _>>()?;
    let mut first = None;
    for format in [WeightFormat::F32, WeightFormat::Bf16, WeightFormat::Int8] {
        let options = EngineOptions {
            format,
            ..EngineOptions::default()
        };
        let mut engine = Engine::new(&folder.config, folder.weights.clone(), options)?;
        let (mut sum, mut count) = (0.0, 0);
        for ids in &pieces {
            for ids in ids.chunks(engine.capacity()) {
                engine.truncate(0, 0)?;
                let inputs: Vec<u32> = [BOS].into_iter().chain(ids.iter().copied()).collect();
                let mut labels = ids.iter();
                engine.feed_each(0, &inputs[..ids.len()], |logits| {
                    if let Some(label) = labels.next() {
                        sum += loss(logits, *label);
                        count += 1;
                    }
                })?;
            }
        }
        let loss = sum / f64::from(count);
        let base = *first.get_or_insert(loss);
        let change = 100.0 * (loss / base - 1.0);
        println!("{format:?}: {loss:.5} nats a token over {count}, {change:+.3} %");
    }
    Ok(())
}

/// Minus the logarithm of the label's probability.
fn loss(logits: &[f32], label: u32) -> f64 {
    let largest = logits.iter().fold(f32::MIN, |largest, x| largest.max(*x));
    let sum: f64 = logits.iter().map(|x| f64::from(x - largest).exp()).sum();
    sum.ln() + f64::from(largest - logits[label as usize])
}
