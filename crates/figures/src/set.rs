//! Figures of a set of pieces, and of one set beside another.

use crate::copying::{Copying, Originals};
use crate::distances::{Likeness, likeness};
use crate::histogram::{HISTOGRAMS, divergence, overlapping_area, shares};
use crate::table::{FIGURES, Measured};

/// Figures of one piece.
#[derive(Clone, Debug, PartialEq)]
pub struct PieceFigures {
    /// Values of [`FIGURES`], in their order.
    pub figures: Vec<Option<f64>>,
    /// Counts of [`HISTOGRAMS`], in their order.
    pub histograms: Vec<Vec<u64>>,
    /// What it has in common with what there is to copy from.
    pub copying: Option<Copying>,
}

impl PieceFigures {
    /// Takes all figures of a piece.
    pub fn of(measured: &Measured, originals: Option<&Originals>) -> Self {
        let histograms = HISTOGRAMS
            .iter()
            .map(|histogram| (histogram.of)(measured.piece()));
        Self {
            figures: measured.figures(),
            histograms: histograms.collect(),
            copying: originals.map(|originals| originals.copying(measured.piece())),
        }
    }
}

/// Figures of pieces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Set {
    /// Each piece's.
    pub pieces: Vec<PieceFigures>,
}

/// What a figure's values are like over the pieces that have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Pieces that have a value.
    pub pieces: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation, of the pieces and not of a larger population.
    pub deviation: f64,
    /// Least.
    pub least: f64,
    /// Largest.
    pub most: f64,
}

impl Set {
    /// Sums up a figure, by its index in [`FIGURES`].
    pub fn summary(&self, figure: usize) -> Option<Summary> {
        summarise(self.pieces.iter().filter_map(|piece| piece.figures[figure]))
    }

    /// Sums up the longest runs that pieces share with the originals.
    pub fn longest_runs(&self) -> Option<Summary> {
        let copying = self.pieces.iter().filter_map(|piece| piece.copying);
        summarise(copying.map(|copying| copying.longest_run as f64))
    }

    /// Sums up the shares of patterns that occur in the originals.
    pub fn copied_patterns(&self) -> Option<Summary> {
        let copying = self.pieces.iter().filter_map(|piece| piece.copying);
        summarise(copying.filter_map(|copying| copying.patterns))
    }

    /// A histogram of all notes, by its index in [`HISTOGRAMS`].
    pub fn histogram(&self, index: usize) -> Vec<u64> {
        let mut sum = vec![0; HISTOGRAMS[index].bins];
        for piece in &self.pieces {
            let pairs = sum.iter_mut().zip(&piece.histograms[index]);
            pairs.for_each(|(sum, count)| *sum += count);
        }
        sum
    }

    /// How alike the sets' pieces are in a figure: see [`likeness`].
    pub fn likeness(&self, reference: &Self, figure: usize) -> Option<Likeness> {
        let values = |set: &Self| -> Vec<[f64; 1]> {
            let values = set.pieces.iter().filter_map(|piece| piece.figures[figure]);
            values.map(|value| [value]).collect()
        };
        likeness(&values(self), &values(reference))
    }

    /// How alike the sets' pieces are in a histogram, as shares of each piece.
    pub fn histogram_likeness(&self, reference: &Self, index: usize) -> Option<Likeness> {
        let shares = |set: &Self| -> Vec<Vec<f64>> {
            let counts = set.pieces.iter().map(|piece| &piece.histograms[index]);
            counts.filter_map(|counts| shares(counts)).collect()
        };
        likeness(&shares(self), &shares(reference))
    }

    /// How alike the histograms of all notes are: the area they share, and the
    /// divergence of the reference's.
    pub fn notes_likeness(&self, reference: &Self, index: usize) -> Option<Likeness> {
        let (counts, others) = (self.histogram(index), reference.histogram(index));
        Some(Likeness {
            overlapping_area: overlapping_area(&counts, &others)?,
            divergence: divergence(&counts, &others)?,
        })
    }

    /// The index of a figure in [`FIGURES`].
    pub fn figure(name: &str) -> Option<usize> {
        FIGURES.iter().position(|figure| figure.name == name)
    }
}

fn summarise(values: impl Iterator<Item = f64>) -> Option<Summary> {
    let values: Vec<f64> = values.collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2));
    Some(Summary {
        pieces: values.len(),
        mean,
        deviation: (squares.sum::<f64>() / count).sqrt(),
        least: values.iter().copied().reduce(f64::min)?,
        most: values.iter().copied().reduce(f64::max)?,
    })
}
