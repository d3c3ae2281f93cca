//! What is written is read back as the same score, always in the same bytes.

use proptest::prelude::*;
use score::{Note, Pedal, Score, Tempo, TimeSignature, Track, read_midi, write_midi};

use super::support::sound;

/// Notes of which none begins before another of its pitch has ended: what MIDI
/// can tell within a channel. Durations from 0 are kept too.
fn notes() -> impl Strategy<Value = Vec<Note>> {
    let note = (0_u32..300, 1_u32..400, 0_u8..128, 1_u8..128);
    prop::collection::vec(note, 0..60).prop_map(|steps| {
        let mut free = [0_u32; 128];
        let mut now = 0;
        let mut notes = Vec::new();
        for (gap, duration, pitch, velocity) in steps {
            now += gap;
            let onset = now.max(free[usize::from(pitch)]);
            now = onset;
            free[usize::from(pitch)] = onset + duration;
            notes.push(Note {
                onset,
                duration,
                pitch,
                velocity,
            });
        }
        notes
    })
}

fn pedals() -> impl Strategy<Value = Vec<Pedal>> {
    prop::collection::vec((1_u32..500, 1_u32..900), 0..12).prop_map(|steps| {
        let mut now = 0;
        steps
            .into_iter()
            .map(|(gap, duration)| {
                let onset = now + gap;
                now = onset + duration;
                Pedal { onset, duration }
            })
            .collect()
    })
}

fn score() -> impl Strategy<Value = Score> {
    let tempos = prop::collection::btree_map(0_u32..5000, 1_u32..0x100_0000, 0..5);
    let signatures = prop::collection::btree_map(0_u32..5000, (1_u8..20, 0_u32..6), 0..5);
    let tracks = prop::collection::vec((notes(), 0_u8..128, any::<bool>()), 0..5);
    (1_u16..0x8000, tempos, signatures, tracks, pedals()).prop_map(
        |(ticks, tempos, signatures, tracks, pedals)| {
            let mut score = Score::new(ticks);
            score.tempos = tempos
                .into_iter()
                .map(|(onset, microseconds_per_quarter)| Tempo {
                    onset,
                    microseconds_per_quarter,
                })
                .collect();
            score.time_signatures = signatures
                .into_iter()
                .map(|(onset, (numerator, power))| TimeSignature {
                    onset,
                    numerator,
                    denominator: 1 << power,
                })
                .collect();
            let tracks = tracks.into_iter().filter(|(notes, ..)| !notes.is_empty());
            score.tracks = tracks
                .map(|(notes, program, is_drum)| Track {
                    notes,
                    program,
                    is_drum,
                    ..Track::piano()
                })
                .collect();
            // Only on the first channel do readers agree on pedals.
            if let Some(first) = score.tracks.first_mut().filter(|track| !track.is_drum) {
                first.last_other_tick = pedals.last().map_or(0, Pedal::end);
                first.pedals = pedals;
            }
            score
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(score in score()) {
        let bytes = write_midi(&score).unwrap();
        prop_assert_eq!(&bytes, &write_midi(&score).unwrap());
        prop_assert_eq!(sound(&bytes), score);
    }
}

fn of_notes(notes: Vec<Note>) -> Score {
    let mut score = Score::new(480);
    score.tracks.push(Track {
        notes,
        ..Track::piano()
    });
    score
}

#[test]
fn repeated_notes_without_a_gap_stay_two() {
    let note = |onset| Note {
        onset,
        duration: 100,
        pitch: 60,
        velocity: 64,
    };
    let score = of_notes(vec![note(0), note(100)]);
    assert_eq!(sound(&write_midi(&score).unwrap()), score);
}

#[test]
fn notes_that_begin_together_keep_their_lengths() {
    let note = |pitch, duration, velocity| Note {
        onset: 5,
        duration,
        pitch,
        velocity,
    };
    let score = of_notes(vec![
        note(62, 9, 1),
        note(60, 8, 2),
        note(62, 4, 3),
        note(62, 0, 4),
    ]);
    let expected = [
        note(62, 0, 4),
        note(60, 8, 2),
        note(62, 4, 3),
        note(62, 9, 1),
    ];
    let read = sound(&write_midi(&score).unwrap());
    assert_eq!(read.tracks[0].notes, expected);
}

#[test]
fn notes_of_no_length_and_far_off_are_written() {
    let note = |onset, duration| Note {
        onset,
        duration,
        pitch: 60,
        velocity: 64,
    };
    let score = of_notes(vec![note(7, 0), note(2_000_000_000, 5)]);
    assert_eq!(sound(&write_midi(&score).unwrap()), score);
}

#[test]
fn pedals_beyond_the_first_channel_keep_their_ends() {
    let mut score = of_notes(Vec::new());
    score.tracks[0].notes.push(Note {
        onset: 0,
        duration: 9,
        pitch: 60,
        velocity: 9,
    });
    score.tracks.push(score.tracks[0].clone());
    score.tracks[1].pedals = vec![
        Pedal {
            onset: 50,
            duration: 10,
        },
        Pedal {
            onset: 80,
            duration: 5,
        },
    ];
    let read = sound(&write_midi(&score).unwrap());
    // symusic's rule for such channels: the first pedal is down from tick 0.
    let expected = [
        Pedal {
            onset: 0,
            duration: 60,
        },
        Pedal {
            onset: 80,
            duration: 5,
        },
    ];
    assert_eq!(read.tracks[1].pedals, expected);
}

#[test]
fn what_midi_cannot_hold_is_refused() {
    let mut score = Score::new(40_000);
    assert!(
        write_midi(&score)
            .unwrap_err()
            .to_string()
            .contains("40000")
    );
    score.ticks_per_quarter = 480;
    score.tracks = vec![Track::piano(); 65_535];
    assert!(write_midi(&score).is_err());
    score.tracks.truncate(10);
    assert!(read_midi(&write_midi(&score).unwrap()).is_ok());
}
