//! What figures are measured on.

use score::{Merge, Note, Pedal, Score, piano_track, to_performance_time};

/// Ticks a second of a [`Piece`]: those of performance time.
pub const TICKS_PER_SECOND: u32 = 2 * score::PERFORMANCE_TICKS_PER_QUARTER as u32;

/// The piano part of a piece in real time, from its first note on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    notes: Vec<Note>,
    pedals: Vec<Pedal>,
}

impl Piece {
    /// The piano part (all tracks but drums) in [performance
    /// time](score::to_performance_time), its first onset at tick 0; `None`
    /// where there is no note.
    pub fn new(score: &Score) -> Option<Self> {
        let piano = Score {
            tracks: vec![piano_track(score, Merge::All)?],
            ..score.clone()
        };
        let track = to_performance_time(&piano).tracks.into_iter().next()?;
        Self::from_parts(track.notes, track.pedals)
    }

    /// A piece of notes and pedals in ticks of [`TICKS_PER_SECOND`]; notes are
    /// put in the order of onsets and pitches, and the first onset at tick 0.
    /// `None` where there is no note.
    pub fn from_parts(mut notes: Vec<Note>, mut pedals: Vec<Pedal>) -> Option<Self> {
        notes.sort_by_key(|note| (note.onset, note.pitch));
        let first = notes.first()?.onset;
        notes.iter_mut().for_each(|note| note.onset -= first);
        pedals.retain_mut(|pedal| {
            let end = pedal.end().saturating_sub(first);
            pedal.onset = pedal.onset.saturating_sub(first);
            pedal.duration = end.saturating_sub(pedal.onset);
            end > pedal.onset
        });
        pedals.sort();
        Some(Self { notes, pedals })
    }

    /// Its beginning: the notes and pedals that begin in its first seconds.
    pub fn beginning(mut self, seconds: f64) -> Self {
        let limit = (seconds * f64::from(TICKS_PER_SECOND)).max(1.0);
        self.notes.retain(|note| f64::from(note.onset) < limit);
        self.pedals.retain(|pedal| f64::from(pedal.onset) < limit);
        self
    }

    /// The notes by onset and pitch, in ticks; at least one.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The pedals by onset, in ticks.
    pub fn pedals(&self) -> &[Pedal] {
        &self.pedals
    }

    /// The tick at which the last note ends.
    pub fn end(&self) -> u32 {
        self.notes.iter().map(Note::end).max().unwrap_or(0)
    }

    /// Seconds from the first onset to the end of the last note.
    pub fn seconds(&self) -> f64 {
        seconds(self.end())
    }
}

/// Ticks of a piece as seconds.
pub fn seconds(ticks: u32) -> f64 {
    f64::from(ticks) / f64::from(TICKS_PER_SECOND)
}

/// A part of a whole; `None` where the whole is nothing.
pub(crate) fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{note, pedal};

    #[test]
    fn a_piece_begins_with_its_first_note() {
        let notes = vec![note(500, 10, 70), note(500, 10, 60), note(480, 10, 50)];
        let pedals = vec![pedal(0, 490), pedal(490, 10), pedal(0, 300)];
        let piece = Piece::from_parts(notes, pedals).unwrap();
        let pitches: Vec<u8> = piece.notes().iter().map(|note| note.pitch).collect();
        assert_eq!(pitches, [50, 60, 70]);
        assert_eq!(piece.notes()[1].onset, 20);
        assert_eq!(piece.pedals(), [pedal(0, 10), pedal(10, 10)]);
        assert_eq!(Piece::from_parts(Vec::new(), vec![pedal(0, 9)]), None);
        assert_eq!(Piece::new(&Score::new(480)), None);
        let piece = piece.beginning(20.0 / 960.0);
        assert_eq!((piece.notes().len(), piece.pedals().len()), (1, 2));
    }
}
