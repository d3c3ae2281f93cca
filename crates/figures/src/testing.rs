//! Notes for tests.

use score::{Note, Pedal};

use crate::Piece;

pub fn note(onset: u32, duration: u32, pitch: u8) -> Note {
    Note {
        onset,
        duration,
        pitch,
        velocity: 64,
    }
}

pub fn pedal(onset: u32, duration: u32) -> Pedal {
    Pedal { onset, duration }
}

/// A piece of notes alone.
pub fn piece(notes: &[Note]) -> Piece {
    Piece::from_parts(notes.to_vec(), Vec::new()).unwrap()
}

/// A melody of equal notes, a tenth of a second each.
pub fn melody(pitches: &[u8]) -> Piece {
    let notes = (0..)
        .zip(pitches)
        .map(|(index, pitch)| note(96 * index, 96, *pitch));
    piece(&notes.collect::<Vec<_>>())
}

pub fn close(found: impl Into<Option<f64>>, expected: f64) {
    let found = found.into().unwrap();
    assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
}
