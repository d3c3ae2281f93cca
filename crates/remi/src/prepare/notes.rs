//! Notes onto the grid: MidiTok's `_preprocess_notes`.

use score::{Note, Track};

use super::{Context, GridNote};

impl Context<'_> {
    pub(super) fn notes(&self, track: &Track, program: i16) -> Vec<GridNote> {
        let (lowest, highest) = match track.is_drum && self.config.use_pitchdrum_tokens {
            true => self.config.drums_pitch_range,
            false => self.config.pitch_range,
        };
        let in_range = |note: &&Note| (lowest..=highest).contains(&note.pitch);
        let mut notes: Vec<GridNote> = track
            .notes
            .iter()
            .filter(in_range)
            .map(|note| self.note(note))
            .collect();
        if let Some(resampling) = &self.resampling {
            let mut onsets: Vec<u32> = notes.iter().map(|note| note.onset).collect();
            resampling.move_sorted(&mut onsets);
            for (note, onset) in notes.iter_mut().zip(onsets) {
                note.onset = onset;
            }
        }
        if self.config.uses_duration(program) {
            let mut table = self.durations_at(self.beats.at(0));
            for note in &mut notes {
                let beat = self.beats.at(note.onset);
                if table.ticks_per_beat != beat {
                    table = self.durations_at(beat);
                }
                note.duration_value = table.nearest(note.duration);
                note.duration = table.ticks[usize::from(note.duration_value)];
            }
        }
        if self.config.remove_duplicated_notes {
            notes.sort_by_key(|note| (note.onset, note.pitch, note.duration, note.velocity));
            notes.dedup_by_key(|note| (note.onset, note.pitch));
        }
        notes
    }

    fn note(&self, note: &Note) -> GridNote {
        GridNote {
            onset: self.tick(note.onset),
            duration: self.span(note.duration),
            pitch: note.pitch,
            velocity: self.tables.velocity(note.velocity),
            duration_value: 0,
        }
    }
}
