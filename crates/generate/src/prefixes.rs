//! Which sequences begin with the same positions, kept once for all of them.
//!
//! A copy of a sequence shares all whole blocks of its positions. They move to a
//! cache that nothing is ever added to, so what becomes of one sequence does not
//! touch the others; the positions after them are each sequence's own.

use kernels::Prefix;

/// The prefix of each sequence.
pub(crate) struct Prefixes {
    of: Vec<Prefix>,
    caches: usize,
}

impl Prefixes {
    /// Caches that `sequences` can make use of: each is shared by two or more.
    pub(crate) fn caches(sequences: usize) -> usize {
        sequences / 2
    }

    /// `sequences` that share nothing.
    pub(crate) fn new(sequences: usize) -> Self {
        Self {
            of: vec![Prefix::default(); sequences],
            caches: Self::caches(sequences),
        }
    }

    /// What a sequence shares.
    pub(crate) fn of(&self, sequence: usize) -> Prefix {
        self.of[sequence]
    }

    /// Says what a sequence shares.
    pub(crate) fn set(&mut self, sequence: usize, prefix: Prefix) {
        self.of[sequence] = prefix;
    }

    /// A prefix for the first `length` positions in a cache that no sequence
    /// uses; none where there is no such cache or nothing to share.
    pub(crate) fn free(&self, length: usize) -> Option<Prefix> {
        let positions = whole(length);
        let used = |index| {
            let mut prefixes = self.of.iter();
            prefixes.any(|prefix| prefix.positions > 0 && prefix.index == index)
        };
        let index = (0..self.caches).find(|index| !used(*index))?;
        (positions > 0).then_some(Prefix { index, positions })
    }
}

/// As many positions as a prefix can have.
pub(crate) fn whole(positions: usize) -> usize {
    positions - positions % Prefix::STEP
}
