//! How many pitches sound at once, as MusPy 0.5 defines it: a pitch sounds or
//! it does not, however many notes hold it; keys count, the pedal does not.

use score::Note;

use crate::piece::share;

/// What sounds over the ticks of a piece.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sounding {
    /// Ticks from 0 to the end of the last note.
    all: f64,
    /// Ticks in which any pitch sounds.
    any: f64,
    /// Ticks in which at least three pitches sound.
    three: f64,
    /// Pitches that sound, summed over all ticks.
    pitches: f64,
}

/// Pitches that sound at once, averaged over the ticks in which any does
/// (`muspy.polyphony`).
pub fn polyphony(notes: &[Note]) -> Option<f64> {
    let sounding = sounding(notes);
    share(sounding.pitches, sounding.any)
}

/// Share of the ticks, from tick 0 to the end of the last note, in which more
/// than two pitches sound (`muspy.polyphony_rate` with its default threshold).
pub fn polyphony_rate(notes: &[Note]) -> Option<f64> {
    let sounding = sounding(notes);
    share(sounding.three, sounding.all)
}

fn sounding(notes: &[Note]) -> Sounding {
    let mut edges: Vec<(u32, bool, u8)> = notes
        .iter()
        .filter(|note| note.duration > 0)
        .flat_map(|note| {
            [
                (note.onset, true, note.pitch),
                (note.end(), false, note.pitch),
            ]
        })
        .collect();
    edges.sort_unstable();
    let (mut holders, mut pitches, mut since) = ([0_u32; 256], 0_u32, 0);
    let mut sounding = Sounding::default();
    for (tick, starts, pitch) in edges {
        let span = f64::from(tick - since);
        sounding.all += span;
        sounding.any += span * f64::from(u8::from(pitches > 0));
        sounding.three += span * f64::from(u8::from(pitches > 2));
        sounding.pitches += span * f64::from(pitches);
        since = tick;
        let holders = &mut holders[usize::from(pitch)];
        if starts {
            pitches += u32::from(*holders == 0);
            *holders += 1;
        } else {
            *holders -= 1;
            pitches -= u32::from(*holders == 0);
        }
    }
    sounding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, note};

    #[test]
    fn a_pitch_counts_once_and_silence_not_at_all() {
        let notes = [
            note(10, 10, 60),
            note(10, 10, 60),
            note(15, 5, 64),
            note(15, 5, 67),
            note(25, 5, 50),
            note(28, 0, 51),
        ];
        // Ticks 10 to 15 one pitch, to 20 three, 25 to 30 one.
        close(polyphony(&notes), 25.0 / 15.0);
        close(polyphony_rate(&notes), 5.0 / 30.0);
        assert_eq!(polyphony(&[]), None);
        assert_eq!(polyphony_rate(&[note(0, 0, 60)]), None);
    }
}
