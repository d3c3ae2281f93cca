//! Several tracks into one piano part.

use crate::{Score, Track};

/// What to do with the tracks of a score that are not drums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Merge {
    /// Lay all of them over one another.
    #[default]
    All,
    /// Keep the first that has notes.
    First,
}

/// The piano part of a score: its tracks but the drums, merged or chosen.
///
/// One track is taken as it stands. Several are merged as MidiTok's
/// `merge_tracks` does: notes sorted by onset, duration, pitch and velocity,
/// pedals by onset and duration. `None` where no such track has notes.
pub fn piano_track(score: &Score, merge: Merge) -> Option<Track> {
    let mut melodic = score.tracks.iter().filter(|track| !track.is_drum);
    if merge == Merge::First {
        return melodic.find(|track| !track.notes.is_empty()).cloned();
    }
    let mut merged = melodic.next()?.clone();
    let rest: Vec<&Track> = melodic.collect();
    for track in &rest {
        merged.notes.extend_from_slice(&track.notes);
        merged.pedals.extend_from_slice(&track.pedals);
        merged.last_other_tick = merged.last_other_tick.max(track.last_other_tick);
    }
    if !rest.is_empty() {
        merged
            .notes
            .sort_by_key(|note| (note.onset, note.duration, note.pitch, note.velocity));
        merged.pedals.sort();
    }
    (!merged.notes.is_empty()).then_some(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Note;

    fn track(pitches: &[u8], is_drum: bool) -> Track {
        let note = |(index, pitch): (usize, &u8)| Note {
            onset: index as u32 * 10,
            duration: 5,
            pitch: *pitch,
            velocity: 64,
        };
        let notes = pitches.iter().enumerate().map(note).collect();
        Track {
            notes,
            is_drum,
            ..Track::piano()
        }
    }

    #[test]
    fn drums_are_left_out_and_the_others_interleaved() {
        let mut score = Score::new(480);
        score.tracks = vec![
            track(&[35, 36], true),
            track(&[60, 62], false),
            track(&[40], false),
        ];
        let pitches = |merge| {
            let merged = piano_track(&score, merge)?;
            Some(
                merged
                    .notes
                    .iter()
                    .map(|note| note.pitch)
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(pitches(Merge::All), Some(vec![40, 60, 62]));
        assert_eq!(pitches(Merge::First), Some(vec![60, 62]));
    }

    #[test]
    fn drums_alone_are_no_piano() {
        let mut score = Score::new(480);
        score.tracks = vec![track(&[35], true)];
        assert_eq!(piano_track(&score, Merge::All), None);
    }
}
