//! A few bars in a dance rhythm: a habanera in D minor, which stops on its
//! dominant.

use score::Score;

use crate::hand::{Hand, Phrase, QUARTER};

const SIXTEENTH: u32 = QUARTER / 4;

/// A bar of 2/4.
const BAR: u32 = 2 * QUARTER;

/// Under each bar the bass, its fifth and the two tones above: the rhythm's
/// dotted eighth, sixteenth and two eighths.
const BASS: [[u8; 4]; 8] = [
    [38, 45, 53, 50],
    [38, 45, 53, 50],
    [33, 40, 49, 43],
    [33, 40, 49, 45],
    [38, 45, 54, 48],
    [31, 43, 50, 46],
    [34, 41, 50, 46],
    [33, 40, 49, 43],
];

/// The onsets of the bass, in sixteenths.
const RHYTHM: [u32; 4] = [0, 3, 4, 6];

/// What is struck together, from the top, and how long until the next, in
/// twelfths of a quarter, so that triplets are whole numbers.
const MELODY: [&[(&[u8], u32)]; 8] = [
    &[(&[], 6), (&[69], 6), (&[74], 4), (&[76], 4), (&[77], 4)],
    &[(&[81, 77], 9), (&[79], 3), (&[77], 6), (&[76], 6)],
    &[(&[77], 4), (&[76], 4), (&[74], 4), (&[73], 6), (&[76], 6)],
    &[(&[79, 73], 9), (&[77], 3), (&[76, 73], 12)],
    &[(&[], 6), (&[74], 6), (&[78], 4), (&[81], 4), (&[84], 4)],
    &[(&[82, 79], 9), (&[81], 3), (&[79], 6), (&[74], 6)],
    &[(&[77], 4), (&[79], 4), (&[77], 4), (&[76], 6), (&[74], 6)],
    &[(&[76, 73], 9), (&[73], 3), (&[69], 12)],
];

/// The prompt.
pub fn habanera() -> Score {
    let phrase = |tick: u32| {
        let half = tick / (4 * BAR);
        let ticks = [0, 5 * QUARTER, 4 * BAR].map(|tick| tick + half * 4 * BAR);
        Phrase {
            softest: 64,
            swell: 24,
            ticks,
        }
        .velocity(tick)
    };
    let twelfth = QUARTER / 12;
    let mut hand = Hand::default();
    for (bar, (bass, melody)) in (0..).zip(BASS.iter().zip(MELODY)) {
        let start = bar * BAR;
        for (pitch, sixteenth) in bass.iter().zip(RHYTHM) {
            let onset = start + sixteenth * SIXTEENTH;
            // The first is held and the second, off the beat, leans forward.
            let (length, accent) = match sixteenth {
                0 => (3 * SIXTEENTH - 20, 6),
                3 => (SIXTEENTH - 20, 8),
                _ => (SIXTEENTH, 0),
            };
            hand.strike(onset, length, *pitch, phrase(onset) - 16 + accent);
        }
        hand.pedal(start, 3 * SIXTEENTH);
        let mut onset = start;
        for (pitches, twelfths) in melody {
            let length = twelfths * twelfth;
            // Long notes are leaned on and held, short ones are light.
            let (held, accent) = match *twelfths > 6 {
                true => (length - 20, 6),
                false => (length * 7 / 10, 0),
            };
            for (voice, pitch) in (0..).zip(*pitches) {
                hand.strike(onset, held, *pitch, phrase(onset) + accent - 14 * voice);
            }
            onset += length;
        }
    }
    hand.score((2, 4), 66)
}
