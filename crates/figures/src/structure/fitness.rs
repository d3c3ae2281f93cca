//! How well a segment explains the whole piece.
//!
//! A segment's path family is the set of paths through its columns of the
//! self-similarity matrix, from its beginning to its end and one after the other
//! in time, whose values have the largest sum; each path is a moment at which the
//! segment returns. Fitness is the harmonic mean of two shares: the mean value on
//! the paths, and how much of the piece they cover, both without the segment
//! itself (Müller, Jiang and Grosche 2013). Computed as in libfmp 1.3, whose
//! paths may leave out a first column.

use std::ops::RangeInclusive;

use super::similarity::Matrix;

/// The largest fitness of the segments with that many frames; 0 where there is
/// none.
pub fn strongest(similarity: &Matrix, lengths: RangeInclusive<usize>) -> f64 {
    let mut sums = Sums::default();
    let mut strongest = 0.0;
    for length in lengths {
        for start in 0..(similarity.size() + 1).saturating_sub(length) {
            sums.fill(similarity, start, length);
            strongest = sums.fitness().max(strongest);
        }
    }
    strongest
}

/// For each row and column the largest sum of a path family that has come so
/// far. Column 0 is the way from the end of a path to the beginning of the next.
#[derive(Default)]
struct Sums {
    rows: usize,
    width: usize,
    values: Vec<f32>,
}

/// What the best path family has.
#[derive(Debug, Default, PartialEq)]
struct Family {
    cells: usize,
    covered: usize,
}

impl Sums {
    fn fill(&mut self, similarity: &Matrix, start: usize, length: usize) {
        let never = f32::NEG_INFINITY;
        self.rows = similarity.size();
        self.width = length + 1;
        self.values.clear();
        self.values.resize(self.rows * self.width, never);
        for row in 0..self.rows {
            let segment = &similarity.row(row)[start..][..length];
            let (past, rest) = self.values.split_at_mut(row * self.width);
            let sums = &mut rest[..self.width];
            let Some(before) = past.len().checked_sub(self.width) else {
                (sums[0], sums[1]) = (0.0, segment[0]);
                continue;
            };
            let (past, last) = past.split_at(before);
            sums[0] = last[0].max(last[length]);
            sums[1] = sums[0] + segment[0];
            let steps = last.windows(2).zip(&segment[1..]).zip(&mut sums[2..]);
            match past.len().checked_sub(self.width) {
                None => steps.for_each(|((last, value), sum)| *sum = value + last[0].max(last[1])),
                Some(before) => {
                    let steps = steps.zip(&past[before + 1..]);
                    steps.for_each(|(((last, value), sum), second)| {
                        *sum = value + last[0].max(last[1]).max(*second);
                    });
                }
            }
        }
    }

    fn at(&self, row: usize, column: usize) -> f32 {
        self.values[row * self.width + column]
    }

    fn fitness(&self) -> f64 {
        let (last, length) = (self.rows - 1, self.width - 1);
        let sum = f64::from(self.at(last, 0).max(self.at(last, length)));
        let family = self.family();
        let score = (sum - length as f64) / family.cells.max(1) as f64;
        let coverage = (family.covered as f64 - length as f64) / self.rows as f64;
        if score + coverage > 0.0 {
            2.0 * score * coverage / (score + coverage)
        } else {
            0.0
        }
    }

    /// Follows the best path family back from its end.
    fn family(&self) -> Family {
        let length = self.width - 1;
        let mut family = Family::default();
        let mut row = self.rows - 1;
        let mut in_path = self.at(row, length) >= self.at(row, 0);
        loop {
            if in_path {
                let (first, cells) = self.path(row);
                family.cells += cells;
                family.covered += row + 1 - first;
                row = first;
            }
            if row == 0 {
                return family;
            }
            row -= 1;
            in_path = self.at(row, length) > self.at(row, 0);
        }
    }

    /// The first row of the path that ends in this row, and its cells.
    fn path(&self, end: usize) -> (usize, usize) {
        let (mut row, mut column, mut cells) = (end, self.width - 1, 1);
        while row > 0 && column > 1 {
            let mut best = (row - 1, column - 1);
            let mut others = [None; 2];
            if row > 2 {
                others[0] = Some((row - 2, column - 1));
            }
            if column > 2 {
                others[1] = Some((row - 1, column - 2));
            }
            for other in others.into_iter().flatten() {
                if self.at(other.0, other.1) > self.at(best.0, best.1) {
                    best = other;
                }
            }
            (row, column) = best;
            cells += 1;
        }
        (row, cells)
    }
}
