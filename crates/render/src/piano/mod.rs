//! The built-in piano: strings, hammers, dampers, soundboard and room by
//! formulas, without samples. docs/piano.md tells where each comes from and how
//! the result compares with a sampled piano.

mod bank;
mod hammer;
mod key;
mod laws;
mod modes;
mod room;
mod scatter;
mod sympathy;

use bank::{BLOCK, Sums};
use key::Key;
use room::Room;
use sympathy::Sympathy;

pub use laws::{fundamental, inharmonicity};

const KEYS: usize = 128;

/// How a piano is set up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PianoOptions {
    /// How much of the room is heard: 0 is none, 1 a lively hall's worth.
    pub room: f32,
    /// Whether strings sound along with others while their dampers are up.
    pub sympathy: bool,
}

impl Default for PianoOptions {
    fn default() -> Self {
        Self {
            room: 0.25,
            sympathy: true,
        }
    }
}

/// A piano that is played by messages and gives its sound in blocks, without
/// files, threads or allocation once it is made. The same messages give the
/// same samples on every machine.
pub struct Piano {
    keys: Vec<Key>,
    pedals: u32,
    sums: Box<Sums>,
    sympathy: Option<Sympathy>,
    room: Room,
    arch: pulp::Arch,
}

impl Piano {
    /// A piano at rest. The sample rate is in Hz, from 8,000 to 192,000 (what is
    /// beyond is taken as the nearest).
    pub fn new(sample_rate: u32, options: PianoOptions) -> Self {
        let rate = f64::from(sample_rate.clamp(8_000, 192_000));
        Self {
            keys: (0..KEYS as u8).map(|key| Key::new(key, rate)).collect(),
            pedals: 0,
            sums: Box::new(Sums::new()),
            sympathy: options.sympathy.then(|| Sympathy::new(rate)),
            room: Room::new(rate, options.room.max(0.0)),
            arch: pulp::Arch::new(),
        }
    }

    /// Strikes a key (MIDI number; beyond 127 nothing happens) with a MIDI
    /// velocity from 1 to 127; 0 lets go of it.
    pub fn note_on(&mut self, key: u8, velocity: u8) {
        if velocity == 0 {
            return self.note_off(key);
        }
        self.with_dampers(key, |strings, _| strings.press(key, velocity.min(127)));
    }

    /// Lets go of a key; pressed twice, it has to be let go twice.
    pub fn note_off(&mut self, key: u8) {
        self.with_dampers(key, |strings, pedal| strings.release(pedal));
    }

    /// Presses or lifts the sustain pedal; pressed by two parts, both have to
    /// lift it.
    pub fn pedal(&mut self, down: bool) {
        self.pedals = match down {
            true => self.pedals.saturating_add(1),
            false => self.pedals.saturating_sub(1),
        };
        for key in 0..KEYS as u8 {
            self.with_dampers(key, |strings, pedal| strings.pedal(pedal));
        }
    }

    /// The next samples: both sides are overwritten; of unequal lengths the
    /// shorter counts.
    pub fn process(&mut self, left: &mut [f32], right: &mut [f32]) {
        let arch = self.arch;
        for (left, right) in left.chunks_mut(BLOCK).zip(right.chunks_mut(BLOCK)) {
            let samples = left.len().min(right.len());
            let (left, right) = (&mut left[..samples], &mut right[..samples]);
            left.fill(0.0);
            right.fill(0.0);
            arch.dispatch(Block {
                piano: self,
                left,
                right,
            });
        }
    }

    /// Whether nothing sounds: then only zeros come until a key is struck.
    pub fn is_silent(&self) -> bool {
        let strings = self.keys.iter().all(|key| !key.sounds());
        let sympathy = self.sympathy.as_ref().is_none_or(|s| !s.sounds());
        strings && sympathy && self.room.is_silent()
    }

    #[inline(always)]
    fn block(&mut self, left: &mut [f32], right: &mut [f32]) {
        let mut any = false;
        for key in self.keys.iter_mut().filter(|key| key.sounds()) {
            key.ring(left.len(), &mut self.sums);
            any = true;
        }
        if any {
            self.sums.drain(left, right);
        }
        if let Some(sympathy) = &mut self.sympathy {
            let mut bridge = [0.0; BLOCK];
            for (bridge, (left, right)) in bridge.iter_mut().zip(left.iter().zip(right.iter())) {
                *bridge = 0.5 * (left + right);
            }
            sympathy.answer(&bridge[..left.len()], left, right);
        }
        self.room.add(left, right);
    }

    /// Changes a key and tells the strings around where its damper is then.
    fn with_dampers(&mut self, key: u8, change: impl FnOnce(&mut Key, bool)) {
        let Some(strings) = self.keys.get_mut(usize::from(key)) else {
            return;
        };
        let before = strings.damper_up();
        change(strings, self.pedals > 0);
        let after = strings.damper_up();
        if let Some(sympathy) = self.sympathy.as_mut().filter(|_| before != after) {
            sympathy.damper(key, after);
        }
    }
}

/// A block to work out, compiled once for each width of vectors.
struct Block<'a> {
    piano: &'a mut Piano,
    left: &'a mut [f32],
    right: &'a mut [f32],
}

impl pulp::WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _simd: S) {
        self.piano.block(self.left, self.right);
    }
}
