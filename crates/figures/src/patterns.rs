//! Patterns of notes: what stays equal in another key and nearly the same tempo.
//!
//! Onsets are rounded to a grid of 64 a second, on which tokens of performances
//! lie too, and notes of one grid step ordered by pitch. From each note to the
//! next leads a step: the interval in semitones, and which of seven classes the
//! time between them falls into: up to 2 (a chord), 5, 10, 20, 40, 80 steps of
//! the grid, and beyond. A pattern is eight notes: seven steps. The definition is
//! our own.

use std::collections::HashSet;

use crate::piece::{Piece, TICKS_PER_SECOND, share};

/// Steps of a pattern.
pub const PATTERN_STEPS: usize = 7;

/// Ticks of the grid.
const GRID: u32 = TICKS_PER_SECOND / 64;

/// The last grid step of each class of times but the longest.
const CLASSES: [u32; 6] = [2, 5, 10, 20, 40, 80];

/// An interval and a class of times in one number.
pub type Step = u16;

/// The steps from each note to the next.
pub fn steps(piece: &Piece) -> Vec<Step> {
    let on_grid = |tick: u32| (tick + GRID / 2) / GRID;
    let notes = piece.notes().iter();
    let mut places: Vec<(u32, u8)> = notes
        .map(|note| (on_grid(note.onset), note.pitch))
        .collect();
    places.sort_unstable();
    let step = |pair: &[(u32, u8)]| {
        let interval = 128 + u16::from(pair[1].1) - u16::from(pair[0].1);
        let time = pair[1].0 - pair[0].0;
        let class = CLASSES.iter().take_while(|last| time > **last).count();
        8 * interval + class as u16
    };
    places.windows(2).map(step).collect()
}

/// Share of a piece's patterns that it has already had; `None` where it has
/// fewer than eight notes.
pub fn repetition(piece: &Piece) -> Option<f64> {
    let steps = steps(piece);
    let mut seen = HashSet::new();
    let again = steps
        .windows(PATTERN_STEPS)
        .filter(|pattern| !seen.insert(*pattern));
    let again = again.count() as f64;
    share(again, steps.windows(PATTERN_STEPS).len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, melody, note, piece};

    #[test]
    fn patterns_are_equal_in_every_key_and_not_in_every_rhythm() {
        let steps = |pitches: &[u8]| super::steps(&melody(pitches));
        assert_eq!(steps(&[60, 64, 62]), steps(&[1, 5, 3]));
        assert_ne!(steps(&[60, 64, 62]), steps(&[60, 64, 63]));
        assert_ne!(steps(&[0, 127]), steps(&[127, 0]));
        let apart = |ticks| super::steps(&piece(&[note(0, 9, 60), note(ticks, 9, 62)]));
        assert_eq!(apart(100), apart(150));
        assert_ne!(apart(100), apart(200));
        assert_eq!(apart(1300), apart(90_000));
        // A spread chord is a chord, from its lowest note upwards.
        let chord = |apart| super::steps(&piece(&[note(0, 9, 67), note(apart, 9, 60)]));
        assert_eq!(chord(7), chord(0));
        assert_ne!(chord(8), chord(0));
    }

    #[test]
    fn what_returns_is_counted_from_its_second_time_on() {
        // 16 patterns: those of the second round, but the first that begins in it
        // and the six over the joint, are old.
        let figure = [60, 62, 65, 61, 70, 50, 52, 40, 41, 55, 43];
        let piece = melody(&figure.repeat(2));
        assert_eq!(steps(&piece).windows(7).len(), 15);
        close(repetition(&piece), 4.0 / 15.0);
        assert_eq!(repetition(&melody(&[60; 7])), None);
        close(repetition(&melody(&[60; 8])), 0.0);
    }
}
