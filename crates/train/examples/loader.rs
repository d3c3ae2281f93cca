//! Loads epochs of a dataset with augmentation, as `train --augment` does, and
//! prints tokens a second.
//!
//! Usage: `loader DATASET [threads] [epochs]`

use std::path::PathBuf;
use std::time::Instant;

use corpus::Dataset;
use train::{AugmentedPieces, Batches, Chunks, Limits, Position, Sets};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a dataset folder")?);
    let threads: usize = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let epochs: u64 = arguments.next().map_or(Ok(3), |text| text.parse())?;

    let began = Instant::now();
    let dataset = Dataset::open(&folder)?;
    let sets = Sets::new(&dataset, 1.0, None);
    let pieces = AugmentedPieces::read(&dataset, &sets.train, 255)?;
    println!("{{\"read_seconds\": {:.2}}}", began.elapsed().as_secs_f64());
    let limits = Limits {
        min: 128,
        max: 1024,
    };
    for epoch in 0..epochs {
        let began = Instant::now();
        let position = Position { epoch, example: 0 };
        let windows = Chunks::Windows;
        let mut batches = Batches::new(&pieces, windows, limits, 255, position, Some(threads))?;
        let mut tokens = 0;
        for _ in 0..batches.examples() / 4 {
            tokens += batches.next_batch(4)?.tokens();
        }
        let seconds = began.elapsed().as_secs_f64();
        let rate = tokens as f64 / seconds;
        println!(
            "{{\"threads\": {threads}, \"tokens\": {tokens}, \"seconds\": {seconds:.2}, \"tokens_per_second\": {rate:.0}}}"
        );
    }
    Ok(())
}
