//! A 5-gram model: the strongest baseline that only counts.
//!
//! Interpolated Kneser-Ney smoothing (Kneser and Ney 1995, in the form of Chen
//! and Goodman 1999, *An empirical study of smoothing techniques for language
//! modeling*, without their second and third discounts). After a context `h`,
//! the probability of `w` is
//!
//! ```text
//! max(c(hw) - D, 0) / c(h) + D * t(h) / c(h) * p(w after h without its first)
//! ```
//!
//! where `t(h)` is how many different labels follow `h` and `c` counts: for runs
//! of five how often they occur, for shorter ones after how many different ids.
//! Single labels are smoothed with equal shares. For each length `D` is
//! `n1 / (n1 + 2 n2)` with `n1` and `n2` the runs counted once and twice. Before
//! the beginning of a piece lies an id of its own.

use rayon::slice::ParallelSliceMut;

/// Ids of a run: a label and what is before it.
const ORDER: usize = 5;

/// Up to five ids, each one more than in the sequence, 0 before its beginning
/// and in place of those that a shorter run leaves out.
type Run = [u32; ORDER];

/// What is known of a label when so many ids are looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Count of the run.
    run: f64,
    /// Count of its context.
    context: f64,
    /// Different labels after its context.
    labels: f64,
}

/// The mean negative log-likelihood in nats of the labels (all ids but the first)
/// of `pieces` by runs of five ids in `training`; NaN where there is no label.
///
/// All runs are sorted, length after length, and the labels beside them: that
/// takes some seconds for ten million ids, and about 50 bytes an id.
pub fn five_gram_nats(
    vocab_size: usize,
    training: &[impl AsRef<[u32]>],
    pieces: &[impl AsRef<[u32]>],
) -> f64 {
    let probabilities = probabilities(vocab_size, runs(training), &runs(pieces));
    let nats: f64 = probabilities.iter().map(|p| -p.ln()).sum();
    nats / probabilities.len() as f64
}

/// The runs that end with the labels of sequences.
fn runs(sequences: &[impl AsRef<[u32]>]) -> Vec<Run> {
    let mut runs = Vec::new();
    for sequence in sequences {
        let mut run = Run::default();
        for (index, id) in sequence.as_ref().iter().enumerate() {
            run.rotate_left(1);
            run[ORDER - 1] = id.saturating_add(1);
            if index > 0 {
                runs.push(run);
            }
        }
    }
    runs
}

/// The probability of each run's label after its other ids.
fn probabilities(vocab_size: usize, training: Vec<Run>, asked: &[Run]) -> Vec<f64> {
    let mut counted = training;
    let mut lengths = Vec::with_capacity(ORDER);
    for omitted in 0..ORDER {
        counted.par_sort_unstable();
        lengths.push(look_up(&counted, asked, omitted));
        // Shorter runs count once for each different id before them.
        counted.dedup();
        counted.iter_mut().for_each(|run| run[omitted] = 0);
    }
    let mut probabilities = vec![1.0 / vocab_size as f64; asked.len()];
    for (discount, known) in lengths.iter().rev() {
        for (probability, known) in probabilities.iter_mut().zip(known) {
            if known.context > 0.0 {
                let rest = discount * known.labels * *probability;
                *probability = ((known.run - discount).max(0.0) + rest) / known.context;
            }
        }
    }
    probabilities
}

/// The discount of sorted runs, and what they tell of those that are asked for,
/// of which the first `omitted` ids do not matter.
fn look_up(counted: &[Run], asked: &[Run], omitted: usize) -> (f64, Vec<Known>) {
    let shortened = |index: usize| {
        let mut run = asked[index];
        run[..omitted].fill(0);
        (run, index)
    };
    let mut asked: Vec<(Run, usize)> = (0..asked.len()).map(shortened).collect();
    asked.par_sort_unstable();
    let mut known = vec![Known::default(); asked.len()];
    let mut asked = asked.into_iter().peekable();
    let (mut once, mut twice) = (0.0, 0.0);
    for context in counted.chunk_by(|a, b| a[..ORDER - 1] == b[..ORDER - 1]) {
        let (labels, count) = (
            context.chunk_by(|a, b| a == b).count() as f64,
            context.len() as f64,
        );
        let mut about = |run: f64, index: usize| {
            known[index] = Known {
                run,
                context: count,
                labels,
            };
        };
        for same in context.chunk_by(|a, b| a == b) {
            once += f64::from(u8::from(same.len() == 1));
            twice += f64::from(u8::from(same.len() == 2));
            while let Some((run, index)) = asked.next_if(|(run, _)| *run <= same[0]) {
                if run == same[0] {
                    about(same.len() as f64, index);
                } else if run[..ORDER - 1] == same[0][..ORDER - 1] {
                    about(0.0, index);
                }
            }
        }
        let is_after = |(run, _): &(Run, usize)| run[..ORDER - 1] == context[0][..ORDER - 1];
        while let Some((_, index)) = asked.next_if(is_after) {
            about(0.0, index);
        }
    }
    // No run is counted once where there is nothing rare: then little is unseen.
    let discount = if once > 0.0 {
        once / (once + 2.0 * twice)
    } else {
        0.5
    };
    (discount, known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probability(training: &[Vec<u32>], sequence: &[u32]) -> f64 {
        let asked = runs(&[sequence]);
        probabilities(5, runs(training), &asked[asked.len() - 1..])[0]
    }

    #[test]
    fn probabilities_sum_to_one_after_every_context() {
        let training = [
            vec![0, 1, 2, 3, 1, 2, 3, 1, 1, 2],
            vec![0, 3, 2, 1],
            vec![0],
        ];
        for a in 0..5 {
            for b in 0..5 {
                for before in [vec![a], vec![a, b], vec![0, 1, 2, a, b], vec![2, 3, 1, a]] {
                    let with = |label: u32| {
                        probability(&training, &[before.as_slice(), &[label]].concat())
                    };
                    let sum: f64 = (0..5).map(with).sum();
                    assert!((sum - 1.0).abs() < 1e-12, "{before:?} {sum}");
                }
            }
        }
    }

    #[test]
    fn a_probability_by_hand() {
        // Labels 1, 2, 1, 2, 1 of one piece, and 3 of another.
        let training = [vec![0, 1, 2, 1, 2, 1], vec![0, 3]];
        let close = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
        };
        // By the ids before them: 1 follows 0 and 2, 2 follows 1, 3 follows 0.
        // Counts 2, 1, 1: a discount of 2 / (2 + 2) = 1/2, so that each of three
        // kinds gives up 1/2 of 4 to equal shares of 1/5.
        let spread = 0.5 * 3.0 / 4.0 / 5.0;
        let (one, three) = (1.5 / 4.0 + spread, 0.5 / 4.0 + spread);
        let nothing = spread;
        // No run that is asked for has a context that occurs.
        close(probability(&training, &[4, 4]), nothing);
        close(probability(&training, &[4, 1]), one);
        close(probability(&training, &[4, 3]), three);
        // Pairs by the ids before them: 01 after the beginning, 12 after 0 and 2,
        // 21 after 1, 03 after the beginning: three once, one twice, so 3/5.
        // After 0, which was counted twice: 1 once and 3 once.
        let pair = |one: f64| (0.4 + 0.6 * 2.0 * one) / 2.0;
        close(probability(&training, &[4, 0, 3]), pair(three));
        close(probability(&training, &[4, 0, 1]), pair(one));
        // At the beginning all lengths agree: runs of three, four and five are
        // 001 and 003 there. Of the others 012, 212 and 121 are counted once each
        // at length three (121 after 0 and 2 too: twice).
        let longer =
            |discount: f64, shorter: f64| (1.0 - discount + discount * 2.0 * shorter) / 2.0;
        // Length 3: [B01] [012] [121 after 0, after 2] [212] [B03]: 4 once, 1 twice.
        let of_three = longer(4.0 / 6.0, pair(three));
        // Length 4: [BB01] [B012] [0121] [1212] [2121] [BB03]: all once.
        let of_four = longer(1.0, of_three);
        // Length 5: each run occurs once.
        let of_five = longer(1.0, of_four);
        close(probability(&training, &[0, 3]), of_five);
    }

    #[test]
    fn nats_are_the_mean_over_all_labels() {
        let training = [vec![0, 1, 2, 1, 2, 1], vec![0, 3]];
        let piece = vec![0, 1, 4, 4];
        let expected = (2..=4).map(|end| -probability(&training, &piece[..end]).ln());
        let mean = expected.sum::<f64>() / 3.0;
        let found = five_gram_nats(5, &training, &[piece, vec![2]]);
        assert!((found - mean).abs() < 1e-12);
        assert!(five_gram_nats(5, &training, &[[3]]).is_nan());
        let nothing = five_gram_nats(5, &[[1]], &[[3, 2]]);
        assert!((nothing - 5f64.ln()).abs() < 1e-12);
    }
}
