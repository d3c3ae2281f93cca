//! Learning merges, by the `tokenizers` library's own trainer.

use ahash::AHashMap;
use compact_str::CompactString;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{AddedToken, TokenizerImpl};

use super::{Bpe, base_character};
use crate::error::BpeError;

/// How often each word of base tokens occurs.
#[derive(Clone, Debug, Default)]
pub struct WordCounts {
    counts: AHashMap<Vec<u16>, u64>,
}

impl WordCounts {
    /// No words yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a word.
    pub fn add(&mut self, word: &[u16]) {
        match self.counts.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(word.to_vec(), 1);
            }
        }
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: Self) {
        for (word, count) in other.counts {
            *self.counts.entry(word).or_default() += count;
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

impl Bpe {
    /// Learns merges until the vocabulary has `vocabulary_size` ids, or no pair
    /// is left. `base` is the number of base tokens, the first `special` of
    /// which are never joined; `marked` says whether words are marked, as they
    /// are where sequences are cut into bars or beats.
    ///
    /// # Errors
    /// [`BpeError`] where the size leaves no room, or the library refuses.
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
        let characters: Vec<char> = (0..base).map(|id| base_character(id as u16)).collect();
        let special_tokens: Vec<AddedToken> = characters[..special.min(base)]
            .iter()
            .map(|c| AddedToken::from(*c, true))
            .collect();
        let trainer = BpeTrainer::builder()
            .vocab_size(vocabulary_size)
            .min_frequency(0)
            .show_progress(false)
            .special_tokens(special_tokens.clone())
            .initial_alphabet(characters.iter().copied().collect())
            .continuing_subword_prefix(String::new())
            .end_of_word_suffix(String::new())
            .build();
        let texts: AHashMap<CompactString, u64> = words
            .counts
            .into_iter()
            .map(|(word, count)| {
                let mark = marked.then_some('\u{2581}');
                let characters = word.iter().map(|id| base_character(*id));
                (mark.into_iter().chain(characters).collect(), count)
            })
            .collect();
        let failed = |error: tokenizers::Error| BpeError::Training(error.to_string());
        let mut model = BPE::default();
        trainer.do_train(&texts, &mut model).map_err(failed)?;
        let metaspace = || Metaspace::new('\u{2581}', PrependScheme::Always, true);
        let mut tokenizer = TokenizerImpl::<
            BPE,
            tokenizers::NormalizerWrapper,
            Metaspace,
            tokenizers::PostProcessorWrapper,
            Metaspace,
        >::new(model);
        if marked {
            tokenizer
                .with_pre_tokenizer(Some(metaspace()))
                .with_decoder(Some(metaspace()));
        }
        tokenizer
            .add_special_tokens(special_tokens)
            .map_err(failed)?;
        let json = tokenizer.to_string(false).map_err(failed)?;
        let base: Vec<String> = characters.iter().map(char::to_string).collect();
        Self::from_json(json, &base).map_err(BpeError::Training)
    }
}
