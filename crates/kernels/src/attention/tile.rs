//! What some queries that are taken together look at.

use super::QUERIES;
use crate::cache::{Cached, Head, Middles, Scales};
use crate::tile::BLOCK;
use std::ops::Range;

/// Positions of one cache that some rows of a tile look at.
pub(super) struct Part<'a, E: Cached> {
    pub(super) cache: &'a Head<E>,
    pub(super) rows: Range<usize>,
    /// From the start of a block on.
    pub(super) positions: Range<usize>,
}

impl<'a, E: Cached> Part<'a, E> {
    /// The stripes of the cache that its positions lie in.
    #[inline(always)]
    fn stripes(&self) -> Range<usize> {
        self.cache.stripes(&self.positions)
    }

    /// Its positions in a stripe; `None` where there are none.
    #[inline(always)]
    fn run(&self, stripe: usize) -> Option<Run<'a, E>> {
        let before = self.cache.start(stripe);
        let start = self.positions.start.max(before);
        let end = self.positions.end.min(self.cache.start(stripe + 1));
        (start < end).then(|| Run {
            cache: self.cache,
            rows: self.rows.clone(),
            stripe,
            positions: start - before..end - before,
        })
    }

    /// All its positions, stripe by stripe.
    pub(super) fn runs(&self) -> impl Iterator<Item = Run<'a, E>> {
        self.stripes().filter_map(|stripe| self.run(stripe))
    }
}

/// Positions of one stripe of a cache, whose memory lies together.
pub(super) struct Run<'a, E: Cached> {
    cache: &'a Head<E>,
    pub(super) rows: Range<usize>,
    stripe: usize,
    /// Counted from the start of the stripe.
    positions: Range<usize>,
}

impl<'a, E: Cached> Run<'a, E> {
    /// The positions, counted from the start of the sequence.
    #[inline(always)]
    pub(super) fn all(&self) -> Range<usize> {
        let before = self.cache.start(self.stripe);
        before + self.positions.start..before + self.positions.end
    }

    #[inline(always)]
    pub(super) fn scales(&self) -> &'a [Scales] {
        self.cache.scales(self.stripe, &self.positions)
    }

    #[inline(always)]
    pub(super) fn middles(&self) -> &'a [Middles] {
        self.cache.middles(self.stripe, &self.positions)
    }

    /// Whole blocks of keys.
    #[inline(always)]
    pub(super) fn keys(&self) -> &'a [[E::Line; 2]] {
        self.cache.keys(self.stripe, &self.positions)
    }

    /// A block of values.
    #[inline(always)]
    pub(super) fn values(&self, block: usize) -> &'a [[E::Line; 2]] {
        self.cache.values(block, self.stripe, &self.positions)
    }
}

/// Queries that are taken together, and what they look at.
pub(super) struct Tile<'a, E: Cached> {
    /// The first query's row in a span of several.
    pub(super) first: usize,
    pub(super) rows: usize,
    pub(super) prefix: Option<Part<'a, E>>,
    /// What comes after the prefix: one for all rows, or one a row.
    pub(super) own: [Option<Part<'a, E>>; QUERIES],
}

impl<'a, E: Cached> Tile<'a, E> {
    /// All that is read, for each row in the order of positions, and as it lies in
    /// memory: a stripe of all sequences after the other.
    #[inline(always)]
    pub(super) fn runs(&self) -> Runs<'_, 'a, E> {
        Runs {
            prefix: self.prefix.as_ref().map_or(0..0, Part::stripes),
            ..self.own_runs()
        }
    }

    /// What is read of the prefix.
    #[inline(always)]
    pub(super) fn prefix_runs(&self) -> impl Iterator<Item = Run<'a, E>> {
        self.prefix.iter().flat_map(Part::runs)
    }

    /// What is read of what comes after it.
    #[inline(always)]
    pub(super) fn own_runs(&self) -> Runs<'_, 'a, E> {
        let (mut first, mut end) = (usize::MAX, 0);
        for part in self.own.iter().flatten() {
            let stripes = part.stripes();
            (first, end) = (first.min(stripes.start), end.max(stripes.end));
        }
        Runs {
            tile: self,
            prefix: 0..0,
            own: first..end,
            row: 0,
        }
    }

    /// What is read after the keys of the prefix, in order, in pieces of a few kilobytes:
    /// keys, then values.
    #[inline(always)]
    pub(super) fn pieces(&self, head_dim: usize) -> Pieces<'_, 'a, E> {
        Pieces {
            runs: self.own_runs(),
            pass: 0,
            passes: head_dim.div_ceil(BLOCK),
            size: piece::<E>(head_dim),
            rest: &[],
        }
    }

    /// Positions that are seen by any row.
    pub(super) fn seen(&self) -> usize {
        self.prefix
            .iter()
            .chain(self.own.iter().flatten())
            .map(|part| part.positions.end)
            .fold(0, usize::max)
    }
}

/// See [`Tile::runs`].
pub(super) struct Runs<'a, 'b, E: Cached> {
    tile: &'a Tile<'b, E>,
    /// Stripes of the prefix that are to come.
    prefix: Range<usize>,
    /// Stripes of the others.
    own: Range<usize>,
    /// Whose part of the first of these is next.
    row: usize,
}

impl<'a, E: Cached> Iterator for Runs<'a, '_, E> {
    type Item = Run<'a, E>;

    #[inline(always)]
    fn next(&mut self) -> Option<Run<'a, E>> {
        if let (Some(part), Some(stripe)) = (&self.tile.prefix, self.prefix.next()) {
            return part.run(stripe);
        }
        while !self.own.is_empty() {
            while let Some(part) = self.tile.own.get(self.row) {
                self.row += 1;
                let run = part.as_ref().and_then(|part| part.run(self.own.start));
                if run.is_some() {
                    return run;
                }
            }
            self.row = 0;
            self.own.start += 1;
        }
        None
    }
}

/// See [`Tile::pieces`].
pub(super) struct Pieces<'a, 'b, E: Cached> {
    runs: Runs<'a, 'b, E>,
    /// 0 for keys, then one for each block of values.
    pass: usize,
    passes: usize,
    size: usize,
    /// What is left of a run.
    rest: &'a [[E::Line; 2]],
}

impl<'a, E: Cached> Iterator for Pieces<'a, '_, E> {
    type Item = &'a [[E::Line; 2]];

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        while self.rest.is_empty() {
            match self.runs.next() {
                Some(run) if self.pass == 0 => self.rest = run.keys(),
                Some(run) => self.rest = run.values(self.pass - 1),
                None if self.pass == self.passes => return None,
                None => {
                    self.pass += 1;
                    self.runs = self.runs.tile.runs();
                }
            }
        }
        let (piece, rest) = self.rest.split_at(self.size.min(self.rest.len()));
        self.rest = rest;
        Some(piece)
    }
}

/// Groups of a piece at most: whole blocks of keys, some 8 KB.
pub(super) fn piece<E: Cached>(head_dim: usize) -> usize {
    64_usize.next_multiple_of(head_dim.div_ceil(E::GROUP))
}
