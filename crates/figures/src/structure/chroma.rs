//! Which pitch classes sound when.

use crate::piece::{Piece, TICKS_PER_SECOND};

use super::STRUCTURE_SECONDS;

/// Shares of the pitch classes in a frame, of length 1.
pub type Frame = [f32; 12];

const TICKS: u32 = TICKS_PER_SECOND / 10;

/// Frames on each side of a frame that it is averaged with.
const AROUND: usize = 10;

/// Frames that become one.
const STEP: usize = 5;

/// A chromagram of two frames a second: ten frames a second hold how long the
/// keys of each pitch class are down, at length 1; averages of 21 of them are
/// taken at every fifth and brought to length 1, silence becoming all classes
/// alike. Apart from the first step this is MusDr's.
pub fn chroma(piece: &Piece) -> Vec<Frame> {
    let ticks = (STRUCTURE_SECONDS * f64::from(TICKS_PER_SECOND)) as u32;
    let end = piece.end().min(ticks);
    let mut fine = vec![Frame::default(); end.div_ceil(TICKS) as usize];
    for note in piece.notes().iter().filter(|note| note.onset < end) {
        let end = note.end().min(end);
        let frames = note.onset / TICKS..end.div_ceil(TICKS);
        for frame in frames {
            let from = note.onset.max(frame * TICKS);
            let until = end.min((frame + 1) * TICKS);
            fine[frame as usize][usize::from(note.pitch % 12)] += until.saturating_sub(from) as f32;
        }
    }
    for frame in &mut fine {
        *frame = unit(frame).unwrap_or_default();
    }
    let smooth = |middle: usize| {
        let around = &fine[middle.saturating_sub(AROUND)..fine.len().min(middle + AROUND + 1)];
        let sum: Frame = std::array::from_fn(|class| around.iter().map(|frame| frame[class]).sum());
        let mean = sum.map(|sum| sum / (2 * AROUND + 1) as f32);
        unit(&mean).unwrap_or([1.0 / 12f32.sqrt(); 12])
    };
    (0..fine.len()).step_by(STEP).map(smooth).collect()
}

/// A frame at length 1; `None` for silence.
fn unit(frame: &Frame) -> Option<Frame> {
    let length = frame.iter().map(|value| value * value).sum::<f32>().sqrt();
    (length > 0.001).then(|| frame.map(|value| value / length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{note, piece};

    #[test]
    fn frames_hold_the_keys_that_are_down() {
        // C for two seconds, silence for three, then C and G for a second.
        let notes = [note(0, 1920, 60), note(4800, 960, 67), note(4800, 960, 72)];
        let frames = chroma(&piece(&notes));
        assert_eq!(frames.len(), 12);
        assert_eq!(frames[0][0], 1.0);
        assert!((frames[7][5] - 1.0 / 12f32.sqrt()).abs() < 1e-6);
        assert!((frames[11][0] - 0.5f32.sqrt()).abs() < 1e-6);
        assert!((frames[11][7] - 0.5f32.sqrt()).abs() < 1e-6);
        assert_eq!(frames[11][2], 0.0);
        let endless = chroma(&piece(&[note(0, u32::MAX, 60)]));
        assert_eq!(endless.len(), 240);
        assert!(chroma(&piece(&[note(0, 0, 60)])).is_empty());
    }
}
