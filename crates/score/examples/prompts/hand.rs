//! How notes are played: loudness by phrase, length by touch, pedal by harmony.

use score::{Note, Pedal, Score, Tempo, TimeSignature, Track};

/// Ticks a quarter note.
pub const QUARTER: u32 = 480;

/// A phrase that swells to its middle and fades to its end.
#[derive(Clone, Copy)]
pub struct Phrase {
    /// Velocity at its ends.
    pub softest: u8,
    /// How much louder its climax is.
    pub swell: u8,
    /// First tick, climax and last tick.
    pub ticks: [u32; 3],
}

impl Phrase {
    /// The velocity at a tick: a parabola on either side of the climax.
    pub fn velocity(&self, tick: u32) -> u8 {
        let [first, climax, last] = self.ticks;
        let side = if tick < climax { first } else { last };
        let length = climax.abs_diff(side).max(1);
        let away = climax.abs_diff(tick).min(length);
        let fall = u32::from(self.swell) * away * away / (length * length);
        self.softest + self.swell - fall as u8
    }
}

/// A piano part in the making.
#[derive(Default)]
pub struct Hand {
    track: Track,
}

impl Hand {
    /// Strikes a key.
    pub fn strike(&mut self, onset: u32, duration: u32, pitch: u8, velocity: u8) {
        self.track.notes.push(Note {
            onset,
            duration,
            pitch,
            velocity,
        });
    }

    /// Pedal from just after a harmony's beginning to that of the next.
    pub fn pedal(&mut self, onset: u32, duration: u32) {
        let late = QUARTER / 8;
        self.track.pedals.push(Pedal {
            onset: onset + late,
            duration: duration - late,
        });
    }

    /// The piece.
    pub fn score(mut self, signature: (u8, u8), quarters_per_minute: u32) -> Score {
        self.track
            .notes
            .sort_by_key(|note| (note.onset, note.pitch));
        let mut score = Score::new(QUARTER as u16);
        score.tempos = vec![Tempo {
            onset: 0,
            microseconds_per_quarter: 60_000_000 / quarters_per_minute,
        }];
        score.time_signatures = vec![TimeSignature {
            onset: 0,
            numerator: signature.0,
            denominator: signature.1,
        }];
        score.tracks.push(self.track);
        score
    }
}
