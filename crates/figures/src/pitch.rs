//! Which pitches are used, as MusPy 0.5 defines it (Dong et al. 2020, *MusPy: A
//! Toolkit for Symbolic Music Generation*).

use score::Note;

use crate::histogram::entropy;

/// Number of different pitches (`muspy.n_pitches_used`).
pub fn pitches_used(notes: &[Note]) -> usize {
    counts::<128>(notes, |note| note.pitch)
        .iter()
        .filter(|count| **count > 0)
        .count()
}

/// Number of different pitch classes (`muspy.n_pitch_classes_used`).
pub fn pitch_classes_used(notes: &[Note]) -> usize {
    pitch_classes(notes)
        .iter()
        .filter(|count| **count > 0)
        .count()
}

/// Semitones from the lowest to the highest pitch (`muspy.pitch_range`); 0
/// where there is no note.
pub fn pitch_range(notes: &[Note]) -> u8 {
    let pitches = || notes.iter().map(|note| note.pitch);
    pitches().max().unwrap_or(0) - pitches().min().unwrap_or(0)
}

/// Shannon entropy of the pitches in bits, each note counting once
/// (`muspy.pitch_entropy`).
pub fn pitch_entropy(notes: &[Note]) -> Option<f64> {
    entropy(&counts::<128>(notes, |note| note.pitch))
}

/// Shannon entropy of the pitch classes in bits, each note counting once
/// (`muspy.pitch_class_entropy`; H of Wu and Yang 2020, *The Jazz Transformer on
/// the Front Line*, over the whole piece); at most log2(12) = 3.58.
pub fn pitch_class_entropy(notes: &[Note]) -> Option<f64> {
    entropy(&pitch_classes(notes))
}

/// The largest share of notes in any one major or natural minor scale
/// (`muspy.scale_consistency`; Mogren 2016, *C-RNN-GAN*). A minor scale has the
/// notes of its relative major, so that the twelve major ones are enough.
pub fn scale_consistency(notes: &[Note]) -> Option<f64> {
    const MAJOR: [usize; 7] = [0, 2, 4, 5, 7, 9, 11];
    let counts = pitch_classes(notes);
    let inside = |root| MAJOR.iter().map(move |step| counts[(root + step) % 12]);
    let most = (0..12).map(|root| inside(root).sum::<u64>()).max()?;
    crate::piece::share(most as f64, notes.len() as f64)
}

/// Notes by pitch class, from C upwards.
pub fn pitch_classes(notes: &[Note]) -> [u64; 12] {
    counts(notes, |note| note.pitch % 12)
}

fn counts<const N: usize>(notes: &[Note], of: impl Fn(&Note) -> u8) -> [u64; N] {
    let mut counts = [0; N];
    for note in notes {
        if let Some(count) = counts.get_mut(usize::from(of(note))) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, melody};

    #[test]
    fn figures_of_five_notes_by_hand() {
        let piece = melody(&[60, 72, 64, 64, 61]);
        let notes = piece.notes();
        assert_eq!(pitches_used(notes), 4);
        assert_eq!(pitch_classes_used(notes), 3);
        assert_eq!(pitch_range(notes), 12);
        // 1/5, 1/5, 2/5, 1/5.
        close(
            pitch_entropy(notes),
            0.6 * 5f64.log2() + 0.4 * 2.5f64.log2(),
        );
        close(
            pitch_class_entropy(notes),
            0.8 * 2.5f64.log2() + 0.2 * 5f64.log2(),
        );
        // No scale holds C, C sharp and E; those with C and E miss one note.
        close(scale_consistency(notes), 0.8);
        assert_eq!(scale_consistency(&[]), None);
    }
}
