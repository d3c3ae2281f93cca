//! The decaying sine waves of which a key's sound is made.

use libm::pow;

use super::laws::{self, stretch_of_partial};
use super::{hammer, scatter::Scatter};

/// One decaying sine wave.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// In Hz.
    pub frequency: f64,
    /// Loss in dB a second with the damper up.
    pub loss: f64,
    /// Loss that the damper adds.
    pub damper_loss: f64,
    /// Amplitude and sign under a blow that excites all frequencies alike.
    pub weight: f64,
    /// Place between left (-1) and right (1).
    pub side: f64,
}

/// Partials above this many are left out even where they would be heard.
const MOST_PARTIALS: u32 = 96;
/// Of the first partials each string has a mode; of others two are enough.
const FULL_PARTIALS: u32 = 8;
/// Strings of a key differ by so many cents (standard deviation): more beats
/// like a neglected piano, none sounds dead (Weinreich 1977).
const MISTUNING: f64 = 0.45;
/// Partials differ from the laws by so many decibels (standard deviation), as
/// the resonances of a soundboard make them.
const UNEVENNESS: f64 = 2.5;

/// The modes of a key's strings below a frequency.
///
/// Strings coupled by a bridge do not decay by themselves but as modes of the
/// whole: one in which they move together, strong and soon spent, and others in
/// which they move against each other, weak and lasting; their frequencies lie
/// as far apart as the strings are mistuned, which beats (Weinreich 1977). A
/// single string has two as well, across and along the soundboard.
pub fn string_modes(key: u8, below: f64) -> Vec<Mode> {
    let pitch = f64::from(key);
    let fundamental = laws::fundamental(pitch);
    let inharmonicity = laws::inharmonicity(pitch);
    let (slower, weaker) = laws::second_decay(pitch);
    let strike_point = laws::strike_point(pitch);
    let mut scatter = Scatter::new(u64::from(key));
    let detuning: [f64; 3] = std::array::from_fn(|_| scatter.normal() * MISTUNING);
    let mut modes = Vec::new();
    for n in 1..=MOST_PARTIALS {
        let number = f64::from(n);
        let frequency = fundamental * number * stretch_of_partial(inharmonicity, number);
        if frequency >= below {
            break;
        }
        let uneven = if n == 1 { 0.4 } else { 1.0 } * UNEVENNESS * scatter.normal();
        let weight = hammer::comb(strike_point, number)
            * laws::radiation(frequency)
            * pow(10.0, uneven / 20.0);
        let loss = laws::first_decay(fundamental, frequency);
        let count = match n <= FULL_PARTIALS {
            true => laws::strings(key).max(2),
            false => 2,
        };
        for (index, cents) in detuning.iter().enumerate().take(count) {
            let vary = pow(2.0, 0.35 * scatter.normal());
            let (share, loss) = match index {
                0 => (1.0 - weaker, loss),
                _ => (weaker / (count - 1) as f64 * vary, loss * slower * vary),
            };
            // The first mode is the pitch; the others lie around it.
            let cents = if index == 0 { 0.0 } else { *cents };
            modes.push(Mode {
                frequency: frequency * pow(2.0, cents / 1200.0),
                loss,
                damper_loss: laws::damper(pitch, frequency),
                weight: weight * share,
                side: (keyboard_side(pitch) + 0.3 * scatter.normal()).clamp(-1.0, 1.0),
            });
        }
    }
    modes
}

/// The thump of key, keybed and soundboard under a blow: short modes that all
/// keys share, from the lowest of the soundboard up (Askenfelt 1993); fainter
/// under the small hammers of the top.
pub fn thump_modes(key: u8, below: f64) -> Vec<Mode> {
    const LOWEST: f64 = 70.0;
    const COUNT: u32 = 16;
    let mut scatter = Scatter::new(1 << 32);
    let small = (f64::from(key) - 80.0).max(0.0) / 28.0;
    let strength = 0.012 * pow(10.0, -0.8 * small);
    (0..COUNT)
        .map(|index| {
            let step = f64::from(index) + 0.3 * scatter.normal();
            let frequency = LOWEST * pow(2.0, step * 0.3);
            Mode {
                frequency,
                loss: 90.0 + 0.12 * frequency,
                damper_loss: 0.0,
                weight: strength
                    * pow(10.0, scatter.normal() * 0.15)
                    * if index % 2 == 0 { 1.0 } else { -1.0 },
                side: 0.5 * keyboard_side(f64::from(key)) + 0.3 * scatter.normal(),
            }
        })
        .filter(|mode| mode.frequency < below)
        .collect()
}

/// The place of a key before a listener at the keyboard.
fn keyboard_side(key: f64) -> f64 {
    ((key - 64.0) / 60.0).clamp(-0.8, 0.8)
}
