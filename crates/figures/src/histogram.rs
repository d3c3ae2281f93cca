//! Counts of what notes are like, and how alike two of them are.

use score::Note;

use crate::Piece;
use crate::piece::seconds;
use crate::pitch::pitch_classes;

/// A histogram that is taken of each piece.
pub struct Histogram {
    /// Its name in reports.
    pub name: &'static str,
    /// Number of bins.
    pub bins: usize,
    /// Counts of a piece, as many as there are bins.
    pub of: fn(&Piece) -> Vec<u64>,
}

/// All histograms:
///
/// - `pitch_class`: notes by pitch class, from C upwards;
/// - `onset_interval`: notes by the time since the onset before, a note of a
///   chord by that since the chord's note before it;
/// - `duration`: notes by their length, keys alone;
/// - `velocity`: notes by velocity, four to a bin.
///
/// Bins of times: under 10 ms, then four an octave up to 10.24 s, and beyond.
pub const HISTOGRAMS: [Histogram; 4] = [
    Histogram {
        name: "pitch_class",
        bins: 12,
        of: |piece| pitch_classes(piece.notes()).to_vec(),
    },
    Histogram {
        name: "onset_interval",
        bins: TIME_BINS,
        of: |piece| count(TIME_BINS, onset_intervals(piece).map(time_bin)),
    },
    Histogram {
        name: "duration",
        bins: TIME_BINS,
        of: |piece| {
            let durations = piece.notes().iter().map(|note| note.duration);
            count(TIME_BINS, durations.map(seconds).map(time_bin))
        },
    },
    Histogram {
        name: "velocity",
        bins: 32,
        of: |piece| count(32, piece.notes().iter().map(velocity_bin)),
    },
];

const TIME_BINS: usize = 42;

/// Seconds from each note to the next in the order of onsets.
pub(crate) fn onset_intervals(piece: &Piece) -> impl Iterator<Item = f64> {
    let pairs = piece.notes().windows(2);
    pairs.map(|pair| seconds(pair[1].onset - pair[0].onset))
}

fn time_bin(seconds: f64) -> usize {
    if seconds < 0.01 {
        return 0;
    }
    let octaves = (seconds / 0.01).log2();
    (1 + (4.0 * octaves) as usize).min(TIME_BINS - 1)
}

fn velocity_bin(note: &Note) -> usize {
    usize::from(note.velocity.min(127) / 4)
}

fn count(bins: usize, of: impl Iterator<Item = usize>) -> Vec<u64> {
    let mut counts = vec![0; bins];
    of.for_each(|bin| counts[bin.min(bins - 1)] += 1);
    counts
}

/// Shannon entropy in bits; `None` where nothing was counted.
pub fn entropy(counts: &[u64]) -> Option<f64> {
    let shares = shares(counts)?;
    let terms = shares.iter().filter(|share| **share > 0.0);
    Some(terms.map(|share| -share * share.log2()).sum())
}

/// The share that two histograms have in common, the sum over bins of the
/// smaller share: 1 where they are alike, 0 where no bin is in both.
pub fn overlapping_area(counts: &[u64], reference: &[u64]) -> Option<f64> {
    let pairs = shares(counts)?.into_iter().zip(shares(reference)?);
    Some(pairs.map(|(share, other)| share.min(other)).sum())
}

/// Kullback-Leibler divergence in nats of the reference from what was counted,
/// the sum of p ln(p / q) with p the shares of `counts`. So that it is finite,
/// each bin of both counts half a note more (Krichevsky and Trofimov 1981).
pub fn divergence(counts: &[u64], reference: &[u64]) -> Option<f64> {
    shares(counts)?;
    shares(reference)?;
    let smoothed = |counts: &[u64]| -> Vec<f64> {
        let sum = counts.iter().sum::<u64>() as f64 + counts.len() as f64 / 2.0;
        counts
            .iter()
            .map(|count| (*count as f64 + 0.5) / sum)
            .collect()
    };
    let pairs = smoothed(counts).into_iter().zip(smoothed(reference));
    Some(pairs.map(|(p, q)| p * (p / q).ln()).sum())
}

/// Counts divided by their sum.
pub(crate) fn shares(counts: &[u64]) -> Option<Vec<f64>> {
    let sum: u64 = counts.iter().sum();
    (sum > 0).then(|| {
        counts
            .iter()
            .map(|count| *count as f64 / sum as f64)
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, note, piece};

    #[test]
    fn bins_of_times_are_quarters_of_octaves() {
        assert_eq!(time_bin(0.0), 0);
        assert_eq!(time_bin(0.0099), 0);
        assert_eq!(time_bin(0.0101), 1);
        assert_eq!(time_bin(0.0201), 5);
        assert_eq!(time_bin(0.0399), 8);
        assert_eq!(time_bin(10.0), 40);
        assert_eq!(time_bin(1e9), 41);
    }

    #[test]
    fn each_note_is_counted_in_its_bin() {
        let piece = piece(&[note(0, 960, 60), note(48, 96, 64), note(48, 5, 67)]);
        let counts = |index: usize| {
            let counts = (HISTOGRAMS[index].of)(&piece);
            assert_eq!(counts.len(), HISTOGRAMS[index].bins);
            let filled = (0..).zip(counts).filter(|(_, count)| *count > 0);
            filled.collect::<Vec<(usize, u64)>>()
        };
        assert_eq!(counts(0), [(0, 1), (4, 1), (7, 1)]);
        assert_eq!(counts(1), [(0, 1), (time_bin(0.05), 1)]);
        assert_eq!(counts(2), [(0, 1), (time_bin(0.1), 1), (time_bin(1.0), 1)]);
        assert_eq!(counts(3), [(16, 3)]);
    }

    #[test]
    fn likeness_by_hand() {
        close(entropy(&[1, 1, 2, 0]), 1.5);
        close(overlapping_area(&[1, 3], &[2, 2]), 0.75);
        close(overlapping_area(&[1, 0], &[0, 9]), 0.0);
        close(divergence(&[5, 1], &[5, 1]), 0.0);
        // Shares 3/8 and 5/8 against 1/2 and 1/2.
        let expected = 0.375 * 0.75f64.ln() + 0.625 * 1.25f64.ln();
        close(divergence(&[1, 2], &[3, 3]), expected);
        assert_eq!(divergence(&[0, 0], &[1, 1]), None);
        assert_eq!(entropy(&[]), None);
    }
}
