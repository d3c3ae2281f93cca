//! How keys are struck and the pedal is used.

use score::Note;

use crate::Piece;
use crate::piece::share;

/// Mean velocity, 1 to 127.
pub fn mean_velocity(notes: &[Note]) -> Option<f64> {
    let sum: u64 = notes.iter().map(|note| u64::from(note.velocity)).sum();
    share(sum as f64, notes.len() as f64)
}

/// Standard deviation of the velocities.
pub fn velocity_deviation(notes: &[Note]) -> Option<f64> {
    let mean = mean_velocity(notes)?;
    let squares = notes
        .iter()
        .map(|note| (f64::from(note.velocity) - mean).powi(2));
    Some(share(squares.sum(), notes.len() as f64)?.sqrt())
}

/// Share of the notes whose key is released while the sustain pedal is down:
/// those that sound on under it.
pub fn pedalled_notes(piece: &Piece) -> f64 {
    let pedals = piece.pedals();
    let sounds_on = |note: &&Note| {
        let before = pedals.partition_point(|pedal| pedal.onset <= note.end());
        // Spans of several tracks may lie in one another.
        pedals[..before]
            .iter()
            .rev()
            .any(|pedal| note.end() < pedal.end())
    };
    let count = piece.notes().iter().filter(sounds_on).count();
    count as f64 / piece.notes().len() as f64
}

/// Share of the time, from the first onset to the end of the last note, during
/// which the sustain pedal is down.
pub fn pedal_time(piece: &Piece) -> Option<f64> {
    let (mut down, mut until) = (0.0, 0);
    for pedal in piece.pedals() {
        let (start, end) = (pedal.onset.max(until), pedal.end().min(piece.end()));
        down += f64::from(end.saturating_sub(start));
        until = until.max(end);
    }
    share(down, f64::from(piece.end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, note, pedal};

    #[test]
    fn a_note_is_pedalled_when_its_release_is_not_heard() {
        let notes = vec![
            note(0, 10, 60),
            note(20, 10, 61),
            note(40, 10, 62),
            note(60, 40, 63),
        ];
        let pedals = vec![pedal(5, 20), pedal(10, 2), pedal(25, 5), pedal(50, 100)];
        let piece = Piece::from_parts(notes, pedals).unwrap();
        // Released at 10 (held by the first), 30 (just lifted), 50 and 100.
        close(pedalled_notes(&piece), 0.75);
        // 5 to 30 and 50 to 100.
        close(pedal_time(&piece), 0.75);
    }

    #[test]
    fn velocities_by_hand() {
        let mut notes = [note(0, 1, 60), note(1, 1, 60)];
        notes[0].velocity = 70;
        notes[1].velocity = 90;
        close(mean_velocity(&notes), 80.0);
        close(velocity_deviation(&notes), 10.0);
        assert_eq!(velocity_deviation(&[]), None);
    }
}
