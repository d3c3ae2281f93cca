//! What products can reach at most: the tile on operands in the first-level cache.
//!
//! Nothing is packed, loaded from further away or written back, so it is the rate
//! that the parts of a step are held against.

use std::time::Instant;

use super::buffer::Buffer;
use super::cells::{CellKernel, Cells, Layout, With};
use super::tile::{EMPTY, Left, ROWS, tile};
use crate::elements::Line;
use crate::lanes::{Lanes, WIDTH};
use crate::team::Team;

/// Cells along `k`: 24 KB of a panel of 48 columns.
const DEPTH: usize = 128;
/// Rows of tiles between two looks at the clock.
const ROWS_AT_A_TIME: usize = 160_000;

/// Multiplications and additions a second, of all threads together: the median
/// of `rounds`, which take some tens of milliseconds each. 0 for no rounds.
pub fn peak(team: &mut Team, layout: Layout, rounds: usize) -> f64 {
    let isa = team.isa();
    let mut operations = vec![0; team.threads()];
    let mut rates: Vec<_> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            team.for_each(&mut operations, |_, operations| {
                isa.run(With(layout, Tiles { operations }));
            });
            operations.iter().sum::<usize>() as f64 / start.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    rates.get(rounds / 2).copied().unwrap_or(0.0)
}

struct Tiles<'a> {
    operations: &'a mut usize,
}

impl CellKernel for Tiles<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(self, s: S) {
        let stride = DEPTH + WIDTH;
        let left = Buffer::<u32>::new(ROWS * stride);
        let right = Buffer::<u32>::new(S::LINES * WIDTH * DEPTH);
        let mut out = Line(EMPTY);
        let tiles = ROWS_AT_A_TIME / S::TALL;
        for _ in 0..tiles {
            let left = Left::rows(std::hint::black_box(&left), stride);
            tile::<S, C>(s, left, &right, S::LINES, &mut out.0);
        }
        std::hint::black_box(&out);
        let products = S::TALL * S::LINES * WIDTH * DEPTH * C::GROUP;
        *self.operations = 2 * products * tiles;
    }
}
