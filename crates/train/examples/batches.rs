//! Writes the batches that `train --augment` learns from, for other programs.
//!
//! Usage: `batches DATASET SEED ROWS STEPS OUT`
//!
//! OUT gets ids as u16, little-endian, `[STEPS, ROWS, 1025]`, each row padded with 0.

use std::fs::File;
use std::io::{BufWriter, Write};

use corpus::Dataset;
use train::{AugmentedPieces, Batches, Chunks, Limits, Position, Sets};

const LIMITS: Limits = Limits {
    min: 128,
    max: 1024,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dataset, seed, rows, steps, out] = arguments.as_slice() else {
        return Err("usage: batches DATASET SEED ROWS STEPS OUT".into());
    };
    let (seed, rows, steps): (u64, usize, usize) = (seed.parse()?, rows.parse()?, steps.parse()?);
    let dataset = Dataset::open(dataset.as_ref())?;
    let sets = Sets::new(&dataset, 1.0, None);
    let pieces = AugmentedPieces::read(&dataset, &sets.train, seed)?;
    let position = Position::default();
    let mut batches = Batches::new(&pieces, Chunks::Windows, LIMITS, seed, position, None)?;
    let mut out = BufWriter::new(File::create(out)?);
    for _ in 0..steps {
        let batch = batches.next_batch(rows)?;
        let inputs = batch.inputs();
        let labels = batch.labels();
        let lines = inputs.chunks(batch.length());
        for (input, labels) in lines.zip(labels.chunks(batch.length())) {
            let mut line: Vec<u16> = Vec::with_capacity(LIMITS.max + 1);
            line.push(u16::try_from(input[0])?);
            for label in labels {
                line.push(u16::try_from(*label)?);
            }
            line.resize(LIMITS.max + 1, 0);
            for id in line {
                out.write_all(&id.to_le_bytes())?;
            }
        }
    }
    Ok(out.flush()?)
}
