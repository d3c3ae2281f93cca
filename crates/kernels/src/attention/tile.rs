//! What some queries that are taken together look at.

use crate::cache::{Cached, Head, Scales};
use crate::lanes::WIDTH;
use crate::tile::{BLOCK, ROWS};
use std::ops::Range;

/// Positions of one cache that some rows of a tile look at.
pub(super) struct Part<'a, E: Cached> {
    pub(super) cache: &'a Head<E>,
    pub(super) rows: Range<usize>,
    /// From the start of a block on.
    pub(super) positions: Range<usize>,
}

impl<E: Cached> Part<'_, E> {
    pub(super) fn scales(&self) -> &[Scales] {
        let Range { start, end } = self.positions;
        &self.cache.scales[start / WIDTH..end.div_ceil(WIDTH)]
    }

    /// Whole blocks of keys.
    pub(super) fn keys(&self) -> &[[E::Line; 2]] {
        let Range { start, end } = self.positions;
        let groups = self.cache.key_groups;
        &self.cache.keys[start / BLOCK * groups..end.div_ceil(BLOCK) * groups]
    }

    /// A block of values.
    pub(super) fn values(&self, block: usize) -> &[[E::Line; 2]] {
        let Range { start, end } = self.positions;
        let groups = start / E::GROUP..end.div_ceil(E::GROUP);
        &self.cache.values[block * self.cache.value_groups..][groups]
    }
}

/// Queries that are taken together, and what they look at.
pub(super) struct Tile<'a, E: Cached> {
    /// The first query's row in a span of several.
    pub(super) first: usize,
    pub(super) rows: usize,
    pub(super) prefix: Option<Part<'a, E>>,
    /// What comes after the prefix: one for all rows, or one a row.
    pub(super) own: [Option<Part<'a, E>>; ROWS],
}

impl<E: Cached> Tile<'_, E> {
    /// Each row's parts in the order of their positions.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part<'_, E>> {
        self.prefix.iter().chain(self.own.iter().flatten())
    }

    /// All that is read, in that order, in pieces of a few kilobytes.
    pub(super) fn pieces(&self, head_dim: usize) -> impl Iterator<Item = &[[E::Line; 2]]> {
        let piece = piece::<E>(head_dim);
        let keys = self.parts().flat_map(move |part| part.keys().chunks(piece));
        let blocks = 0..head_dim.div_ceil(BLOCK);
        let values = blocks.flat_map(move |block| {
            let parts = self.parts();
            parts.flat_map(move |part| part.values(block).chunks(piece))
        });
        keys.chain(values)
    }

    /// Positions that are seen by any row.
    pub(super) fn seen(&self) -> usize {
        self.parts()
            .map(|part| part.positions.end)
            .fold(0, usize::max)
    }
}

/// Groups of a piece: whole blocks of keys, some 8 KB.
pub(super) fn piece<E: Cached>(head_dim: usize) -> usize {
    64_usize.next_multiple_of(head_dim.div_ceil(E::GROUP))
}
