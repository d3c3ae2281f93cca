//! How fast and how long notes are, in real time.

use crate::Piece;
use crate::histogram::onset_intervals;
use crate::piece::{seconds, share};

/// Notes a second, from the first onset to the end of the last note.
pub fn note_density(piece: &Piece) -> Option<f64> {
    share(piece.notes().len() as f64, piece.seconds())
}

/// Mean seconds from an onset to the next, those of a chord included (`avg_IOI`
/// of Yang and Lerch 2020, *On the evaluation of generative models in music*).
pub fn mean_onset_interval(piece: &Piece) -> Option<f64> {
    let intervals = piece.notes().len() - 1;
    share(onset_intervals(piece).sum(), intervals as f64)
}

/// Mean seconds that a key is held.
pub fn mean_duration(piece: &Piece) -> Option<f64> {
    let durations = piece.notes().iter().map(|note| seconds(note.duration));
    share(durations.sum(), piece.notes().len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, note, piece};

    #[test]
    fn three_notes_by_hand() {
        let piece = piece(&[note(0, 960, 60), note(480, 480, 64), note(480, 1440, 67)]);
        close(note_density(&piece), 1.5);
        close(mean_onset_interval(&piece), 0.25);
        close(mean_duration(&piece), 1.0);
    }

    #[test]
    fn a_note_of_no_length_has_no_density() {
        let piece = piece(&[note(7, 0, 60)]);
        assert_eq!(note_density(&piece), None);
        assert_eq!(mean_onset_interval(&piece), None);
        close(mean_duration(&piece), 0.0);
    }
}
