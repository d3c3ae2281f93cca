//! Performance time: one tick is one span of real time, whatever the tempo.

use crate::{Note, Pedal, Score, Tempo, TempoMap, Track};

/// Ticks per quarter note of a score in performance time. At its constant 120
/// quarter notes a minute a tick is 1/960 of a second.
pub const PERFORMANCE_TICKS_PER_QUARTER: u16 = 480;

/// Carries every note and pedal by its real seconds onto a constant tempo of
/// 120 quarter notes a minute; time signatures are dropped, as bars become a
/// clock. Notes and pedals that last any time at all keep at least a tick, but
/// nothing goes on beyond tick 2^31 - 1 (621 hours), the last that files hold.
pub fn to_performance_time(score: &Score) -> Score {
    let map = TempoMap::new(score);
    let ticks_per_second = f64::from(PERFORMANCE_TICKS_PER_QUARTER) * 2.0;
    let last_tick = i32::MAX as u32;
    let tick = |old: u32| {
        let seconds = map.seconds(old);
        ((seconds * ticks_per_second).round() as u32).min(last_tick)
    };
    let span = |onset: u32, end: u32| {
        let start = tick(onset);
        let shortest = u32::from(end > onset).min(last_tick - start);
        (start, tick(end).saturating_sub(start).max(shortest))
    };
    let note = |note: &Note| {
        let (onset, duration) = span(note.onset, note.end());
        Note {
            onset,
            duration,
            ..*note
        }
    };
    let pedal = |pedal: &Pedal| {
        let (onset, duration) = span(pedal.onset, pedal.end());
        Pedal { onset, duration }
    };
    let tracks = score.tracks.iter().map(|track| Track {
        notes: track.notes.iter().map(note).collect(),
        pedals: track.pedals.iter().map(pedal).collect(),
        last_other_tick: tick(track.last_other_tick),
        ..*track
    });
    Score {
        ticks_per_quarter: PERFORMANCE_TICKS_PER_QUARTER,
        tracks: tracks.collect(),
        tempos: vec![Tempo {
            onset: 0,
            microseconds_per_quarter: Tempo::DEFAULT_MICROSECONDS,
        }],
        time_signatures: Vec::new(),
        last_other_tick: tick(score.last_other_tick),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_passage_is_stretched_to_its_real_length() {
        let mut score = Score::new(10);
        score.tempos = vec![Tempo {
            onset: 10,
            microseconds_per_quarter: 2_000_000,
        }];
        let mut track = Track::piano();
        track.notes = vec![
            Note {
                onset: 0,
                duration: 10,
                pitch: 60,
                velocity: 1,
            },
            Note {
                onset: 10,
                duration: 10,
                pitch: 60,
                velocity: 1,
            },
        ];
        track.pedals = vec![Pedal {
            onset: 5,
            duration: 10,
        }];
        score.tracks.push(track);
        let performed = to_performance_time(&score);
        let times: Vec<_> = performed.tracks[0]
            .notes
            .iter()
            .map(|n| (n.onset, n.duration))
            .collect();
        assert_eq!(times, [(0, 480), (480, 1920)]);
        assert_eq!(
            performed.tracks[0].pedals,
            [Pedal {
                onset: 240,
                duration: 1200
            }]
        );
    }

    #[test]
    fn nothing_goes_on_beyond_the_last_tick() {
        let mut score = Score::new(1);
        let mut track = Track::piano();
        track.notes = vec![Note {
            onset: i32::MAX as u32 - 1,
            duration: 1,
            pitch: 60,
            velocity: 1,
        }];
        score.tracks.push(track);
        let performed = to_performance_time(&score).tracks[0].notes[0];
        assert_eq!(performed.end(), i32::MAX as u32);
    }
}
