//! What can play a score.

use crate::Piano;

/// Something that is played by messages and gives sound in blocks.
///
/// A part is a track of the score, counted from 0; an instrument that is one
/// piano for all of them may ignore it.
pub trait Instrument {
    /// Whether it has drums; others leave drum parts out.
    fn has_drums(&self) -> bool {
        false
    }
    /// Strikes a key (MIDI number) with a MIDI velocity.
    fn note_on(&mut self, part: usize, key: u8, velocity: u8);
    /// Lets go of a key.
    fn note_off(&mut self, part: usize, key: u8);
    /// Presses or lifts the sustain pedal.
    fn pedal(&mut self, part: usize, down: bool);
    /// The next samples; both sides have the same length and are overwritten.
    fn process(&mut self, left: &mut [f32], right: &mut [f32]);
    /// Whether nothing is heard until the next message.
    fn is_silent(&self) -> bool;
    /// Whether it gave up, and only silence comes: its sounds are damaged.
    fn is_broken(&self) -> bool {
        false
    }
}

impl Instrument for Piano {
    fn note_on(&mut self, _part: usize, key: u8, velocity: u8) {
        self.note_on(key, velocity);
    }

    fn note_off(&mut self, _part: usize, key: u8) {
        self.note_off(key);
    }

    fn pedal(&mut self, _part: usize, down: bool) {
        self.pedal(down);
    }

    fn process(&mut self, left: &mut [f32], right: &mut [f32]) {
        self.process(left, right);
    }

    fn is_silent(&self) -> bool {
        self.is_silent()
    }
}
