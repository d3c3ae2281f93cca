//! The longest runs that two sequences share, by a suffix array (Manber and
//! Myers 1993).

use std::cmp::Ordering;

use rayon::slice::ParallelSliceMut;
use score::Note;

/// Longest run that is told apart: one that is longer counts as so long.
pub const LONGEST_RUN: usize = 1024;

/// All runs of some sequences, ready to be searched.
pub struct Runs<S> {
    /// The sequences, each with an end.
    text: Vec<Option<S>>,
    /// Where runs begin, in the order of what follows there.
    suffixes: Vec<usize>,
}

impl<S: Ord + Copy + Send + Sync> Runs<S> {
    /// Sorts the runs of sequences; takes a few seconds for millions of symbols,
    /// and about twelve bytes a symbol.
    pub fn new(sequences: impl IntoIterator<Item = Vec<S>>) -> Self {
        let mut text = Vec::new();
        for sequence in sequences {
            text.extend(sequence.into_iter().map(Some));
            text.push(None);
        }
        let mut suffixes: Vec<usize> = (0..text.len()).filter(|at| text[*at].is_some()).collect();
        suffixes.par_sort_unstable_by(|a, b| run_at(&text, *a).cmp(run_at(&text, *b)));
        Self { text, suffixes }
    }

    /// For each place of a sequence the length of the longest run from there
    /// that is among the runs; up to [`LONGEST_RUN`].
    pub fn longest_at_each(&self, sequence: &[S]) -> Vec<usize> {
        let places = 0..sequence.len();
        places
            .map(|start| self.longest(&sequence[start..]))
            .collect()
    }

    /// The longest beginning of `sequence` among the runs.
    fn longest(&self, sequence: &[S]) -> usize {
        let run = |at: usize| run_at(&self.text, at);
        let is_less = |at: &usize| compare(run(*at), sequence).1 == Ordering::Less;
        // Of all runs, the neighbours share the longest beginning with it.
        let next = self.suffixes.partition_point(is_less);
        let neighbours = &self.suffixes[next.saturating_sub(1)..self.suffixes.len().min(next + 1)];
        let shared = neighbours.iter().map(|at| compare(run(*at), sequence).0);
        shared.max().unwrap_or(0)
    }
}

fn run_at<S>(text: &[Option<S>], at: usize) -> &[Option<S>] {
    &text[at..text.len().min(at + LONGEST_RUN)]
}

/// How much of their beginnings a run and a sequence share, and their order.
fn compare<S: Ord + Copy>(run: &[Option<S>], sequence: &[S]) -> (usize, Ordering) {
    let pairs = run.iter().zip(sequence);
    let shared = pairs.take_while(|(a, b)| a.as_ref() == Some(b)).count();
    (
        shared,
        run.get(shared)
            .copied()
            .flatten()
            .cmp(&sequence.get(shared).copied()),
    )
}

/// The most notes in a row that occur in both, equal in pitch and in the ticks
/// since the note before; notes in the order of their onsets. Up to
/// [`LONGEST_RUN`].
pub fn longest_common_run(notes: &[Note], others: &[Note]) -> usize {
    let lengths = Runs::new([places(others)]).longest_at_each(&places(notes));
    lengths.into_iter().max().unwrap_or(0)
}

/// Each note's pitch and its ticks since the note before.
fn places(notes: &[Note]) -> Vec<(u8, u32)> {
    let mut before = notes.first().map_or(0, |note| note.onset);
    let place = |note: &Note| {
        let ticks = note.onset.saturating_sub(before);
        before = note.onset;
        (note.pitch, ticks)
    };
    notes.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::note;

    fn notes(pitches: &[u8]) -> Vec<Note> {
        let onsets = (0..).step_by(10);
        onsets
            .zip(pitches)
            .map(|(onset, pitch)| note(onset, 10, *pitch))
            .collect()
    }

    /// By trying all places.
    fn plain(sequence: &[u8], others: &[Vec<u8>]) -> Vec<usize> {
        let shared = |a: &[u8], b: &[u8]| a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let longest = |start: usize| {
            let places = others
                .iter()
                .flat_map(|other| (0..other.len()).map(move |at| &other[at..]));
            places
                .map(|other| shared(&sequence[start..], other))
                .max()
                .unwrap_or(0)
        };
        (0..sequence.len()).map(longest).collect()
    }

    #[test]
    fn equals_the_search_of_all_places() {
        let mut state = 1_u32;
        for length in 0..60 {
            let mut symbols = |length: usize| -> Vec<u8> {
                let next = || {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 30) as u8
                };
                std::iter::repeat_with(next).take(length).collect()
            };
            let others = vec![symbols(length), symbols(length / 2), symbols(3)];
            let sequence = symbols(length);
            let found = Runs::new(others.clone()).longest_at_each(&sequence);
            assert_eq!(found, plain(&sequence, &others), "{length}");
        }
    }

    #[test]
    fn runs_longer_than_are_told_apart_count_as_so_long() {
        let long = vec![7_u8; 3 * LONGEST_RUN];
        let lengths = Runs::new([long.clone()]).longest_at_each(&long);
        assert_eq!(lengths[0], LONGEST_RUN);
        assert_eq!(lengths[lengths.len() - 5..], [5, 4, 3, 2, 1]);
    }

    #[test]
    fn rhythm_counts_and_place_does_not() {
        let a = notes(&[60, 62, 64, 65, 67]);
        let mut later = notes(&[1, 62, 64, 65, 2]);
        later.iter_mut().for_each(|note| note.onset += 1000);
        assert_eq!(longest_common_run(&a, &later), 3);
        later[2].onset += 1;
        assert_eq!(longest_common_run(&a, &later), 1);
        assert_eq!(longest_common_run(&a, &[]), 0);
    }
}
