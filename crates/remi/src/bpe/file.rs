//! The model's JSON, as the `tokenizers` library writes it.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::json;

use super::train::Pair;
use super::{Bpe, Merge, Merges};

/// MidiTok writes base token `i` as character `33 + i`.
const CHARACTER_START: u32 = 33;

/// The word mark of the library's Metaspace pre-tokenizer.
const WORD_MARK: char = '\u{2581}';

/// The character of a base token.
pub(crate) fn base_character(id: u16) -> char {
    char::from_u32(CHARACTER_START + u32::from(id)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[derive(Deserialize)]
struct File {
    model: Model,
    #[serde(default)]
    pre_tokenizer: Option<PreTokenizer>,
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    vocab: HashMap<String, u32>,
    #[serde(default)]
    merges: Vec<MergeText>,
    #[serde(default)]
    continuing_subword_prefix: Option<String>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
}

/// Newer versions of the library write pairs, older ones joined them by a space.
#[derive(Deserialize)]
#[serde(untagged)]
enum MergeText {
    Parted(String, String),
    Joined(String),
}

#[derive(Deserialize)]
struct PreTokenizer {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct AddedToken {
    content: String,
}

impl Bpe {
    /// Reads a model; `base` gives the character of each base token, in the
    /// order of their ids.
    ///
    /// # Errors
    /// What is wrong with the JSON, in words that follow "the file is no
    /// tokenizer:".
    pub(crate) fn from_json(json: String, base: &[String]) -> Result<Self, String> {
        let file: File =
            serde_json::from_str(&json).map_err(|error| format!("its model: {error}"))?;
        let model = file.model;
        if model.kind != "BPE" {
            return Err(format!(
                "its model is {}, only BPE is supported",
                model.kind
            ));
        }
        let affixes = [&model.continuing_subword_prefix, &model.end_of_word_suffix];
        if affixes.into_iter().flatten().any(|affix| !affix.is_empty()) {
            return Err("its BPE marks the inside of words, which MidiTok's does not".to_owned());
        }
        let word_mark = match file.pre_tokenizer.as_ref().map(|part| part.kind.as_str()) {
            None => None,
            Some("Metaspace") => {
                let mark = model.vocab.get(&WORD_MARK.to_string());
                Some(*mark.ok_or("its model lacks the word mark")?)
            }
            Some(kind) => {
                return Err(format!(
                    "its pre-tokenizer is {kind}, not MidiTok's Metaspace"
                ));
            }
        };
        let base_of: HashMap<&str, u16> = base
            .iter()
            .enumerate()
            .map(|(id, character)| (character.as_str(), id as u16))
            .collect();
        // MidiTok 2 gives no id to base tokens that its training files lack.
        let base_id = |character: &String| model.vocab.get(character).copied();
        let is_added = |character: &String| {
            file.added_tokens
                .iter()
                .any(|token| token.content == *character)
        };
        Ok(Self {
            merges: read_merges(&model)?,
            special: base.iter().map(is_added).collect(),
            expansions: read_expansions(&model, &base_of)?,
            base_ids: base.iter().map(base_id).collect(),
            word_mark,
            json,
        })
    }
}

fn read_merges(model: &Model) -> Result<Merges, String> {
    let id = |part: &str| {
        let id = model.vocab.get(part).copied();
        id.ok_or_else(|| format!("a merge names {part:?}, which the model does not hold"))
    };
    let mut merges = Merges::default();
    for (rank, pair) in model.merges.iter().enumerate() {
        let (left, right) = match pair {
            MergeText::Parted(left, right) => (left.as_str(), right.as_str()),
            MergeText::Joined(both) => both
                .split_once(' ')
                .ok_or_else(|| format!("{both:?} is no merge"))?,
        };
        let merge = Merge {
            rank: rank as u32,
            id: id(&format!("{left}{right}"))?,
        };
        merges.insert((id(left)?, id(right)?), merge);
    }
    Ok(merges)
}

fn read_expansions(model: &Model, base_of: &HashMap<&str, u16>) -> Result<Vec<Vec<u16>>, String> {
    let mut expansions: Vec<Option<Vec<u16>>> = vec![None; model.vocab.len()];
    let mut buffer = [0; 4];
    for (text, id) in &model.vocab {
        let place = expansions.get_mut(*id as usize);
        let place =
            place.ok_or_else(|| format!("its ids have gaps: {id} is beyond their number"))?;
        let mut tokens = Vec::new();
        for character in text.chars().filter(|character| *character != WORD_MARK) {
            let base = base_of.get(&*character.encode_utf8(&mut buffer));
            let base = base
                .ok_or_else(|| format!("its model holds {character:?}, which is no base token"))?;
            tokens.push(*base);
        }
        *place = Some(tokens);
    }
    let whole: Option<Vec<_>> = expansions.into_iter().collect();
    whole.ok_or_else(|| "its ids have gaps".to_owned())
}

/// The JSON of a learned model. `texts` are the base ids (and the mark) of each
/// id, the first `special` of which are special tokens.
pub(super) fn write_json(
    texts: &[Box<[u32]>],
    merges: &[Pair],
    special: usize,
    mark: Option<u32>,
) -> String {
    let character = |id: &u32| match Some(*id) == mark {
        true => WORD_MARK,
        false => base_character(*id as u16),
    };
    let text = |id: u32| -> String { texts[id as usize].iter().map(character).collect() };
    let vocabulary: IndexMap<String, u32> =
        (0..texts.len() as u32).map(|id| (text(id), id)).collect();
    // Where a pair was merged twice, the library keeps its later rank.
    let mut last: IndexMap<Pair, usize> = IndexMap::new();
    for (rank, pair) in merges.iter().enumerate() {
        last.insert(*pair, rank);
    }
    last.sort_by_cached_key(|_, rank| *rank);
    let merges: Vec<(String, String)> = last
        .keys()
        .map(|(left, right)| (text(*left), text(*right)))
        .collect();
    let added: Vec<_> = (0..special as u32)
        .map(|id| {
            json!({
                "id": id, "content": text(id), "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true,
            })
        })
        .collect();
    let metaspace = mark.map(|_| {
        json!({ "type": "Metaspace", "replacement": WORD_MARK, "prepend_scheme": "always", "split": true })
    });
    let affix = mark.map(|_| "");
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": metaspace,
        "post_processor": null,
        "decoder": metaspace,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": affix,
            "end_of_word_suffix": affix,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": vocabulary,
            "merges": merges,
        },
    })
    .to_string()
}
