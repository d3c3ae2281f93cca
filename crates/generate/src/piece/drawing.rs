//! Draws pieces, follows their notes and ends them.

use remi::{Token, Tokenizer};

use super::length::{Ended, Length, Limits};
use super::prompt::{Prompt, bos};
use crate::decoder::Decoder;
use crate::follower::{Event, Follower};
use crate::grammar::Grammar;
use crate::sampler::SamplerOptions;
use crate::session::{Finish, Sample, Session, SessionError, SessionOptions};

/// Without any other limit a piece still ends somewhere.
const MOST_TOKENS: usize = 1_000_000;

/// What follows from a tokenizer for every piece, worked out once.
#[derive(Clone)]
pub struct Rules {
    grammar: remi::Grammar,
    begins_bar: Vec<bool>,
}

impl Rules {
    /// The grammar of a piano, and where bars begin.
    pub fn new(tokenizer: &Tokenizer) -> Self {
        Self {
            grammar: remi::Grammar::new(tokenizer).for_piano(),
            begins_bar: begins_bar(tokenizer),
        }
    }
}

/// For each id, whether it begins a bar.
fn begins_bar(tokenizer: &Tokenizer) -> Vec<bool> {
    let first = |id: usize| tokenizer.expand(&[id as u32]).0.first().copied();
    let is_bar = |base: u16| matches!(tokenizer.vocabulary().token(base), Some(Token::Bar(_)));
    (0..tokenizer.len())
        .map(|id| first(id).is_some_and(is_bar))
        .collect()
}

/// How pieces are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct PieceOptions {
    /// How tokens are drawn.
    pub sampler: SamplerOptions,
    /// Seed of the first piece; each further one has the next.
    pub seed: u64,
    /// Pieces that are drawn together.
    pub pieces: usize,
    /// When they end.
    pub length: Length,
    /// Whether they go on where the model would end them.
    pub no_end: bool,
    /// Whether tokens may come in any order, also senseless ones.
    pub free: bool,
}

impl Default for PieceOptions {
    /// One piece from the model's own distribution until the model ends it.
    fn default() -> Self {
        Self {
            sampler: SamplerOptions::default(),
            seed: 0,
            pieces: 1,
            length: Length::default(),
            no_end: false,
            free: false,
        }
    }
}

/// One piece that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Base tokens of prompt and continuation, none begun and not completed.
    pub base: Vec<u16>,
    /// How many of them are the prompt's.
    pub prompt_base: usize,
    /// How many notes are the prompt's.
    pub prompt_notes: usize,
    /// Ids drawn.
    pub tokens: usize,
    /// Why it ended.
    pub ended: Ended,
}

/// A piece as it grows.
struct Growing<'a> {
    follower: Follower<'a>,
    limits: Limits,
    tokens: usize,
    /// The limit reached, and the base tokens within it.
    reached: Option<(Ended, usize)>,
}

/// Pieces that grow together after one prompt.
pub struct Pieces<'a> {
    session: Session<'a>,
    start: Follower<'a>,
    growing: Vec<Growing<'a>>,
}

impl<'a> Pieces<'a> {
    /// Prepares the pieces; nothing is computed yet.
    ///
    /// # Errors
    /// Those of [`Session::new`].
    pub fn new(
        engine: &'a mut dyn Decoder,
        tokenizer: &'a Tokenizer,
        rules: &Rules,
        prompt: &Prompt,
        options: &PieceOptions,
    ) -> Result<Self, SessionError> {
        let start = prompt.followed(tokenizer);
        let growing = || Growing {
            follower: start.clone(),
            limits: Limits::new(&options.length, &start),
            tokens: 0,
            reached: None,
        };
        let grammar = || {
            let state = (!options.free).then(|| rules.grammar.start());
            state.map(|state| Box::new(state) as Box<dyn Grammar>)
        };
        let sample = |index: usize| Sample {
            prompt: prompt.ids.clone(),
            seed: options.seed.wrapping_add(index as u64),
            grammar: grammar(),
        };
        let samples = (0..options.pieces).map(sample).collect();
        let vocabulary = engine.config().vocab_size;
        let session_options = session_options(tokenizer, rules, options, vocabulary);
        Ok(Self {
            growing: (0..options.pieces).map(|_| growing()).collect(),
            session: Session::new(engine, samples, session_options)?,
            start,
        })
    }

    /// How many ids of the prompt do not fit the model's window and are unseen.
    pub fn unseen(&self) -> usize {
        self.session.dropped(0)
    }

    /// The prompt's end.
    pub fn start(&self) -> &Follower<'a> {
        &self.start
    }

    /// A piece so far; `None` for one that is not there.
    pub fn follower(&self, piece: usize) -> Option<&Follower<'a>> {
        self.growing.get(piece).map(|growing| &growing.follower)
    }

    /// Feeds the prompt.
    ///
    /// # Errors
    /// [`SessionError::Engine`].
    pub fn prefill(&mut self) -> Result<(), SessionError> {
        self.session.prefill()
    }

    /// Draws an id for one of the pieces and gives its number; `each` is told
    /// what it completes, with the piece's number and follower. `None` when all
    /// have ended.
    pub fn draw(
        &mut self,
        mut each: impl FnMut(usize, &Follower, Event),
    ) -> Option<Result<usize, SessionError>> {
        let token = match self.session.next()? {
            Ok(token) => token,
            Err(error) => return Some(Err(error)),
        };
        let growing = self.growing.get_mut(token.sample)?;
        growing.tokens += 1;
        let Growing {
            follower,
            limits,
            reached,
            ..
        } = growing;
        follower.push(token.id, |follower, event| {
            *reached = limits.reached(follower, event);
            let within = reached.is_none_or(|(ended, _)| ended == Ended::Notes);
            if let Some(event) = event.filter(|_| within) {
                each(token.sample, follower, event);
            }
            reached.is_none()
        });
        if reached.is_some() {
            self.session.stop(token.sample);
        }
        Some(Ok(token.sample))
    }

    /// Why a piece has ended; `None` while it grows, or where it is not there.
    pub fn ended(&self, piece: usize) -> Option<Ended> {
        let growing = self.growing.get(piece)?;
        let reached = growing.reached.map(|(ended, _)| ended);
        reached.or_else(|| self.session.finish(piece).map(natural))
    }

    /// What was drawn so far; pieces that have not ended are stopped.
    pub fn finish(self) -> Vec<Drawn> {
        let Self {
            session,
            start,
            growing,
        } = self;
        let drawn = |(index, growing): (usize, Growing)| {
            let natural = session.finish(index).map_or(Ended::Stopped, natural);
            let whole = growing.follower.whole();
            let (ended, length) = growing.reached.unwrap_or((natural, whole));
            let mut base = growing.follower.base().to_vec();
            base.truncate(length.min(whole));
            Drawn {
                base,
                prompt_base: start.base().len(),
                prompt_notes: start.notes(),
                tokens: growing.tokens,
                ended,
            }
        };
        growing.into_iter().enumerate().map(drawn).collect()
    }
}

fn natural(finish: Finish) -> Ended {
    match finish {
        Finish::End => Ended::End,
        Finish::MaxTokens => Ended::Tokens,
        Finish::Stopped => Ended::Stopped,
    }
}

fn session_options(
    tokenizer: &Tokenizer,
    rules: &Rules,
    options: &PieceOptions,
    vocabulary: usize,
) -> SessionOptions {
    let specials = 0..tokenizer.config().special_tokens.len() as u32;
    // Ids of the model that the tokenizer does not have.
    let beyond = tokenizer.len() as u32..vocabulary as u32;
    let end = tokenizer.special("EOS_None").unwrap_or(model::EOS);
    let never = specials.filter(|id| options.no_end || *id != end);
    let begins_bar = rules.begins_bar.clone();
    SessionOptions {
        sampler: options.sampler.clone(),
        max_tokens: Some(options.length.tokens.unwrap_or(MOST_TOKENS)),
        bos: bos(tokenizer),
        end: (!options.no_end).then_some(end),
        never: never.chain(beyond).collect(),
        stop: None,
        boundary: Box::new(move |id| begins_bar.get(id as usize) == Some(&true)),
    }
}
