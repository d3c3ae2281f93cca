//! Chords: MidiTok's `detect_chords`.
//!
//! Notes that begin within a grid step of one another and last about as long
//! are a chord if their intervals above the lowest are known; inversions are
//! not considered.

use crate::config::Config;
use crate::prepare::{GridNote, Sections};
use crate::vocabulary::pitch_class;

/// So many notes are looked at together.
const NOTES_TOGETHER: usize = 10;

/// Onset and name (without `Chord_`) of the chords among notes in the order of
/// their onsets.
pub(crate) fn detect(notes: &[GridNote], beats: &Sections, config: &Config) -> Vec<(u32, String)> {
    let steps = f64::from(first_resolution(config).max(1));
    let mut chords = Vec::new();
    let mut previous_onset = None;
    let mut index = 0;
    while let Some(first) = notes.get(index) {
        if Some(first.onset) == previous_onset {
            index += 1;
            continue;
        }
        let beat = beats.at(first.onset);
        let half_beat = i64::from(beat / 2);
        let reach = f64::from(first.onset) + f64::from(beat) / steps;
        let together = &notes[index..notes.len().min(index + NOTES_TOGETHER)];
        let mut onset_notes: Vec<&GridNote> = together
            .iter()
            .filter(|note| f64::from(note.onset) <= reach)
            .collect();
        let longer = |note: &GridNote| i64::from(note.end()) - i64::from(first.end());
        if onset_notes
            .iter()
            .any(|note| longer(note).abs() > half_beat)
        {
            index += onset_notes.len();
            continue;
        }
        if i64::from(first.duration) <= half_beat {
            onset_notes.retain(|note| note.onset == first.onset);
        }
        let chord: Vec<&GridNote> = onset_notes
            .iter()
            .copied()
            .filter(|note| longer(note) <= half_beat)
            .collect();
        if let Some(name) = name(&chord, config) {
            let onset = chord
                .iter()
                .map(|note| note.onset)
                .min()
                .unwrap_or(first.onset);
            chords.push((onset, name));
        }
        previous_onset = onset_notes.iter().map(|note| note.onset).max();
        index += onset_notes.len();
    }
    chords
}

/// The resolution of the first beat, which MidiTok takes from the range that
/// has 0 as one of its ends.
fn first_resolution(config: &Config) -> u16 {
    let at_zero = config
        .beat_res
        .iter()
        .find(|range| range.from == 0 || range.to == 0);
    at_zero
        .or(config.beat_res.first())
        .map_or(1, |range| range.positions)
}

fn name(chord: &[&GridNote], config: &Config) -> Option<String> {
    let lowest = chord.first()?.pitch;
    let intervals: Vec<i16> = chord
        .iter()
        .map(|note| i16::from(note.pitch) - i16::from(lowest))
        .collect();
    if !(3..=5).contains(&intervals.len()) || *intervals.last()? > 24 {
        return None;
    }
    let matches = |map: &Vec<u8>| {
        map.iter()
            .map(|interval| i16::from(*interval))
            .eq(intervals.iter().copied())
    };
    let known = config.chord_maps.iter().find(|(_, map)| matches(map));
    let rooted = config.chord_tokens_with_root_note;
    let quality = match (known, config.chord_unknown) {
        (Some((quality, _)), _) => quality.clone(),
        (None, Some(_)) if rooted => format!("ukn{}", chord.len()),
        (None, Some(_)) => chord.len().to_string(),
        (None, None) => return None,
    };
    match rooted {
        true => Some(format!("{}:{quality}", pitch_class(lowest))),
        false => Some(quality),
    }
}
