//! How much of a piece is in the pieces that a model learned from.
//!
//! Notes are compared as [steps](crate::patterns): intervals and classes of
//! times, so that a copy in another key, or played a little differently, is one.
//! What pieces share without copying (scales, repeated notes, figures of a
//! style) counts too; only a comparison with pieces that the model never saw
//! tells how much is too much.

use crate::patterns::{PATTERN_STEPS, steps};
use crate::piece::share;
use crate::{Piece, Runs};

/// What there is to copy from.
pub struct Originals(Runs<u16>);

/// What a piece has in common with others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Copying {
    /// Most notes in a row that occur in one of the others, up to
    /// [`LONGEST_RUN`](crate::LONGEST_RUN).
    pub longest_run: usize,
    /// Share of the patterns of eight notes that occur in any of the others;
    /// `None` where the piece has fewer notes.
    pub patterns: Option<f64>,
}

impl Originals {
    /// Sorts what there is to copy from; see [`Runs::new`] for time and memory.
    pub fn new(pieces: impl IntoIterator<Item = Vec<u16>>) -> Self {
        Self(Runs::new(pieces))
    }

    /// What a piece has in common with them.
    pub fn copying(&self, piece: &Piece) -> Copying {
        let lengths = self.0.longest_at_each(&steps(piece));
        let longest = lengths.iter().max().copied().unwrap_or(0);
        let known = lengths
            .iter()
            .filter(|length| **length >= PATTERN_STEPS)
            .count();
        let all = (lengths.len() + 1).saturating_sub(PATTERN_STEPS);
        Copying {
            // Between the notes of a run lies a step less.
            longest_run: if longest > 0 { longest + 1 } else { 0 },
            patterns: share(known as f64, all as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::melody;

    #[test]
    fn a_run_in_another_key_is_found() {
        let original = melody(&[60, 62, 64, 65, 67, 69, 71, 72, 60, 50, 40]);
        let other = melody(&[1, 2, 1, 3, 1]);
        let originals = Originals::new([steps(&original), steps(&other)]);
        // Nine notes a tone lower, then another.
        let copied = originals.copying(&melody(&[58, 60, 62, 63, 65, 67, 69, 70, 58, 99]));
        assert_eq!(copied.longest_run, 9);
        assert_eq!(copied.patterns, Some(2.0 / 3.0));
        // Runs do not go on from one original to the next.
        let joint = originals.copying(&melody(&[50, 40, 41, 40]));
        assert_eq!(joint.longest_run, 3);
        assert_eq!(joint.patterns, None);
        assert_eq!(originals.copying(&melody(&[60])).longest_run, 0);
        assert_eq!(Originals::new([]).copying(&original).longest_run, 0);
    }
}
