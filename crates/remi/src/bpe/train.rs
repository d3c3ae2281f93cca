//! Learning merges.
//!
//! The most frequent pair of neighbours becomes a new id, again and again; of
//! equally frequent ones the pair of lower ids. The merges are those that the
//! trainer of the `tokenizers` library learns, which MidiTok uses, down to its
//! treatment of an id that two pairs make: tests hold the two side by side. Ours
//! keeps words and places in flat arrays, which takes a tenth of the time and
//! memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ahash::AHashMap;

use super::Bpe;
use crate::error::BpeError;

/// How often each word of base tokens occurs.
#[derive(Clone, Debug, Default)]
pub struct WordCounts {
    counts: AHashMap<Box<[u16]>, u32>,
}

impl WordCounts {
    /// No words yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a word.
    pub fn add(&mut self, word: &[u16]) {
        match self.counts.get_mut(word) {
            Some(count) => *count = count.saturating_add(1),
            None => {
                self.counts.insert(word.into(), 1);
            }
        }
    }

    /// Number of different words.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether no word was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

/// Two neighbouring ids.
pub(super) type Pair = (u32, u32);

impl Bpe {
    /// Learns merges until the vocabulary has `vocabulary_size` ids, or no pair
    /// is left. `base` is the number of base tokens, the first `special` of
    /// which are never joined; `marked` says whether words are marked, as they
    /// are where sequences are cut into bars or beats.
    ///
    /// # Errors
    /// [`BpeError::VocabularyTooSmall`] where the size leaves no room.
    pub fn train(
        words: WordCounts,
        base: usize,
        special: usize,
        marked: bool,
        vocabulary_size: usize,
    ) -> Result<Self, BpeError> {
        let with_mark = base + usize::from(marked);
        if vocabulary_size <= with_mark {
            return Err(BpeError::VocabularyTooSmall {
                wanted: vocabulary_size,
                base: with_mark,
            });
        }
        let mark = marked.then_some(base as u32);
        let mut trainer = Trainer::new(words, with_mark, mark);
        while trainer.texts.len() < vocabulary_size && trainer.merge_most_frequent() {}
        let json =
            super::file::write_json(&trainer.texts, &trainer.merges, special.min(base), mark);
        let characters: Vec<String> = (0..base)
            .map(|id| super::base_character(id as u16).to_string())
            .collect();
        Self::from_json(json, &characters).map_err(BpeError::Training)
    }
}

/// A word: where its symbols lie, and how often it occurs.
struct Word {
    start: usize,
    length: u32,
    count: u32,
}

/// A pair that waits to be merged, the most frequent first.
type Candidate = (u64, Reverse<Pair>, usize);

struct Trainer {
    symbols: Vec<u32>,
    words: Vec<Word>,
    counts: AHashMap<Pair, i64>,
    queue: BinaryHeap<Candidate>,
    /// Words in which the candidates of the queue stand, by their number.
    places: Vec<Vec<u32>>,
    /// The base ids (and mark) of each id.
    texts: Vec<Box<[u32]>>,
    ids: AHashMap<Box<[u32]>, u32>,
    merges: Vec<Pair>,
}

impl Trainer {
    fn new(words: WordCounts, alphabet: usize, mark: Option<u32>) -> Self {
        let total: usize = words.counts.keys().map(|word| word.len() + 1).sum();
        let mut trainer = Self {
            symbols: Vec::with_capacity(total),
            words: Vec::with_capacity(words.len()),
            counts: AHashMap::new(),
            queue: BinaryHeap::new(),
            places: Vec::new(),
            texts: (0..alphabet as u32).map(|id| Box::from([id])).collect(),
            ids: AHashMap::new(),
            merges: Vec::new(),
        };
        trainer.ids = trainer.texts.iter().cloned().zip(0..).collect();
        for (word, count) in words.counts {
            let start = trainer.symbols.len();
            trainer.symbols.extend(mark);
            trainer.symbols.extend(word.iter().map(|id| u32::from(*id)));
            let length = (trainer.symbols.len() - start) as u32;
            trainer.words.push(Word {
                start,
                length,
                count,
            });
        }
        trainer.count_pairs();
        trainer
    }

    fn count_pairs(&mut self) {
        let mut found = Found::default();
        for (index, word) in self.words.iter().enumerate() {
            let symbols = &self.symbols[word.start..][..word.length as usize];
            for pair in symbols.windows(2) {
                let pair = (pair[0], pair[1]);
                *self.counts.entry(pair).or_default() += i64::from(word.count);
                found.add(pair, index as u32);
            }
        }
        self.enqueue(found);
    }

    fn enqueue(&mut self, found: Found) {
        for (pair, places) in found.places {
            let count = self.counts.get(&pair).copied().unwrap_or(0);
            if count > 0 {
                self.queue
                    .push((count as u64, Reverse(pair), self.places.len()));
                self.places.push(places);
            }
        }
    }

    /// Merges the most frequent pair; false where none is left.
    fn merge_most_frequent(&mut self) -> bool {
        loop {
            let Some((count, Reverse(pair), number)) = self.queue.pop() else {
                return false;
            };
            let current = self.counts.get(&pair).copied().unwrap_or(0).max(0) as u64;
            if count != current {
                self.queue.push((current, Reverse(pair), number));
                continue;
            }
            if count == 0 {
                return false;
            }
            let places = std::mem::take(&mut self.places[number]);
            self.merge(pair, &places);
            return true;
        }
    }

    fn merge(&mut self, pair: Pair, places: &[u32]) {
        let product = self.product(pair);
        self.merges.push(pair);
        let mut found = Found::default();
        for index in places {
            let word = &mut self.words[*index as usize];
            let count = i64::from(word.count);
            let symbols = &mut self.symbols[word.start..][..word.length as usize];
            let counts = &mut self.counts;
            let mut change = |changed: Pair, by: i64| {
                *counts.entry(changed).or_default() += by * count;
                if by > 0 {
                    found.add(changed, *index);
                }
            };
            // Symbols before `to` are done; reading goes on at `from`.
            let (mut from, mut to) = (0, 0);
            while from < symbols.len() {
                let merges = symbols[from] == pair.0 && symbols.get(from + 1) == Some(&pair.1);
                if merges {
                    if to > 0 {
                        change((symbols[to - 1], pair.0), -1);
                        change((symbols[to - 1], product), 1);
                    }
                    if let Some(next) = symbols.get(from + 2).copied() {
                        change((pair.1, next), -1);
                        change((product, next), 1);
                    }
                    symbols[to] = product;
                    from += 2;
                } else {
                    symbols[to] = symbols[from];
                    from += 1;
                }
                to += 1;
            }
            word.length = to as u32;
        }
        self.enqueue(found);
    }

    /// The id of what a pair makes; an id that there is already where another
    /// pair made the same.
    fn product(&mut self, (left, right): Pair) -> u32 {
        let text: Box<[u32]> = [
            &self.texts[left as usize][..],
            &self.texts[right as usize][..],
        ]
        .concat()
        .into();
        let next = self.texts.len() as u32;
        let id = *self.ids.entry(text.clone()).or_insert(next);
        if id == next {
            self.texts.push(text);
        }
        id
    }
}

/// Pairs and the words they were found in, each word once.
#[derive(Default)]
struct Found {
    places: AHashMap<Pair, Vec<u32>>,
}

impl Found {
    /// Words come in rising order within a step, or at least together.
    fn add(&mut self, pair: Pair, word: u32) {
        let places = self.places.entry(pair).or_default();
        if places.last() != Some(&word) {
            places.push(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokenizers::models::bpe::{BPE, BpeTrainer};

    use super::super::base_character;
    use super::*;

    /// The merges that the library's own trainer learns.
    fn library(words: &[(Vec<u16>, u32)], base: usize, size: usize) -> Vec<(String, String)> {
        let trainer = BpeTrainer::builder()
            .vocab_size(size)
            .min_frequency(0)
            .show_progress(false)
            .initial_alphabet((0..base).map(|id| base_character(id as u16)).collect())
            .build();
        let text = |word: &[u16]| -> String { word.iter().map(|id| base_character(*id)).collect() };
        let counts = words
            .iter()
            .map(|(word, count)| (text(word).into(), u64::from(*count)));
        let mut model = BPE::default();
        trainer.do_train(&counts.collect(), &mut model).unwrap();
        let json: serde_json::Value =
            serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        serde_json::from_value(json["merges"].clone()).unwrap()
    }

    proptest! {
        #[test]
        fn merges_are_those_of_the_library(
            words in prop::collection::btree_map(prop::collection::vec(0_u16..5, 1..14), 1_u32..30, 1..40),
            size in 6_usize..60,
        ) {
            let words: Vec<(Vec<u16>, u32)> = words.into_iter().collect();
            let mut counts = WordCounts::new();
            for (word, count) in &words {
                counts.counts.insert(word.as_slice().into(), *count);
            }
            let ours = Bpe::train(counts, 5, 0, false, size).unwrap();
            let json: serde_json::Value = serde_json::from_str(ours.json()).unwrap();
            let merges: Vec<(String, String)> = serde_json::from_value(json["model"]["merges"].clone()).unwrap();
            prop_assert_eq!(merges, library(&words, 5, size));
        }
    }
}
