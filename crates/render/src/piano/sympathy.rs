//! Strings that nobody struck: whatever sounds shakes, through the bridge, all
//! strings whose dampers are up, and they answer at their own partials. With
//! the pedal down this is the wash around every note.

use super::bank::{BLOCK, LANES, Pan, Phasors, Sums, Turn};
use super::laws::{self, KEYBOARD};
use super::scatter::Scatter;

/// Partials of each key that answer.
const PARTIALS: usize = 4;
const KEYS_A_GROUP: usize = LANES / PARTIALS;
/// How strongly a string answers a lasting tone at its own pitch.
const ANSWER: f64 = 0.035;
/// Amplitude below which nothing answers any more.
const SILENCE: f32 = 1e-6;

/// The strings of all keys of a piano.
pub struct Sympathy {
    groups: Vec<Group>,
    sums: Box<Sums>,
}

#[derive(Default)]
struct Group {
    free: Turn,
    damped: Turn,
    now: Turn,
    pan: Pan,
    phasors: Phasors,
    /// Keys whose dampers are up.
    open: u32,
    sounds: bool,
}

impl Sympathy {
    /// Strings at rest under their dampers.
    pub fn new(sample_rate: f64) -> Self {
        let keys: Vec<u8> = KEYBOARD.collect();
        let groups = keys.chunks(KEYS_A_GROUP);
        Self {
            groups: groups.map(|keys| Group::new(keys, sample_rate)).collect(),
            sums: Box::new(Sums::new()),
        }
    }

    /// Raises or lowers the damper of a key.
    pub fn damper(&mut self, key: u8, up: bool) {
        if !KEYBOARD.contains(&key) {
            return;
        }
        let index = usize::from(key - KEYBOARD.start());
        let (group, place) = (index / KEYS_A_GROUP, index % KEYS_A_GROUP);
        if let Some(group) = self.groups.get_mut(group) {
            group.damper(place, up);
        }
    }

    /// Adds the answer to a signal of at most a block.
    #[inline(always)]
    pub fn answer(&mut self, input: &[f32], left: &mut [f32], right: &mut [f32]) {
        let silent = input.iter().all(|sample| *sample == 0.0);
        let mut any = false;
        for group in &mut self.groups {
            if !group.sounds && (silent || group.open == 0) {
                continue;
            }
            any = true;
            group
                .phasors
                .resonate(&group.now, &group.pan, input, &mut self.sums);
            group.sounds = group.phasors.power() > SILENCE * SILENCE;
            if !group.sounds {
                group.phasors = Phasors::default();
            }
        }
        if any {
            self.sums.drain(left, right);
        }
    }

    /// Whether any string still answers.
    pub fn sounds(&self) -> bool {
        self.groups.iter().any(|group| group.sounds)
    }
}

impl Group {
    fn new(keys: &[u8], sample_rate: f64) -> Self {
        let mut group = Self::default();
        for (place, key) in keys.iter().enumerate() {
            let pitch = f64::from(*key);
            let fundamental = laws::fundamental(pitch);
            let inharmonicity = laws::inharmonicity(pitch);
            let mut scatter = Scatter::new(u64::from(*key) | 1 << 33);
            for partial in 0..PARTIALS {
                let lane = place * PARTIALS + partial;
                let n = partial as f64 + 1.0;
                let stretch = laws::stretch_of_partial(inharmonicity, n);
                let frequency = fundamental * n * stretch;
                if frequency > 0.46 * sample_rate {
                    continue;
                }
                let (slower, _) = laws::second_decay(pitch);
                let loss = laws::first_decay(fundamental, frequency) * (1.0 + slower) / 2.0;
                let damped = loss + laws::damper(pitch, frequency);
                group.free.set(lane, frequency, loss, sample_rate);
                group.damped.set(lane, frequency, damped, sample_rate);
                // A resonance answers by its input over its loss; equal answers
                // ask for a gain of the loss a sample.
                let shrink = 1.0 - libm::pow(10.0, -loss / 20.0 / sample_rate);
                let gain = 2.0 * ANSWER * shrink * laws::radiation(frequency);
                group.pan.set(lane, 1.2 * scatter.uniform() - 0.6, gain);
            }
            group.now_from(place, *key >= laws::FIRST_UNDAMPED_KEY);
            group.open += u32::from(*key >= laws::FIRST_UNDAMPED_KEY);
        }
        group
    }

    fn damper(&mut self, place: usize, up: bool) {
        self.now_from(place, up);
        self.open = match up {
            true => self.open + 1,
            false => self.open.saturating_sub(1),
        };
    }

    fn now_from(&mut self, place: usize, up: bool) {
        let from = if up { self.free } else { self.damped };
        for partial in 0..PARTIALS {
            self.now.copy_lane(place * PARTIALS + partial, &from);
        }
    }
}

const _: () = assert!(LANES.is_multiple_of(PARTIALS) && BLOCK > 0);
