//! What smaller weights (and caches) cost: the loss of each format on validation
//! pieces, each cut into windows that begin with BOS.
//!
//! `cargo run --release -p generate --example loss MODEL_FOLDER DATASET [pieces]`

use corpus::{Dataset, Split};
use generate::{Engine, EngineOptions, WeightFormat};
use model::{BOS, ModelFolder};
use remi::Scratch;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("name a model folder")?;
    let dataset = arguments.next().ok_or("name a dataset folder")?;
    let count: usize = arguments.next().map_or(Ok(50), |text| text.parse())?;
    let folder = ModelFolder::read(folder.as_ref())?;
    let dataset = Dataset::open(dataset.as_ref())?;
    let mut pieces = Vec::new();
    for (index, piece) in dataset.pieces().iter().enumerate() {
        if piece.split == Split::Valid && pieces.len() < count {
            let base = dataset.base_tokens(index)?;
            pieces.push(
                dataset
                    .tokenizer()
                    .apply_bpe(&base, &mut Scratch::default()),
            );
        }
    }
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
