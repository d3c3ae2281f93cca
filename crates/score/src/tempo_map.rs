//! Ticks to seconds.

use crate::Score;
use crate::Tempo;

/// A piece of constant tempo.
#[derive(Clone, Copy, Debug)]
struct Segment {
    tick: u32,
    seconds: f64,
    seconds_per_tick: f64,
}

/// The tempo changes of a score, ready to tell the second of any tick.
#[derive(Clone, Debug)]
pub struct TempoMap {
    segments: Vec<Segment>,
}

impl TempoMap {
    /// The map of a score; where it states no tempo, 120 quarter notes a minute
    /// hold (MIDI specification). Of several tempos at one tick the last holds.
    pub fn new(score: &Score) -> Self {
        let per_tick =
            |microseconds: u32| f64::from(microseconds) / 1e6 / f64::from(score.ticks_per_quarter);
        let mut segments = vec![Segment {
            tick: 0,
            seconds: 0.0,
            seconds_per_tick: per_tick(Tempo::DEFAULT_MICROSECONDS),
        }];
        for tempo in &score.tempos {
            let last = segments[segments.len() - 1];
            let seconds = last.seconds_at(tempo.onset);
            let seconds_per_tick = per_tick(tempo.microseconds_per_quarter);
            if last.tick == tempo.onset {
                segments.pop();
            }
            segments.push(Segment {
                tick: tempo.onset,
                seconds,
                seconds_per_tick,
            });
        }
        Self { segments }
    }

    /// The second at which a tick falls.
    pub fn seconds(&self, tick: u32) -> f64 {
        let after = self
            .segments
            .partition_point(|segment| segment.tick <= tick);
        self.segments[after.saturating_sub(1)].seconds_at(tick)
    }
}

impl Segment {
    fn seconds_at(&self, tick: u32) -> f64 {
        self.seconds + (f64::from(tick) - f64::from(self.tick)) * self.seconds_per_tick
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_follow_every_tempo_change() {
        let mut score = Score::new(100);
        score.tempos = vec![
            Tempo {
                onset: 100,
                microseconds_per_quarter: 1_000_000,
            },
            Tempo {
                onset: 300,
                microseconds_per_quarter: 9,
            },
            Tempo {
                onset: 300,
                microseconds_per_quarter: 250_000,
            },
        ];
        let map = TempoMap::new(&score);
        let close = |tick, seconds: f64| (map.seconds(tick) - seconds).abs() < 1e-9;
        assert!(close(50, 0.25) && close(100, 0.5) && close(200, 1.5));
        assert!(close(300, 2.5) && close(500, 3.0));
    }
}
