//! An old melody: Greensleeves, English, sixteenth century. The verse and the
//! first half of the refrain, which ends on the dominant.

use score::Score;

use crate::hand::{Hand, Phrase, QUARTER};

const SIXTEENTH: u32 = QUARTER / 4;

/// A half bar of 6/8.
const HALF: u32 = 6 * SIXTEENTH;

/// Pitches and lengths in sixteenths, after an upbeat of an eighth.
const MELODY: &[(u8, u32)] = &[
    (69, 2),
    // Verse.
    (72, 4),
    (74, 2),
    (76, 3),
    (77, 1),
    (76, 2),
    (74, 4),
    (71, 2),
    (67, 3),
    (69, 1),
    (71, 2),
    (72, 4),
    (69, 2),
    (69, 3),
    (68, 1),
    (69, 2),
    (71, 4),
    (68, 2),
    (64, 4),
    (69, 2),
    (72, 4),
    (74, 2),
    (76, 3),
    (77, 1),
    (76, 2),
    (74, 4),
    (71, 2),
    (67, 3),
    (69, 1),
    (71, 2),
    (72, 3),
    (71, 1),
    (69, 2),
    (68, 3),
    (66, 1),
    (68, 2),
    (69, 6),
    (69, 6),
    // Refrain.
    (79, 6),
    (79, 3),
    (77, 1),
    (76, 2),
    (74, 4),
    (71, 2),
    (67, 3),
    (69, 1),
    (71, 2),
    (72, 4),
    (69, 2),
    (69, 3),
    (68, 1),
    (69, 2),
    (71, 4),
    (68, 2),
    (64, 6),
];

/// Under each half bar a bass and the two tones that are broken above it.
const HARMONIES: &[[u8; 3]] = &[
    [45, 52, 60],
    [45, 52, 60],
    [43, 50, 59],
    [43, 50, 59],
    [45, 52, 60],
    [41, 48, 57],
    [40, 47, 56],
    [40, 47, 52],
    [45, 52, 60],
    [45, 52, 60],
    [43, 50, 59],
    [40, 47, 55],
    [41, 48, 57],
    [40, 47, 56],
    [45, 52, 57],
    [45, 52, 60],
    [48, 55, 64],
    [48, 55, 64],
    [43, 50, 59],
    [43, 50, 59],
    [45, 52, 60],
    [41, 48, 57],
    [40, 47, 56],
    [40, 47, 52],
];

/// Phrases in half bars: first, climax, last.
const PHRASES: [[u32; 3]; 3] = [[0, 2, 8], [8, 10, 16], [16, 17, 24]];

/// The prompt.
pub fn greensleeves() -> Score {
    let upbeat = 2 * SIXTEENTH;
    let phrase = |tick: u32, softest: u8, swell: u8| {
        let half = tick.saturating_sub(upbeat) / HALF;
        let of = |phrase: &&[u32; 3]| half < phrase[2];
        let phrase = PHRASES.iter().find(of).unwrap_or(&PHRASES[2]);
        let ticks = phrase.map(|half| upbeat + half * HALF);
        Phrase {
            softest,
            swell,
            ticks,
        }
        .velocity(tick)
    };
    let mut hand = Hand::default();
    let mut onset = 0;
    for (pitch, sixteenths) in MELODY {
        let length = sixteenths * SIXTEENTH;
        // A note that a short one leads on from is a little weightier.
        let weight = if *sixteenths >= 3 { 5 } else { 0 };
        hand.strike(
            onset,
            length - length / 24,
            *pitch,
            phrase(onset, 58, 22) + weight,
        );
        onset += length;
    }
    for (half, [bass, middle, top]) in (0..).zip(HARMONIES) {
        let start = upbeat + half * HALF;
        hand.strike(start, HALF - HALF / 24, *bass, phrase(start, 46, 14) + 4);
        hand.strike(
            start + HALF / 3,
            2 * HALF / 3 - HALF / 24,
            *middle,
            phrase(start, 38, 12),
        );
        hand.strike(
            start + 2 * HALF / 3,
            HALF / 3 - HALF / 24,
            *top,
            phrase(start, 40, 12),
        );
        hand.pedal(start, HALF);
    }
    hand.score((6, 8), 84)
}
