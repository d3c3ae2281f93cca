//! Figures that describe a score.

use crate::{Score, TempoMap};

/// What a score holds, drums included.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measures {
    /// Number of notes.
    pub notes: usize,
    /// Seconds from the beginning to the end of the last note.
    pub seconds: f64,
    /// Lowest pitch, where there are notes.
    pub lowest: Option<u8>,
    /// Highest pitch, where there are notes.
    pub highest: Option<u8>,
    /// Most notes that sound at once.
    pub polyphony: usize,
    /// Notes that sound at once, averaged over the seconds in which any does.
    pub mean_polyphony: f64,
    /// Share of the seconds during which the sustain pedal of any track is down.
    pub pedal_share: f64,
    /// Mean velocity of the notes.
    pub mean_velocity: f64,
}

/// Measures a score; times are real seconds by its tempos.
pub fn measure(score: &Score) -> Measures {
    let map = TempoMap::new(score);
    let notes = || score.tracks.iter().flat_map(|track| &track.notes);
    let count = notes().count();
    if count == 0 {
        return Measures::default();
    }
    let seconds = map.seconds(score.end());
    let sounding = Coverage::of(&map, notes().map(|note| (note.onset, note.end())));
    let pedals = score.tracks.iter().flat_map(|track| &track.pedals);
    let pedalled = Coverage::of(&map, pedals.map(|pedal| (pedal.onset, pedal.end())));
    let velocities: u64 = notes().map(|note| u64::from(note.velocity)).sum();
    Measures {
        notes: count,
        seconds,
        lowest: notes().map(|note| note.pitch).min(),
        highest: notes().map(|note| note.pitch).max(),
        polyphony: sounding.most,
        mean_polyphony: ratio(sounding.weighted_seconds, sounding.seconds),
        pedal_share: ratio(pedalled.seconds, seconds).min(1.0),
        mean_velocity: velocities as f64 / count as f64,
    }
}

/// How spans cover time.
struct Coverage {
    most: usize,
    seconds: f64,
    weighted_seconds: f64,
}

impl Coverage {
    /// Sweeps over the ends of spans given in ticks; spans that touch do not
    /// overlap.
    fn of(map: &TempoMap, spans: impl Iterator<Item = (u32, u32)>) -> Self {
        let mut edges: Vec<(u32, bool)> = spans
            .flat_map(|(start, end)| [(start, true), (end, false)])
            .collect();
        edges.sort_unstable();
        let mut coverage = Self {
            most: 0,
            seconds: 0.0,
            weighted_seconds: 0.0,
        };
        let (mut open, mut since) = (0_usize, 0.0);
        for (tick, starts) in edges {
            let now = map.seconds(tick);
            if open > 0 {
                coverage.seconds += now - since;
                coverage.weighted_seconds += (now - since) * open as f64;
            }
            since = now;
            // Zero-length notes end, in this order, before they begin.
            open = if starts {
                open + 1
            } else {
                open.saturating_sub(1)
            };
            coverage.most = coverage.most.max(open);
        }
        coverage
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Note, Pedal, Track};

    #[test]
    fn figures_of_two_overlapping_notes() {
        let mut score = Score::new(480);
        let mut track = Track::piano();
        track.notes = vec![
            Note {
                onset: 0,
                duration: 960,
                pitch: 40,
                velocity: 60,
            },
            Note {
                onset: 480,
                duration: 480,
                pitch: 70,
                velocity: 100,
            },
            Note {
                onset: 960,
                duration: 960,
                pitch: 50,
                velocity: 80,
            },
        ];
        track.pedals = vec![Pedal {
            onset: 0,
            duration: 960,
        }];
        score.tracks.push(track);
        let figures = measure(&score);
        assert_eq!((figures.notes, figures.polyphony), (3, 2));
        assert_eq!((figures.lowest, figures.highest), (Some(40), Some(70)));
        assert!((figures.seconds - 2.0).abs() < 1e-9);
        assert!((figures.mean_polyphony - 1.25).abs() < 1e-9);
        assert!((figures.pedal_share - 0.5).abs() < 1e-9);
        assert!((figures.mean_velocity - 80.0).abs() < 1e-9);
    }

    #[test]
    fn an_empty_score_has_empty_figures() {
        assert_eq!(measure(&Score::new(480)), Measures::default());
    }
}
