//! The tokenizer: scores to ids and back.

use score::Score;

use crate::bpe::{Bpe, Scratch};
use crate::config::{Config, Time};
use crate::decode::{Decoded, decode};
use crate::encode::{BaseTokens, encode};
use crate::error::{ConfigError, EncodeError};
use crate::ids::Ids;
use crate::prepare::prepare;
use crate::tables::Tables;
use crate::vocabulary::Vocabulary;

/// MidiTok's REMI tokenizer, with BPE where it was trained.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    config: Config,
    vocabulary: Vocabulary,
    tables: Tables,
    ids: Ids,
    bpe: Option<Bpe>,
    time: Time,
}

impl Tokenizer {
    /// An untrained tokenizer with the vocabulary that MidiTok 3.1.0 makes of
    /// this configuration.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for a value out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        let vocabulary = Vocabulary::new(&config);
        if vocabulary.is_empty() {
            return Err(ConfigError::Invalid {
                field: "vocabulary",
                value: "too large, or with a token twice".to_owned(),
                expected: "up to 32768 different base tokens",
            });
        }
        Ok(Self::with_vocabulary(config, vocabulary, None))
    }

    pub(crate) fn with_vocabulary(
        config: Config,
        vocabulary: Vocabulary,
        bpe: Option<Bpe>,
    ) -> Self {
        let tables = Tables::new(&config);
        let ids = Ids::new(&vocabulary);
        Self {
            config,
            vocabulary,
            tables,
            ids,
            bpe,
            time: Time::default(),
        }
    }

    /// The same tokenizer with this BPE model, or without any.
    pub fn with_bpe(self, bpe: Option<Bpe>) -> Self {
        Self { bpe, ..self }
    }

    /// The same tokenizer, to be given scores in this time.
    pub fn with_time(self, time: Time) -> Self {
        Self { time, ..self }
    }

    /// What a step of the grid is in the scores that the tokenizer is given. It
    /// is kept in the tokenizer's file, so that prompts are read as the pieces
    /// were that a model learned from.
    pub fn time(&self) -> Time {
        self.time
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The base vocabulary.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The BPE model, where there is one.
    pub fn bpe(&self) -> Option<&Bpe> {
        self.bpe.as_ref()
    }

    /// Number of ids: those of BPE where it was trained, else the base tokens.
    pub fn len(&self) -> usize {
        self.bpe.as_ref().map_or(self.vocabulary.len(), Bpe::len)
    }

    /// Whether there are no ids.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of a special token such as `BOS_None`, where the tokenizer has it.
    pub fn special(&self, name: &str) -> Option<u32> {
        self.vocabulary.id(name).map(u32::from)
    }

    /// Encodes a score, one sequence of base tokens a track that holds
    /// something, as MidiTok's `encode(score, encode_ids=False)` without
    /// programs. A score without such tracks gives one sequence.
    ///
    /// # Errors
    /// [`EncodeError`] where the vocabulary lacks a token, or the score is
    /// absurdly long.
    pub fn encode_base(&self, score: &Score) -> Result<Vec<BaseTokens>, EncodeError> {
        let prepared = prepare(score, &self.config, &self.tables);
        encode(&prepared, &self.config, &self.tables, &self.ids)
    }

    /// Encodes a score to ids, as MidiTok's `encode(score)`.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_base`].
    pub fn encode(&self, score: &Score) -> Result<Vec<Vec<u32>>, EncodeError> {
        let mut scratch = Scratch::default();
        let tracks = self.encode_base(score)?;
        Ok(tracks
            .iter()
            .map(|track| self.apply_bpe(track, &mut scratch))
            .collect())
    }

    /// Base tokens to ids: the same, where BPE was not trained.
    pub fn apply_bpe(&self, base: &BaseTokens, scratch: &mut Scratch) -> Vec<u32> {
        let Some(bpe) = &self.bpe else {
            return base.ids.iter().map(|id| u32::from(*id)).collect();
        };
        let mut ids = Vec::with_capacity(base.ids.len() / 2);
        for word in base.words() {
            bpe.encode_word(word, scratch, &mut ids);
        }
        ids
    }

    /// Ids to base tokens; the second value counts ids beyond the vocabulary,
    /// which are left out.
    pub fn expand(&self, ids: &[u32]) -> (Vec<u16>, usize) {
        let mut base = Vec::with_capacity(ids.len() * 3);
        let mut unknown = 0;
        for id in ids {
            let known = match &self.bpe {
                Some(bpe) => bpe.expand(*id).map(|tokens| base.extend_from_slice(tokens)),
                None => u16::try_from(*id)
                    .ok()
                    .filter(|id| self.vocabulary.token(*id).is_some())
                    .map(|id| base.push(id)),
            };
            unknown += usize::from(known.is_none());
        }
        (base, unknown)
    }

    /// Decodes ids, one sequence a track, as MidiTok's `decode`. Any ids in any
    /// order give a score.
    pub fn decode(&self, tracks: &[Vec<u32>]) -> Decoded {
        let expanded: Vec<(Vec<u16>, usize)> = tracks.iter().map(|ids| self.expand(ids)).collect();
        let unknown: usize = expanded.iter().map(|(_, unknown)| unknown).sum();
        let base: Vec<Vec<u16>> = expanded.into_iter().map(|(base, _)| base).collect();
        let mut decoded = self.decode_base(&base);
        decoded.senseless += unknown;
        decoded
    }

    /// Decodes base tokens, one sequence a track.
    pub fn decode_base(&self, tracks: &[Vec<u16>]) -> Decoded {
        decode(tracks, &self.config, &self.vocabulary, &self.tables)
    }

    /// The names of base tokens; `?` for one beyond the vocabulary.
    pub fn names(&self, base: &[u16]) -> Vec<&str> {
        base.iter()
            .map(|id| self.vocabulary.name(*id).unwrap_or("?"))
            .collect()
    }
}

impl BaseTokens {
    /// The words, in order.
    pub fn words(&self) -> impl Iterator<Item = &[u16]> {
        let ends = self
            .word_starts
            .iter()
            .skip(1)
            .copied()
            .chain([self.ids.len() as u32]);
        let bounds = self.word_starts.iter().copied().zip(ends);
        bounds.filter_map(|(start, end)| self.ids.get(start as usize..end as usize))
    }
}
