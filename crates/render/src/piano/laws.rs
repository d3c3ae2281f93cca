//! What distinguishes one key from another: tuning, inharmonicity, strings,
//! strike point, decay, dampers. Keys are MIDI numbers (69 is A4), also beyond
//! the 88 of a real keyboard; frequencies are in Hz, rates in dB a second.

use libm::{exp, log2, pow};

/// Lowest and highest key of a real piano.
pub const KEYBOARD: std::ops::RangeInclusive<u8> = 21..=108;

/// The first key without a damper: real pianos have none for their top octave
/// and a half (Fletcher and Rossing, The Physics of Musical Instruments, 12).
pub const FIRST_UNDAMPED_KEY: u8 = 91;

/// Inharmonicity coefficient B of a key (Young 1952): partial n of a stiff
/// string sounds at n f sqrt(1 + B n^2). Two exponentials, one for the wound
/// strings of the bass and one for the plain ones, after Rigaud, David and
/// Daudet (2013), with their typical values.
pub fn inharmonicity(key: f64) -> f64 {
    exp(-8.47e-2 * key - 5.82) + exp(9.26e-2 * key - 13.64)
}

/// How far partial n of a stiff string lies from n times the first, as a factor.
pub fn stretch_of_partial(inharmonicity: f64, n: f64) -> f64 {
    (1.0 + inharmonicity * n * n).sqrt() / (1.0 + inharmonicity).sqrt()
}

/// Frequency of the first partial. A4 is 440 Hz; octaves are widened so that
/// partials of the lower note meet those of the upper (Railsback 1938): the
/// 6th and 3rd in the bass, 4th and 2nd in the middle, 2nd and 1st on top.
pub fn fundamental(key: f64) -> f64 {
    let steps = 64;
    let step = (key - 69.0) / f64::from(steps);
    let middle = |index: i32| 69.0 + (f64::from(index) + 0.5) * step;
    let cents: f64 = (0..steps).map(|i| octave_stretch(middle(i))).sum::<f64>() * step / 12.0;
    440.0 * pow(2.0, (key - 69.0) / 12.0 + cents / 1200.0)
}

/// Cents by which the octave around a key is wider than 2:1.
fn octave_stretch(key: f64) -> f64 {
    let b = inharmonicity(key - 6.0);
    // Which partial of the upper note is matched: 3 at key 30, 1 from key 84.
    let partial = (3.0 - (key - 30.0) / 27.0).clamp(1.0, 3.0);
    let above = inharmonicity(key + 6.0);
    let lower = stretch_of_partial(b, 2.0 * partial);
    let upper = stretch_of_partial(above, partial);
    1200.0 * log2(lower / upper)
}

/// Strings of a key: one, two or three (Conklin 1996).
pub fn strings(key: u8) -> usize {
    match key {
        0..=30 => 1,
        31..=44 => 2,
        _ => 3,
    }
}

/// Where the hammer strikes, as a share of the string's length: about an eighth,
/// less towards the top, where tuners move it for a clear tone (Conklin 1996).
pub fn strike_point(key: f64) -> f64 {
    let up = ((key - 60.0) / 48.0).clamp(0.0, 1.0);
    0.122 - 0.057 * up
}

/// Loss of the first decay of a partial. It rises with frequency (Fletcher and
/// Rossing; Chaigne and Askenfelt 1994) and, as shorter strings give their
/// energy to the bridge more often, with the pitch of the key.
pub fn first_decay(fundamental: f64, frequency: f64) -> f64 {
    3.5 + 0.045 * fundamental + 0.007 * (frequency - fundamental)
}

/// The second decay as a share of the first, and how strong it begins: strings
/// that have fallen out of phase, and the motion along the soundboard, leave
/// the bridge at rest and last (Weinreich 1977). Weaker towards the top.
pub fn second_decay(key: f64) -> (f64, f64) {
    let up = ((key - 48.0) / 60.0).clamp(0.0, 1.0);
    (0.28 - 0.10 * up, 0.26 - 0.14 * up)
}

/// Loss that a lowered damper adds: felt stops high partials sooner, and heavy
/// bass strings later.
pub fn damper(key: f64, frequency: f64) -> f64 {
    let up = ((key - 21.0) / 70.0).clamp(0.0, 1.0);
    (45.0 + 45.0 * up) * (1.0 + frequency / 3000.0)
}

/// How well the soundboard turns a partial into sound: hardly below its first
/// resonances, evenly above, less again at the top (Conklin 1996).
pub fn radiation(frequency: f64) -> f64 {
    let low = pow(frequency / 58.0, 4.0);
    let high = pow(frequency / 4500.0, 2.0);
    low / (1.0 + low) / (1.0 + high).sqrt()
}

/// How loud a key is beside others struck as fast. Light hammers on short
/// strings are helped towards the top, as makers do, so that it is not drowned.
pub fn level(key: f64) -> f64 {
    let away = (key - 60.0) / 48.0;
    let top = away.max(0.0);
    pow(10.0, (-33.0 + 8.0 * away + 9.0 * top * top) / 20.0)
}
