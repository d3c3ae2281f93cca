//! A chord progression in D flat major, with a descant on top, that stops before
//! it is at home.

use score::Score;

use crate::hand::{Hand, Phrase, QUARTER};

/// A bar of 4/4.
const BAR: u32 = 4 * QUARTER;

/// Chords from the lowest tone to the highest, a bar each, and what the descant
/// adds on the third and fourth beat.
const CHORDS: &[(&[u8], [u8; 2])] = &[
    // D flat with the ninth, B flat minor, G flat with the major seventh, A flat.
    (&[37, 49, 56, 60, 63, 65], [68, 72]),
    (&[34, 46, 56, 61, 65, 72], [70, 68]),
    (&[30, 42, 54, 58, 65, 70], [68, 66]),
    (&[32, 44, 54, 58, 61, 63], [65, 66]),
    // F minor, B flat minor, E flat minor, and A flat that is held back.
    (&[29, 41, 56, 60, 63, 68], [70, 72]),
    (&[34, 46, 53, 56, 65, 73], [75, 77]),
    (&[39, 46, 54, 61, 66, 78], [77, 75]),
    (&[32, 44, 51, 58, 61, 73], [70, 72]),
];

/// Ticks from tone to tone of a chord that is spread from below.
const SPREAD: u32 = 14;

/// The prompt.
pub fn chords() -> Score {
    let bars = CHORDS.len() as u32;
    let phrase = Phrase {
        softest: 44,
        swell: 30,
        ticks: [0, (bars - 2) * BAR, bars * BAR],
    };
    let mut hand = Hand::default();
    for (bar, (chord, descant)) in (0..).zip(CHORDS) {
        let start = bar * BAR;
        let last = chord.len() - 1;
        for (index, pitch) in chord.iter().enumerate() {
            let late = SPREAD * index as u32;
            // The top sings, the bass carries, the middle is soft.
            let voice = match index {
                0 => 4,
                index if index == last => 10,
                _ => 0,
            };
            let length = if index == last { 2 * QUARTER } else { BAR - 40 };
            hand.strike(
                start + late,
                length - late,
                *pitch,
                phrase.velocity(start) - 6 + voice,
            );
        }
        for (beat, pitch) in (2..).zip(descant) {
            let onset = start + beat * QUARTER;
            hand.strike(
                onset,
                QUARTER - 12,
                *pitch,
                phrase.velocity(onset) + (beat as u8 - 2) * 3,
            );
        }
        hand.pedal(start, BAR);
    }
    hand.score((4, 4), 76)
}
