//! Measures prefill and decoding at the default size with random weights.
//!
//! `cargo run --release -p generate --example decoding [prompt] [new] [threads]`

use generate::{Engine, EngineOptions, Sample, Session, SessionOptions, WeightFormat};
use model::{ModelConfig, Weights};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let prompt = arguments.next().transpose()?.unwrap_or(256);
    let new = arguments.next().transpose()?.unwrap_or(256);
    let threads = arguments.next().transpose()?.unwrap_or(0);
    let config = ModelConfig::default();
    let weights = Weights::initial(&config, 0);
    let ids: Vec<u32> = (0..prompt as u32).map(|i| 3 + i * 7919 % 9_000).collect();
    println!("prompt {prompt}, new {new}, times of the fastest of 3 runs");
    println!("format  batch  pack s  prefill s  steps: tokens/s  GB/s  sampled: tokens/s");
    let only = arguments.next().transpose()?;
    let formats = [WeightFormat::F32, WeightFormat::Bf16, WeightFormat::Int8];
    for format in formats
        .into_iter()
        .skip(only.unwrap_or(0))
        .take(only.map_or(3, |_| 1))
    {
        for sequences in [1, 8] {
            let start = Instant::now();
            let options = EngineOptions {
                format,
                threads,
                sequences,
                capacity: 0,
            };
            let mut engine = Engine::new(&config, weights.clone(), options)?;
            let packed = start.elapsed().as_secs_f64();
            let (mut prefill, mut decode) = (f64::MAX, f64::MAX);
            for _ in 0..3 {
                engine.truncate(0, 0)?;
                let start = Instant::now();
                engine.feed(0, &ids)?;
                prefill = prefill.min(start.elapsed().as_secs_f64());
                for sequence in 1..sequences {
                    engine.copy(0, sequence)?;
                }
                let mut step: Vec<_> = (0..sequences).map(|s| (s, 5 + s as u32)).collect();
                let start = Instant::now();
                for i in 0..new {
                    let logits = engine.step(&step)?;
                    let next = (logits[i].abs() * 1000.0) as u32 % 9_000;
                    step.iter_mut().for_each(|(_, id)| *id = 3 + next);
                }
                decode = decode.min(start.elapsed().as_secs_f64());
            }
            let sample = |seed| Sample {
                prompt: ids.clone(),
                seed,
                grammar: None,
            };
            let samples = (0..sequences as u64).map(sample).collect();
            let limit = SessionOptions {
                max_tokens: Some(new),
                end: None,
                ..Default::default()
            };
            let mut session = Session::new(&mut engine, samples, limit)?;
            session.prefill()?;
            let start = Instant::now();
            let drawn = session.by_ref().count();
            let sampled = drawn as f64 / start.elapsed().as_secs_f64();
            let bytes = if format == WeightFormat::F32 { 4 } else { 2 };
            let positions = prompt + new / 2;
            let cache = 2 * config.num_layers * config.dim * positions * bytes * sequences;
            let read = (engine.weight_bytes() + cache) * new;
            println!(
                "{:<7} {sequences:>5} {packed:>7.3} {prefill:>10.4} {:>16.1} {:>5.1} {sampled:>18.1}",
                format!("{format:?}"),
                (new * sequences) as f64 / decode,
                read as f64 / decode / 1e9,
            );
        }
    }
    Ok(())
}
