//! Which moments of a piece resemble which.
//!
//! The self-similarity matrix of MusDr, which is that of Müller's *Fundamentals
//! of Music Processing* (chapter 4): scalar products of frames, averaged along
//! diagonals of 16 frames forwards or backwards, at seven tempi from half to
//! double and in twelve keys, of which the largest counts; then the largest
//! quarter of all values scaled to 0 to 1, and -2 for all others.

use super::chroma::Frame;

const DIAGONAL: usize = 16;
const TEMPI: usize = 7;
const KEPT: f64 = 0.25;
const PENALTY: f32 = -2.0;

/// A square matrix, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    size: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// Number of rows, and of columns.
    pub fn size(&self) -> usize {
        self.size
    }

    /// A row, by its index.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.size..][..self.size]
    }
}

/// How much the moments (rows) of a piece resemble its moments (columns).
pub fn similarity(frames: &[Frame]) -> Matrix {
    let size = frames.len();
    let mut best = vec![0.0_f32; size * size];
    let mut resampled = Vec::new();
    let mut smoothed = Vec::new();
    for key in 0..12 {
        let products = products(frames, key);
        for tempo in 0..TEMPI {
            // Logarithmically from 1/2 to 2.
            let tempo = (2.0 * tempo as f64 / (TEMPI - 1) as f64 - 1.0).exp2();
            let width = (size as f64 / tempo).ceil() as usize;
            let column = resampling(size, width);
            resampled.clear();
            for row in products.chunks(size.max(1)) {
                resampled.extend(column.iter().map(|column| row[*column]));
            }
            let back = resampling(width, size);
            for forwards in [true, false] {
                average_diagonals(&resampled, width, forwards, &mut smoothed);
                let rows = best
                    .chunks_mut(size.max(1))
                    .zip(smoothed.chunks(width.max(1)));
                for (best, smoothed) in rows {
                    for (best, column) in best.iter_mut().zip(&back) {
                        *best = best.max(smoothed[*column]);
                    }
                }
            }
        }
    }
    enhance(&mut best);
    (0..size).for_each(|index| best[index * size + index] = 1.0);
    Matrix { size, values: best }
}

/// Products of all frames, the first moved up by some semitones.
fn products(frames: &[Frame], key: usize) -> Vec<f32> {
    let product = |a: &Frame, b: &Frame| {
        (0..12)
            .map(|class| a[(class + 12 - key) % 12] * b[class])
            .sum::<f32>()
    };
    let row = |a: &Frame| frames.iter().map(|b| product(a, b)).collect::<Vec<f32>>();
    frames.iter().flat_map(row).collect()
}

/// For each of `to` places the one of `from` places it is taken from.
fn resampling(from: usize, to: usize) -> Vec<usize> {
    let place = |index: usize| (index + 1) as f64 / to as f64 * from as f64;
    let place = |index| place(index).round_ties_even() as usize;
    (0..to)
        .map(|index| place(index).saturating_sub(1))
        .collect()
}

/// Means along diagonals of a matrix of some columns, from each cell forwards or
/// backwards; what lies outside counts as 0.
fn average_diagonals(values: &[f32], width: usize, forwards: bool, means: &mut Vec<f32>) {
    means.clear();
    means.resize(values.len(), 0.0);
    let rows = values.len() / width.max(1);
    for row in 0..rows {
        let mean = &mut means[row * width..][..width];
        for step in 0..DIAGONAL.min(width) {
            let other = match forwards {
                true => row + step,
                false => row.wrapping_sub(step),
            };
            if other >= rows {
                break;
            }
            let source = &values[other * width..][..width];
            let pairs = match forwards {
                true => mean.iter_mut().zip(&source[step..]),
                false => mean[step..].iter_mut().zip(source),
            };
            pairs.for_each(|(mean, value)| *mean += value);
        }
        mean.iter_mut().for_each(|mean| *mean /= DIAGONAL as f32);
    }
}

/// Scales the largest values to 0 to 1 and sets the others to the penalty.
fn enhance(values: &mut [f32]) {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let below = (values.len() as f64 * (1.0 - KEPT)).round_ties_even() as usize;
    let Some(threshold) = sorted.get(below).copied() else {
        return;
    };
    let kept = sorted
        .iter()
        .copied()
        .find(|value| *value >= threshold && *value > 0.0);
    let (least, most) = (kept.unwrap_or(0.0), sorted[sorted.len() - 1]);
    if most <= least {
        return;
    }
    for value in values {
        *value = match *value >= threshold && *value > 0.0 {
            true => (*value - least) / (most - least),
            false => PENALTY,
        };
    }
}
