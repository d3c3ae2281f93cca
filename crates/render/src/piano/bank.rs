//! Modes side by side: rotating, shrinking phasors, sixteen at a time.
//!
//! A mode is a complex number that turns by its frequency and shrinks by its
//! decay from sample to sample; its real part is heard. Sums run over fixed
//! lanes in a fixed order, so the same input gives the same bits whatever the
//! width of the machine's vectors.

use std::f64::consts::TAU;

use super::hammer::Blow;
use super::modes::Mode;

/// Modes of a group.
pub const LANES: usize = 16;
/// Most samples that are worked out at once.
pub const BLOCK: usize = 64;

/// One number for each mode of a group.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
pub struct Lanes(pub [f32; LANES]);

/// Sums for left and right, lane by lane, one for each sample of a block.
pub struct Sums {
    left: [Lanes; BLOCK],
    right: [Lanes; BLOCK],
}

impl Sums {
    /// All zero.
    pub fn new() -> Self {
        Self {
            left: [Lanes::default(); BLOCK],
            right: [Lanes::default(); BLOCK],
        }
    }

    /// Adds the lanes of each sample to the output and clears them.
    #[inline(always)]
    pub fn drain(&mut self, left: &mut [f32], right: &mut [f32]) {
        let sums = [(&mut self.left, left), (&mut self.right, right)];
        for (sums, out) in sums {
            for (out, lanes) in out.iter_mut().zip(sums.iter_mut()) {
                *out += sum(&lanes.0);
                *lanes = Lanes::default();
            }
        }
    }
}

/// The sum of all lanes, halves first.
#[inline(always)]
fn sum(lanes: &[f32; LANES]) -> f32 {
    let mut lanes = *lanes;
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
    }
    lanes[0]
}

/// What a phasor is multiplied by at each sample.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turn {
    cos: Lanes,
    sin: Lanes,
}

impl Turn {
    /// Sets one lane: a frequency in Hz and a loss in dB a second.
    pub fn set(&mut self, lane: usize, frequency: f64, loss: f64, sample_rate: f64) {
        let angle = TAU * frequency / sample_rate;
        let shrink = libm::pow(10.0, -loss / 20.0 / sample_rate);
        self.cos.0[lane] = (libm::cos(angle) * shrink) as f32;
        self.sin.0[lane] = (libm::sin(angle) * shrink) as f32;
    }

    /// Copies one lane.
    pub fn copy_lane(&mut self, lane: usize, from: &Self) {
        self.cos.0[lane] = from.cos.0[lane];
        self.sin.0[lane] = from.sin.0[lane];
    }
}

/// How much of a mode goes to either side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pan {
    left: Lanes,
    right: Lanes,
}

impl Pan {
    /// Sets one lane: a side from -1 to 1, at even power.
    pub fn set(&mut self, lane: usize, side: f64, gain: f64) {
        let angle = (side + 1.0) * std::f64::consts::FRAC_PI_4;
        self.left.0[lane] = (libm::cos(angle) * gain) as f32;
        self.right.0[lane] = (libm::sin(angle) * gain) as f32;
    }
}

/// Phasors as they are at present.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phasors {
    re: Lanes,
    im: Lanes,
}

impl Phasors {
    /// Adds to a mode so that it begins at a zero crossing, without a click.
    pub fn excite(&mut self, lane: usize, amplitude: f32) {
        self.im.0[lane] += amplitude;
    }

    /// Makes all modes weaker.
    pub fn scale(&mut self, by: f32) {
        for lane in 0..LANES {
            self.re.0[lane] *= by;
            self.im.0[lane] *= by;
        }
    }

    /// The largest square of an amplitude.
    #[inline(always)]
    pub fn power(&self) -> f32 {
        let mut most = 0.0_f32;
        for lane in 0..LANES {
            let power = self.re.0[lane] * self.re.0[lane] + self.im.0[lane] * self.im.0[lane];
            most = most.max(power);
        }
        most
    }

    /// Adds the answer to a signal of at most a block.
    #[inline(always)]
    pub fn resonate(&mut self, turn: &Turn, pan: &Pan, input: &[f32], sums: &mut Sums) {
        let Self { re, im } = *self;
        let (mut re, mut im) = (re.0, im.0);
        let outputs = sums.left.iter_mut().zip(sums.right.iter_mut());
        for (input, (left, right)) in input.iter().zip(outputs) {
            for lane in 0..LANES {
                left.0[lane] += re[lane] * pan.left.0[lane];
                right.0[lane] += re[lane] * pan.right.0[lane];
                let turned = re[lane] * turn.cos.0[lane] - im[lane] * turn.sin.0[lane];
                im[lane] = re[lane] * turn.sin.0[lane] + im[lane] * turn.cos.0[lane];
                re[lane] = turned + input;
            }
        }
        (self.re.0, self.im.0) = (re, im);
    }
}

/// Adds the next samples of several groups at once: while one waits for its
/// multiplications another goes on, and sums are read and written once for all.
#[inline(always)]
pub fn ring<const N: usize>(
    groups: [(&Turn, &Pan); N],
    phasors: &mut [Phasors; N],
    samples: usize,
    sums: &mut Sums,
) {
    let mut re = phasors.map(|phasors| phasors.re.0);
    let mut im = phasors.map(|phasors| phasors.im.0);
    let outputs = sums.left.iter_mut().zip(sums.right.iter_mut());
    for (left, right) in outputs.take(samples) {
        for (n, (turn, pan)) in groups.iter().enumerate() {
            for lane in 0..LANES {
                left.0[lane] += re[n][lane] * pan.left.0[lane];
                right.0[lane] += re[n][lane] * pan.right.0[lane];
                let turned = re[n][lane] * turn.cos.0[lane] - im[n][lane] * turn.sin.0[lane];
                im[n][lane] = re[n][lane] * turn.sin.0[lane] + im[n][lane] * turn.cos.0[lane];
                re[n][lane] = turned;
            }
        }
    }
    for (phasors, (re, im)) in phasors.iter_mut().zip(re.into_iter().zip(im)) {
        (phasors.re.0, phasors.im.0) = (re, im);
    }
}

/// A group of modes of one key: what never changes.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// With the damper up.
    free: Turn,
    /// With the damper down.
    damped: Turn,
    /// Between left and right.
    pan: Pan,
    weight: Lanes,
    frequency: Lanes,
}

impl Group {
    /// Modes in groups; those that last longest under a strong blow come first,
    /// so that a sound dies from the end of the list.
    pub fn of(mut modes: Vec<Mode>, key: u8, sample_rate: f64, silence: f32) -> Vec<Self> {
        let strongest = Blow::new(key, 127);
        let life = |mode: &Mode| {
            let amplitude = mode.weight.abs() * f64::from(strongest.excites(mode.frequency as f32));
            libm::log10(amplitude.max(1e-12) / f64::from(silence)) / mode.loss
        };
        modes.sort_by(|a, b| life(b).total_cmp(&life(a)));
        modes.retain(|mode| life(mode) > 0.0);
        let group = |modes: &[Mode]| {
            let mut group = Self::default();
            for (lane, mode) in modes.iter().enumerate() {
                let damped = mode.loss + mode.damper_loss;
                group.free.set(lane, mode.frequency, mode.loss, sample_rate);
                group.damped.set(lane, mode.frequency, damped, sample_rate);
                group.pan.set(lane, mode.side, 1.0);
                group.weight.0[lane] = mode.weight as f32;
                group.frequency.0[lane] = mode.frequency as f32;
            }
            group
        };
        modes.chunks(LANES).map(group).collect()
    }

    /// How its modes turn under a damper or without, and where they are heard.
    #[inline(always)]
    pub fn motion(&self, damped: bool) -> (&Turn, &Pan) {
        let turn = if damped { &self.damped } else { &self.free };
        (turn, &self.pan)
    }

    /// What a blow adds to each mode.
    #[inline(always)]
    pub fn struck(&self, blow: &Blow) -> Lanes {
        let mut added = Lanes::default();
        for lane in 0..LANES {
            added.0[lane] = self.weight.0[lane] * blow.excites(self.frequency.0[lane]);
        }
        added
    }
}
