//! Trains a model of a named size on random tokens for a few steps and prints
//! tokens a second and peak memory.
//!
//! Usage: `throughput [tiny|small|default|large] [micro batch] [steps] [device]`

use std::time::Instant;

use model::{Batch, DeviceName, ModelConfig, Size, Weights};
use train::{Schedule, TrainOptions, Trainer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let size = match arguments.next().as_deref() {
        Some("tiny") => Size::Tiny,
        Some("small") => Size::Small,
        Some("large") => Size::Large,
        _ => Size::Default,
    };
    let rows: usize = arguments.next().map_or(Ok(4), |text| text.parse())?;
    let steps: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let device = arguments
        .next()
        .map_or(Ok(DeviceName::CPU), |text| text.parse())?;
    let device = device.open()?.device;

    let config = ModelConfig::of_size(size);
    let weights = Weights::initial(&config, 1);
    let options = TrainOptions::default();
    let schedule = Schedule::Constant { rate: 4e-4 };
    let mut trainer = Trainer::new(&config, weights, &options, schedule, 1, &device)?;
    let length = config.max_sequence_length;
    let id = |i: usize| (i * 7919 % (config.vocab_size - 3)) as u32 + 3;
    let row = |row: usize| {
        (0..=length)
            .map(|i| id(row * length + i))
            .collect::<Vec<_>>()
    };
    let rows: Vec<_> = (0..rows).map(row).collect();
    let batch = Batch::new(&rows).ok_or("an empty batch")?;
    for step in 1..=steps {
        let began = Instant::now();
        let loss = trainer
            .learn(&batch)?
            .map_or(f64::NAN, |finished| finished.loss);
        let rate = batch.tokens() as f64 / began.elapsed().as_secs_f64();
        println!("step {step}: {rate:.0} tokens/s, loss {loss:.4}");
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    println!("{}", peak.unwrap_or("peak memory unknown"));
    Ok(())
}
