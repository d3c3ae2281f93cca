//! An iterator of ids: prompts in, samples out, one step for all samples.
//!
//! Each sample has its own seed, grammar and window, and gets the ids that it
//! would get alone.

use crate::decoder::Decoder;
use crate::error::EngineError;
use crate::grammar::Grammar;
use crate::sampler::{Sampler, SamplerError, SamplerOptions};
use crate::state::State;
use crate::window::Window;
use std::collections::VecDeque;
use thiserror::Error;

/// Why a session cannot start or go on.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Nothing could be sampled.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// More samples than the engine has sequences, or none.
    #[error("{samples} samples were asked for: this engine decodes 1 to {sequences} together")]
    Samples {
        /// Samples asked for.
        samples: usize,
        /// Sequences of the engine.
        sequences: usize,
    },
}

/// What to continue.
pub struct Sample {
    /// The ids so far; at least one (BOS for an unconditional piece).
    pub prompt: Vec<u32>,
    /// The seed of its draws.
    pub seed: u64,
    /// What may come next; all, where there is none.
    pub grammar: Option<Box<dyn Grammar>>,
}

/// Looks at each id as it is drawn, with the sample's number; `true` ends the
/// sample after it.
pub type Stop = Box<dyn FnMut(usize, u32) -> bool>;

/// How samples are drawn and when they end.
pub struct SessionOptions {
    /// How ids are drawn.
    pub sampler: SamplerOptions,
    /// Ids a sample, at most; `None` for no limit.
    pub max_tokens: Option<usize>,
    /// The id that starts a piece; it stays first in the window.
    pub bos: u32,
    /// The id that ends a sample; it is not given out. `None`: nothing does.
    pub end: Option<u32>,
    /// Ids that are never drawn.
    pub never: Vec<u32>,
    /// Ends samples by what was drawn.
    pub stop: Option<Stop>,
    /// Whether an id starts something that the window may begin with, such as a
    /// bar.
    pub boundary: Box<dyn Fn(u32) -> bool>,
}

impl Default for SessionOptions {
    /// No limit, no boundary, the model crate's BOS and EOS; PAD and BOS are
    /// never drawn.
    fn default() -> Self {
        Self {
            sampler: SamplerOptions::default(),
            max_tokens: None,
            bos: model::BOS,
            end: Some(model::EOS),
            never: vec![model::PAD, model::BOS],
            stop: None,
            boundary: Box::new(|_| false),
        }
    }
}

/// An id that was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// The sample's number.
    pub sample: usize,
    /// The id.
    pub id: u32,
}

/// Why a sample ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It has as many ids as were asked for.
    MaxTokens,
    /// The end id was drawn.
    End,
    /// [`SessionOptions::stop`] or [`Session::stop`] said so.
    Stopped,
}

/// Draws ids until all samples have ended. After an error the iterator ends.
pub struct Session<'a> {
    engine: &'a mut dyn Decoder,
    options: SessionOptions,
    states: Vec<State>,
    /// Ids drawn in the last step and not yet given out.
    ready: VecDeque<Token>,
    /// Logits of samples that were fed and not stepped, `[samples, vocab_size]`.
    fed: Vec<f32>,
    batch: Vec<(usize, u32)>,
    /// Whether all logits are those after the last ids.
    current: bool,
    failed: bool,
}

impl<'a> Session<'a> {
    /// Prepares the samples; the prompts are fed with the first call of `next` or
    /// by [`Session::prefill`]. What the engine's sequences held is forgotten.
    ///
    /// # Errors
    /// [`SessionError::Samples`], [`SessionError::Sampler`] for options that make
    /// no sense, [`SessionError::Engine`] for an empty prompt.
    pub fn new(
        engine: &'a mut dyn Decoder,
        samples: Vec<Sample>,
        options: SessionOptions,
    ) -> Result<Self, SessionError> {
        let (count, sequences) = (samples.len(), engine.sequences());
        if count == 0 || count > sequences {
            return Err(SessionError::Samples {
                samples: count,
                sequences,
            });
        }
        for sequence in 0..sequences {
            engine.truncate(sequence, 0)?;
        }
        let (capacity, vocabulary) = (engine.capacity(), engine.config().vocab_size);
        let state = |sample: Sample| -> Result<State, SessionError> {
            if sample.prompt.is_empty() {
                return Err(EngineError::NoIds.into());
            }
            let window = Window::new(&sample.prompt, capacity, options.bos, &options.boundary);
            let sampler = Sampler::new(options.sampler.clone(), sample.seed)?;
            let mut state = State::new(sample, sampler, window, vocabulary);
            state.finish = (options.max_tokens == Some(0)).then_some(Finish::MaxTokens);
            Ok(state)
        };
        Ok(Self {
            states: samples.into_iter().map(state).collect::<Result<_, _>>()?,
            ready: VecDeque::with_capacity(count),
            fed: vec![0.0; count * vocabulary],
            batch: Vec::with_capacity(count),
            current: false,
            failed: false,
            engine,
            options,
        })
    }

    /// Why a sample ended; `None` while it goes on.
    pub fn finish(&self, sample: usize) -> Option<Finish> {
        self.states.get(sample)?.finish
    }

    /// Ends a sample after what was given out of it. Nothing where it has ended
    /// or is not there.
    pub fn stop(&mut self, sample: usize) {
        if let Some(state) = self.states.get_mut(sample) {
            state.finish.get_or_insert(Finish::Stopped);
        }
    }

    /// How many of a sample's ids, prompt included, have dropped out of view.
    pub fn dropped(&self, sample: usize) -> usize {
        self.states
            .get(sample)
            .map_or(0, |state| state.window.dropped())
    }

    /// Does what the next id needs: at first, feeds the prompts.
    ///
    /// # Errors
    /// [`SessionError::Engine`], for ids that the model does not have.
    pub fn prefill(&mut self) -> Result<(), SessionError> {
        if !self.current {
            self.feed()?;
        }
        Ok(())
    }

    /// Brings the logits of all samples that go on up to date.
    fn feed(&mut self) -> Result<(), SessionError> {
        let vocabulary = self.engine.config().vocab_size;
        self.batch.clear();
        for index in 0..self.states.len() {
            let (before, state) = self.states.split_at_mut(index);
            let state = &mut state[0];
            if state.finish.is_some() {
                continue;
            }
            let ids = state.window.ids();
            if !state.stale {
                state.row = Some(self.batch.len());
                self.batch.extend(ids.last().map(|id| (index, *id)));
                continue;
            }
            (state.stale, state.row) = (false, None);
            let row = index * vocabulary;
            // Equal prompts are fed once.
            let equal = |other: &State| state.drawn + other.drawn == 0 && other.window.ids() == ids;
            let same = before.iter().position(equal);
            if let Some(other) = same {
                self.engine.copy(other, index)?;
                self.fed
                    .copy_within(other * vocabulary..(other + 1) * vocabulary, row);
            } else {
                self.engine.truncate(index, 0)?;
                let logits = self.engine.feed(index, ids)?;
                self.fed[row..row + vocabulary].copy_from_slice(logits);
            }
        }
        if !self.batch.is_empty() {
            self.engine.step(&self.batch)?;
        }
        self.current = true;
        Ok(())
    }

    /// Draws one id for each sample that goes on.
    fn draw(&mut self) -> Result<(), SessionError> {
        self.current = false;
        let vocabulary = self.engine.config().vocab_size;
        let (options, fed) = (&mut self.options, &self.fed);
        let never = &options.never;
        let (stepped, team) = self.engine.stepped();
        let choose = |index: usize, state: &mut State| {
            if state.finish.is_some() {
                return;
            }
            let (logits, row) = match state.row {
                Some(row) => (stepped, row),
                None => (&fed[..], index),
            };
            state.choose(never, &logits[row * vocabulary..][..vocabulary]);
        };
        team.for_each(&mut self.states, choose);
        for (index, state) in self.states.iter_mut().enumerate() {
            if state.finish.is_some() {
                continue;
            }
            let id = state.choice.clone()?;
            if options.end == Some(id) {
                state.finish = Some(Finish::End);
                continue;
            }
            state.take(id, &options.boundary);
            if options.stop.as_mut().is_some_and(|stop| stop(index, id)) {
                state.finish = Some(Finish::Stopped);
            } else if options.max_tokens == Some(state.drawn) {
                state.finish = Some(Finish::MaxTokens);
            }
            self.ready.push_back(Token { sample: index, id });
        }
        Ok(())
    }
}

impl Iterator for Session<'_> {
    type Item = Result<Token, SessionError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() {
            if self.failed || self.states.iter().all(|state| state.finish.is_some()) {
                return None;
            }
            let fed = self.prefill();
            if let Err(error) = fed.and_then(|()| self.draw()) {
                self.failed = true;
                self.ready.clear();
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}
