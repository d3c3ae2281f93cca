//! Trains a model of a named size on random tokens for a few steps and prints a
//! JSON line with each step's tokens a second and the peak memory.
//!
//! Usage: `throughput tiny|small|default|large SEQUENCES STEPS [f32|bf16]
//! [fused|composite] [DROPOUT] [DEVICE] [AT_A_TIME]`
//!
//! A step's sequences are learnt from so many at a time as `train` would, or
//! `AT_A_TIME`.

use std::time::Instant;

use model::{Batch, DeviceName, ModelConfig, Size, Weights};
use train::memory::Memory;
use train::{Kernels, Precision, Schedule, TrainOptions, Trainer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize| arguments.get(index).map(String::as_str);
    let size = match argument(0) {
        Some("tiny") => Size::Tiny,
        Some("small") => Size::Small,
        Some("large") => Size::Large,
        _ => Size::Default,
    };
    let sequences: usize = argument(1).unwrap_or("4").parse()?;
    let steps: usize = argument(2).unwrap_or("3").parse()?;
    let options = TrainOptions {
        precision: match argument(3) {
            Some("bf16") => Precision::Bf16,
            _ => Precision::F32,
        },
        kernels: match argument(4) {
            Some("composite") => Kernels::Composite,
            _ => Kernels::Fused,
        },
        batch_size: sequences,
        micro_batch_size: argument(7).map(str::parse).transpose()?,
        ..TrainOptions::default()
    };
    let config = ModelConfig {
        dropout: argument(5).unwrap_or("0").parse()?,
        ..ModelConfig::of_size(size)
    };
    let device: DeviceName = argument(6).unwrap_or("cpu").parse()?;
    let device = device.open()?.device;
    options.validate()?;
    let micro_batch_size = Memory::of(&options, &device).chosen(&options, &config);
    let every = (sequences / micro_batch_size) as u32;

    let weights = Weights::initial(&config, 1);
    let schedule = Schedule::Constant { rate: 4e-4 };
    let mut trainer = Trainer::new(&config, weights, &options, schedule, every, &device)?;
    let length = config.max_sequence_length;
    let id = |i: usize| (i * 7919 % (config.vocab_size - 3)) as u32 + 3;
    let row = |row: usize| {
        (0..=length)
            .map(|i| id(row * length + i))
            .collect::<Vec<_>>()
    };
    let rows: Vec<_> = (0..sequences).map(row).collect();
    let batches = rows.chunks_exact(micro_batch_size).map(Batch::new);
    let batches: Vec<_> = batches.collect::<Option<_>>().ok_or("an empty batch")?;
    let tokens: usize = batches.iter().map(Batch::tokens).sum();
    let (mut rates, mut losses) = (Vec::new(), Vec::new());
    for _ in 0..steps {
        let began = Instant::now();
        for batch in &batches {
            let finished = trainer.learn(batch)?;
            losses.extend(finished.map(|finished| finished.loss));
        }
        rates.push((tokens as f64 / began.elapsed().as_secs_f64()).round());
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = (status.lines())
        .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next())
        .and_then(|kilobytes| kilobytes.parse::<u64>().ok());
    let line = serde_json::json!({
        "arguments": arguments,
        "micro_batch_size": micro_batch_size,
        "tokens_per_second": rates,
        "losses": losses,
        "peak_memory_mb": peak.map(|kilobytes| kilobytes / 1000),
    });
    println!("{line}");
    Ok(())
}
