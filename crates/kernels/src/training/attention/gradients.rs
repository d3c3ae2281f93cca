//! The gradients of a tile of scores, keys down and queries across.
//!
//! ```text
//! p = exp(s - l)     w = keep(p)     ds = w dp - p D
//! ```
//! `w` and `ds` lack the factor of dropout: `D` comes divided by it, and the
//! gradients are multiplied by it at the end. Keys run down so that everything
//! that belongs to a query (`l`, `D`, its dropout key) is a vector across.
//! Each tile is written as the two later products want it: `w` and `ds` with
//! queries along `k`, `ds` also with keys along `k`.

use super::buffer::Buffer;
use super::whole_lines;
use crate::lanes::{Lanes, WIDTH};
use crate::training::cells::{Cells, Layout};
use crate::training::dropout::{Dropout, key_word};
use crate::training::tile::{COLUMNS, Tile};

/// Keys of a block: whole tiles of 4, 6 or 8 rows, and whole panels.
pub(super) const KEYS: usize = 2 * COLUMNS;
/// Queries of a block: whole tiles and whole panels.
pub(super) const QUERIES: usize = 4 * COLUMNS;

/// What belongs to each query.
pub(super) struct Statistics {
    /// `l`; plus infinity where there is no query.
    pub(super) sums: Buffer<f32>,
    /// `-D`, divided by the scale of dropout.
    pub(super) means: Buffer<f32>,
    /// The keys of dropout.
    pub(super) row_keys: Buffer<u32>,
    /// The positions.
    pub(super) positions: Buffer<f32>,
}

impl Statistics {
    pub(super) fn new(length: usize) -> Self {
        let mut positions = Buffer::new(whole_lines(length));
        for (position, x) in positions.iter_mut().enumerate() {
            *x = position as f32;
        }
        Self {
            sums: Buffer::new(whole_lines(length)),
            means: Buffer::new(whole_lines(length)),
            row_keys: Buffer::new(whole_lines(length)),
            positions,
        }
    }
}

/// What all tiles of a head share.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) statistics: &'a Statistics,
    /// Which keys are visible; `None` where all are.
    pub(super) visible: Option<&'a [bool]>,
    pub(super) dropout: Option<Dropout>,
}

/// Where a tile lies.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The position of its first key.
    pub(super) key: usize,
    /// The row of that key in the block.
    pub(super) row: usize,
    /// The position of its first query.
    pub(super) query: usize,
    /// The column of that query in the block.
    pub(super) column: usize,
    /// Lines of queries.
    pub(super) lines: usize,
}

/// The gradients of a block.
pub(super) struct Block {
    /// `w`, `[KEYS, QUERIES]` with queries along the cells.
    pub(super) weights: Buffer<u32>,
    /// `ds`, as `weights`.
    pub(super) along: Buffer<u32>,
    /// `ds`, `[KEYS, QUERIES]` with keys along the cells. Empty where a cell is
    /// one value, for then it is `along`.
    across: Buffer<u32>,
}

impl Block {
    pub(super) fn new(layout: Layout) -> Self {
        let group = layout.group();
        Self {
            weights: Buffer::new(KEYS * QUERIES / group),
            along: Buffer::new(KEYS * QUERIES / group),
            across: Buffer::new((group - 1) * KEYS * QUERIES / group),
        }
    }

    /// `ds` with keys along the cells.
    #[inline(always)]
    pub(super) fn across<C: Cells>(&self) -> &[u32] {
        match C::GROUP {
            1 => &self.along,
            _ => &self.across,
        }
    }

    /// Takes a tile of scores and one of `dp`.
    #[inline(always)]
    pub(super) fn take<S: Lanes, C: Cells>(
        &mut self,
        s: S,
        pass: &Pass,
        place: Place,
        scores: &Tile,
        d_weights: &Tile,
    ) {
        let Place {
            key,
            row,
            query,
            column,
            lines,
        } = place;
        let Pass {
            statistics,
            visible,
            dropout,
        } = *pass;
        let hidden = |key| visible.is_some_and(|visible| visible.get(key) == Some(&false));
        let cells = WIDTH / C::GROUP;
        let stride = QUERIES / C::GROUP;
        let diagonal = query < key + S::HEIGHT;
        for first in (0..S::HEIGHT).step_by(C::GROUP) {
            for line in 0..lines {
                let at = query / WIDTH + line;
                let sums = s.load(&statistics.sums.as_chunks().0[at]);
                let means = s.load(&statistics.means.as_chunks().0[at]);
                let mut both = [s.splat(0.0); 2];
                for (i, ds) in both[..C::GROUP].iter_mut().enumerate() {
                    let (i, key) = (first + i, key + first + i);
                    let x = s.sub(s.load(&scores[i].as_chunks().0[line]), sums);
                    let mut p = C::exp(s, x);
                    if diagonal {
                        let positions = s.load(&statistics.positions.as_chunks().0[at]);
                        p = s.keep_from(p, positions, key as f32);
                    }
                    if hidden(key) {
                        p = s.splat(0.0);
                    }
                    let w = match dropout {
                        Some(dropout) => {
                            let row_keys = &statistics.row_keys.as_chunks().0[at];
                            s.keep_scrambled(p, row_keys, key_word(key), dropout.threshold())
                        }
                        None => p,
                    };
                    let dp = s.load(&d_weights[i].as_chunks().0[line]);
                    *ds = s.mul_add(w, dp, s.mul(p, means));
                    let to = (row + i) * stride + column / C::GROUP + line * cells;
                    C::line(s, w, &mut self.weights[to..][..cells]);
                    C::line(s, *ds, &mut self.along[to..][..cells]);
                }
                if C::GROUP > 1 {
                    let to = (row + first) / C::GROUP * QUERIES + column + line * WIDTH;
                    let out = &mut self.across.as_chunks_mut().0[to / WIDTH];
                    C::across(s, both[0], both[1], out);
                }
            }
        }
    }
}
