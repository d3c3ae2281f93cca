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

use super::whole_lines;
use crate::lanes::{Lanes, WIDTH};
use crate::training::buffer::Buffer;
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
        let (cells, stride) = (WIDTH / C::GROUP, QUERIES / C::GROUP);
        let diagonal = query < key + S::TALL;
        // Plain slices, of what this tile needs: in the loops nothing is looked up.
        let queries = query / WIDTH..query / WIDTH + lines;
        let sums = &statistics.sums.as_chunks().0[queries.clone()];
        let means = &statistics.means.as_chunks().0[queries.clone()];
        let positions = &statistics.positions.as_chunks().0[queries.clone()];
        let row_keys = &statistics.row_keys.as_chunks().0[queries];
        let rows = (0..S::TALL).step_by(C::GROUP);
        let from = row * stride + column / C::GROUP;
        let weights = self.weights[from..].chunks_mut(C::GROUP * stride);
        let along = self.along[from..].chunks_mut(C::GROUP * stride);
        let across = match C::GROUP {
            1 => &mut [],
            _ => &mut self.across[row / C::GROUP * QUERIES + column..],
        };
        let mut across = across.chunks_mut(QUERIES);
        for ((first, weights), along) in rows.zip(weights).zip(along) {
            let across = across.next().unwrap_or_default().as_chunks_mut().0;
            let (tile_scores, tile_d) = (&scores[first..], &d_weights[first..]);
            let hidden = [hidden(key + first), hidden(key + first + C::GROUP - 1)];
            for line in 0..lines {
                let (sums, means) = (s.load(&sums[line]), s.load(&means[line]));
                let mut both = [s.splat(0.0); 2];
                for i in 0..C::GROUP {
                    let key = key + first + i;
                    let x = s.sub(s.load(&tile_scores[i].as_chunks().0[line]), sums);
                    let mut p = C::exp(s, x);
                    if diagonal {
                        p = s.keep_from(p, s.load(&positions[line]), key as f32);
                    }
                    if hidden[i] {
                        p = s.splat(0.0);
                    }
                    let w = match dropout {
                        Some(dropout) => {
                            let word = key_word(key);
                            s.keep_scrambled(p, &row_keys[line], word, dropout.threshold())
                        }
                        None => p,
                    };
                    let dp = s.load(&tile_d[i].as_chunks().0[line]);
                    let ds = s.mul_add(w, dp, s.mul(p, means));
                    both[i] = ds;
                    let to = i * stride + line * cells;
                    C::line(s, w, &mut weights[to..to + cells]);
                    C::line(s, ds, &mut along[to..to + cells]);
                }
                if C::GROUP > 1 {
                    C::across(s, both[0], both[1], &mut across[line]);
                }
            }
        }
    }
}
