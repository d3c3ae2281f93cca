//! Ticks to seconds while tempos are still being added.

use score::Tempo;

/// A stretch of constant tempo.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    tick: u32,
    seconds: f64,
    seconds_per_tick: f64,
}

/// The tempos so far; the last goes on for ever.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    ticks_per_quarter: f64,
    stretches: Vec<Stretch>,
}

impl Clock {
    /// Until a tempo is added, 120 quarter notes a minute hold.
    pub(crate) fn new(ticks_per_quarter: u16) -> Self {
        let mut clock = Self {
            ticks_per_quarter: f64::from(ticks_per_quarter.max(1)),
            stretches: Vec::new(),
        };
        clock.add(Tempo {
            onset: 0,
            microseconds_per_quarter: Tempo::DEFAULT_MICROSECONDS,
        });
        clock
    }

    /// Adds a tempo that holds from its onset on; one before the last tempo's
    /// onset counts from there.
    pub(crate) fn add(&mut self, tempo: Tempo) {
        let last = self.stretches.last().map_or(0, |last| last.tick);
        let tick = tempo.onset.max(last);
        let seconds = self.seconds(tick);
        if last == tick {
            self.stretches.pop();
        }
        let microseconds = f64::from(tempo.microseconds_per_quarter);
        self.stretches.push(Stretch {
            tick,
            seconds,
            seconds_per_tick: microseconds / 1e6 / self.ticks_per_quarter,
        });
    }

    /// The second of a tick.
    pub(crate) fn seconds(&self, tick: u32) -> f64 {
        let after = self.stretches.partition_point(|s| s.tick <= tick);
        let stretch = self.stretches.get(after.saturating_sub(1));
        stretch.map_or(0.0, |s| {
            s.seconds + f64::from(tick - s.tick) * s.seconds_per_tick
        })
    }
}
