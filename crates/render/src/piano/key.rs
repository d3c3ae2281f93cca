//! One key: its strings and its thump.

use super::bank::{Group, LANES, Phasors, Sums, ring};
use super::hammer::Blow;
use super::{laws, modes};

/// Amplitude below which a mode is left out: a hundred decibels under full scale.
const SILENCE: f32 = 1e-5;
/// Share of its motion that a ringing string keeps under a new blow.
const KEPT_UNDER_BLOW: f32 = 0.7;

/// A key with all that sounds when it is struck. A key struck again adds to what
/// its strings still do, so there are never more sounds than keys.
pub struct Key {
    strings: Modes,
    thump: Modes,
    /// How many parts hold it down.
    held: u32,
    undamped: bool,
    damper_up: bool,
}

/// Groups of modes, of which the first so many sound.
struct Modes {
    groups: Vec<Group>,
    phasors: Vec<Phasors>,
    sounding: usize,
}

impl Key {
    /// A key at rest. `key` is a MIDI number, the rate in Hz.
    pub fn new(key: u8, sample_rate: f64) -> Self {
        let below = 0.46 * sample_rate;
        let modes = |modes| Modes::new(Group::of(modes, key, sample_rate, SILENCE));
        let undamped = key >= laws::FIRST_UNDAMPED_KEY;
        Self {
            strings: modes(modes::string_modes(key, below)),
            thump: modes(modes::thump_modes(key, below)),
            held: 0,
            undamped,
            damper_up: undamped,
        }
    }

    /// Strikes the key with a MIDI velocity and holds it.
    pub fn press(&mut self, key: u8, velocity: u8) {
        self.held = self.held.saturating_add(1);
        self.damper_up = true;
        let blow = Blow::new(key, velocity);
        self.strings.strike(&blow);
        self.thump.strike(&blow);
    }

    /// Lets go of it; other parts may still hold it.
    pub fn release(&mut self, pedal: bool) {
        self.held = self.held.saturating_sub(1);
        self.pedal(pedal);
    }

    /// Tells the damper where the sustain pedal is.
    pub fn pedal(&mut self, down: bool) {
        self.damper_up = down || self.undamped || self.held > 0;
    }

    /// Whether the strings may ring.
    pub fn damper_up(&self) -> bool {
        self.damper_up
    }

    /// Whether anything sounds.
    pub fn sounds(&self) -> bool {
        self.strings.sounding + self.thump.sounding > 0
    }

    /// Adds the next samples.
    #[inline(always)]
    pub fn ring(&mut self, samples: usize, sums: &mut Sums) {
        self.strings.ring(!self.damper_up, samples, sums);
        self.thump.ring(false, samples, sums);
    }
}

impl Modes {
    fn new(groups: Vec<Group>) -> Self {
        Self {
            phasors: vec![Phasors::default(); groups.len()],
            groups,
            sounding: 0,
        }
    }

    fn strike(&mut self, blow: &Blow) {
        for (index, (group, phasors)) in self.groups.iter().zip(&mut self.phasors).enumerate() {
            let added = group.struck(blow);
            phasors.scale(KEPT_UNDER_BLOW);
            let mut audible = false;
            for lane in 0..LANES {
                let amplitude = added.0[lane];
                audible |= amplitude.abs() > SILENCE;
                phasors.excite(lane, amplitude);
            }
            if audible {
                self.sounding = self.sounding.max(index + 1);
            }
        }
        self.phasors[self.sounding..].fill(Phasors::default());
    }

    #[inline(always)]
    fn ring(&mut self, damped: bool, samples: usize, sums: &mut Sums) {
        let groups = &self.groups[..self.sounding];
        let (pairs, odd) = self.phasors[..self.sounding].as_chunks_mut::<2>();
        let (group_pairs, odd_group) = groups.as_chunks::<2>();
        for (groups, phasors) in group_pairs.iter().zip(pairs) {
            ring(
                groups.each_ref().map(|g| g.motion(damped)),
                phasors,
                samples,
                sums,
            );
        }
        let odd = odd.as_chunks_mut::<1>().0;
        for (group, phasors) in odd_group.iter().zip(odd) {
            ring([group.motion(damped)], phasors, samples, sums);
        }
        while let Some(last) = self.sounding.checked_sub(1) {
            if self.phasors[last].power() > SILENCE * SILENCE {
                break;
            }
            self.phasors[last] = Phasors::default();
            self.sounding = last;
        }
    }
}
