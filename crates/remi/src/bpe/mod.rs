//! Byte pair encoding of base tokens, in MidiTok's representation.
//!
//! MidiTok gives each base token a character, writes a bar as a word of
//! characters behind the word mark `▁`, and leaves the rest to Hugging Face
//! `tokenizers`. The model is read and written as that library's JSON; it is
//! learned and applied here on ids, without strings, with the library's results.

mod file;
mod merge;
mod train;

use ahash::AHashMap;

pub(crate) use file::base_character;
pub use train::WordCounts;

/// A learned merge: the pair, its rank, and the id it becomes.
type Merges = AHashMap<(u32, u32), Merge>;

#[derive(Clone, Copy, Debug)]
struct Merge {
    rank: u32,
    id: u32,
}

/// A trained BPE model over a base vocabulary.
#[derive(Clone, Debug)]
pub struct Bpe {
    /// The model as the `tokenizers` library writes it.
    json: String,
    merges: Merges,
    /// The id of each base token; none for one that the model has not seen.
    base_ids: Vec<Option<u32>>,
    /// Base tokens that are never joined with others.
    special: Vec<bool>,
    /// The id of the word mark, where words have one.
    word_mark: Option<u32>,
    /// The base tokens of each id; none for the word mark alone.
    expansions: Vec<Vec<u16>>,
}

impl Bpe {
    /// Number of ids.
    pub fn len(&self) -> usize {
        self.expansions.len()
    }

    /// Whether there are no ids.
    pub fn is_empty(&self) -> bool {
        self.expansions.is_empty()
    }

    /// The base tokens that an id stands for; `None` for an id beyond the
    /// vocabulary.
    pub fn expand(&self, id: u32) -> Option<&[u16]> {
        self.expansions.get(id as usize).map(Vec::as_slice)
    }

    /// The model in the JSON of the `tokenizers` library.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Appends the ids of one word of base tokens. Special tokens stand for
    /// themselves and part the word in two; base tokens that the model lacks are
    /// left out, as the library does.
    pub fn encode_word(&self, word: &[u16], scratch: &mut Scratch, ids: &mut Vec<u32>) {
        let is_special = |token: &u16| {
            self.special
                .get(usize::from(*token))
                .copied()
                .unwrap_or(false)
        };
        for part in word.split_inclusive(is_special) {
            let (rest, special) = match part.split_last() {
                Some((last, rest)) if is_special(last) => (rest, Some(*last)),
                _ => (part, None),
            };
            if !rest.is_empty() {
                let symbols = &mut scratch.symbols;
                symbols.clear();
                symbols.extend(self.word_mark);
                symbols.extend(
                    rest.iter().filter_map(|token| {
                        self.base_ids.get(usize::from(*token)).copied().flatten()
                    }),
                );
                merge::merge(&self.merges, scratch);
                ids.extend_from_slice(&scratch.symbols);
            }
            ids.extend(
                special.and_then(|token| self.base_ids.get(usize::from(token)).copied().flatten()),
            );
        }
    }
}

/// Buffers that encoding uses again and again.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    symbols: Vec<u32>,
    ranks: Vec<u32>,
    products: Vec<u32>,
}
