//! The hammer: how fast it flies, how long it stays, what it excites.

use libm::pow;

use super::laws;

/// A hammer's blow.
#[derive(Clone, Copy, Debug)]
pub struct Blow {
    /// Impulse, relative to a hammer of one metre a second.
    pub strength: f64,
    /// Above this many Hz partials are excited less and less.
    pub cutoff: f64,
}

/// Contact at two metres a second on middle C, in seconds; four milliseconds in
/// the bass, below one at the top (Askenfelt and Jansson 1990).
const CONTACT: f64 = 2.0e-3;
const CONTACT_HALVES_IN_KEYS: f64 = 45.0;

/// Exponent of the felt's stiffness: force grows with compression to this power
/// (Chaigne and Askenfelt 1994: 2.3 to 3).
const FELT: f64 = 3.0;

impl Blow {
    /// The blow of a key struck with a MIDI velocity.
    ///
    /// The hammer's speed is what player pianos make of MIDI velocity (Goebl and
    /// Bresin 2003). A hammer whose felt stiffens as it is compressed leaves the
    /// string sooner the faster it comes (contact time falls by the power
    /// (1 - p) / (1 + p) of its speed), so louder is brighter.
    pub fn new(key: u8, velocity: u8) -> Self {
        let speed = pow(10.0, (f64::from(velocity) - 57.96) / 71.3);
        let up = (f64::from(key) - 60.0) / CONTACT_HALVES_IN_KEYS;
        let contact = CONTACT * pow(0.5, up) * pow(speed / 2.0, (1.0 - FELT) / (1.0 + FELT));
        Self {
            strength: speed * laws::level(f64::from(key)),
            cutoff: 1.0 / contact,
        }
    }

    /// Share of its strength with which the blow excites a frequency: the
    /// spectrum of a smooth pulse, even to the cutoff, then falling by 9 dB an
    /// octave.
    pub fn excites(&self, frequency: f32) -> f32 {
        let ratio = frequency / self.cutoff as f32;
        let fall = 1.0 + ratio * ratio;
        // To the power of -3/4, by roots: the same bits everywhere, and fast.
        self.strength as f32 / (fall.sqrt() * fall.sqrt().sqrt())
    }
}

/// Share of partial n that a blow at this point of the string excites: none
/// where the partial has a node, softened as a hammer has width.
pub fn comb(strike_point: f64, n: f64) -> f64 {
    let wave = libm::sin(n * std::f64::consts::PI * strike_point);
    wave + 0.12_f64.copysign(wave)
}
