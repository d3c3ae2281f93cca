//! Counting baselines: what a model has to beat.

use std::collections::HashMap;

/// Unigram and bigram counts of training pieces.
///
/// The unigram adds one to every count of the vocabulary. The bigram
/// interpolates with it after Witten and Bell (1991): a context seen `n` times
/// with `d` different successors gives the unigram the share `d / (n + d)`.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    vocab_size: usize,
    unigrams: HashMap<u32, u64>,
    labels: u64,
    bigrams: HashMap<(u32, u32), u64>,
    contexts: HashMap<u32, Context>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Context {
    count: u64,
    successors: u64,
}

/// Mean negative log-likelihoods in nats per token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nats {
    /// Of token frequencies alone.
    pub unigram: f64,
    /// Of the frequencies after the token before.
    pub bigram: f64,
}

impl Baseline {
    /// Counts the labels (all ids but the first) of `sequences`.
    pub fn count(
        vocab_size: usize,
        sequences: impl IntoIterator<Item = impl AsRef<[u32]>>,
    ) -> Self {
        let mut baseline = Self {
            vocab_size,
            ..Self::default()
        };
        for sequence in sequences {
            for pair in sequence.as_ref().windows(2) {
                let (before, label) = (pair[0], pair[1]);
                *baseline.unigrams.entry(label).or_default() += 1;
                baseline.labels += 1;
                let times = baseline.bigrams.entry((before, label)).or_default();
                let context = baseline.contexts.entry(before).or_default();
                context.count += 1;
                context.successors += u64::from(*times == 0);
                *times += 1;
            }
        }
        baseline
    }

    /// Scores the labels of `sequences`; NaN when there is none.
    pub fn nats(&self, sequences: impl IntoIterator<Item = impl AsRef<[u32]>>) -> Nats {
        let (mut unigram, mut bigram, mut labels) = (0.0, 0.0, 0.0);
        for sequence in sequences {
            for pair in sequence.as_ref().windows(2) {
                let alone = self.unigram(pair[1]);
                unigram -= alone.ln();
                bigram -= self.bigram(pair[0], pair[1], alone).ln();
                labels += 1.0;
            }
        }
        Nats {
            unigram: unigram / labels,
            bigram: bigram / labels,
        }
    }

    fn unigram(&self, label: u32) -> f64 {
        let count = self.unigrams.get(&label).copied().unwrap_or(0);
        (count + 1) as f64 / (self.labels + self.vocab_size as u64) as f64
    }

    fn bigram(&self, before: u32, label: u32, alone: f64) -> f64 {
        let Some(context) = self.contexts.get(&before) else {
            return alone;
        };
        let times = self.bigrams.get(&(before, label)).copied().unwrap_or(0);
        let backoff = context.successors as f64 * alone;
        (times as f64 + backoff) / (context.count + context.successors) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_probabilities_and_known_by_hand() {
        let baseline = Baseline::count(4, [vec![1, 2, 3, 2, 3]]);
        for before in 0..4 {
            let of = |label| baseline.bigram(before, label, baseline.unigram(label));
            let sum: f64 = (0..4).map(of).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{before}");
        }
        // Labels 2, 3, 2, 3: the unigram of 3 is (2 + 1) / (4 + 4).
        let nats = baseline.nats([vec![2, 3]]);
        assert!((nats.unigram + (3.0f64 / 8.0).ln()).abs() < 1e-12);
        // After 2 always 3: (2 + 1 * 3/8) / (2 + 1).
        assert!((nats.bigram + (2.375f64 / 3.0).ln()).abs() < 1e-12);
    }
}
