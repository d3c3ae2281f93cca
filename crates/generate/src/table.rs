//! Embeddings: rows that are looked up and never multiplied.

use half::bf16;
use kernels::{Team, WeightFormat};
use model::WeightsError;

use crate::weight_file::Tensors;

/// Rows that a thread reads at once.
const ROWS: usize = 64;

/// `[rows, width]`. Beside f32 weights it is kept in f32, beside narrower ones in
/// bf16: for the default size in f32 it would be more than half of all int8
/// weights.
pub(crate) enum Table {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
}

impl Table {
    /// Reads the tensor `name`, shared out among the threads.
    ///
    /// # Errors
    /// That of `weights`.
    pub(crate) fn read(
        team: &mut Team,
        weights: &impl Tensors,
        format: WeightFormat,
        name: &str,
        (rows, width): (usize, usize),
    ) -> Result<Self, WeightsError> {
        let run = ROWS * width;
        match format {
            WeightFormat::F32 => {
                let mut values = vec![0.0; rows * width];
                parts(team, &mut values, run, |from, part| {
                    weights.read(name, from, part)
                })?;
                Ok(Self::F32(values))
            }
            WeightFormat::Bf16 | WeightFormat::Int8 => {
                let mut values = vec![bf16::ZERO; rows * width];
                parts(team, &mut values, run, |from, part| {
                    let mut wide = vec![0.0; part.len()];
                    weights.read(name, from, &mut wide)?;
                    for (narrow, wide) in part.iter_mut().zip(wide) {
                        *narrow = bf16::from_f32(wide);
                    }
                    Ok(())
                })?;
                Ok(Self::Bf16(values))
            }
        }
    }

    /// Adds row `row` to `x`, f32 `[width]`.
    pub(crate) fn add(&self, row: usize, x: &mut [f32]) {
        let at = row * x.len()..(row + 1) * x.len();
        match self {
            Self::F32(values) => {
                for (x, value) in x.iter_mut().zip(&values[at]) {
                    *x += value;
                }
            }
            Self::Bf16(values) => {
                for (x, value) in x.iter_mut().zip(&values[at]) {
                    *x += value.to_f32();
                }
            }
        }
    }
}

/// Runs `read(from, part)` over the values, `run` at a time.
fn parts<T: Send>(
    team: &mut Team,
    values: &mut [T],
    run: usize,
    read: impl Fn(usize, &mut [T]) -> Result<(), WeightsError> + Sync,
) -> Result<(), WeightsError> {
    let mut parts: Vec<_> = values.chunks_mut(run).map(|part| (part, Ok(()))).collect();
    team.for_each(&mut parts, |index, (part, done)| {
        *done = read(index * run, part);
    });
    parts.into_iter().try_for_each(|(_, done)| done)
}
