//! One sample of a session.

use crate::grammar::Grammar;
use crate::sampler::{Sampler, SamplerError};
use crate::session::{Finish, Sample};
use crate::window::{Boundary, Window};

/// What belongs to one sample alone.
pub(crate) struct State {
    sampler: Sampler,
    grammar: Option<Box<dyn Grammar>>,
    /// Which ids may come, one entry an id of the vocabulary.
    mask: Vec<bool>,
    pub(crate) window: Window,
    /// What [`State::choose`] drew.
    pub(crate) choice: Result<u32, SamplerError>,
    pub(crate) drawn: usize,
    pub(crate) finish: Option<Finish>,
    /// Its row among the logits of the engine's last step; `None`: it was fed, and
    /// its logits were kept.
    pub(crate) row: Option<usize>,
    /// The engine's cache lacks more than the last id of the window.
    pub(crate) stale: bool,
}

impl State {
    /// The start of a sample: the grammar has seen the prompt.
    pub(crate) fn new(sample: Sample, sampler: Sampler, window: Window, vocabulary: usize) -> Self {
        let mut grammar = sample.grammar;
        if let Some(grammar) = &mut grammar {
            sample.prompt.iter().for_each(|id| grammar.accept(*id));
        }
        Self {
            sampler,
            grammar,
            mask: vec![true; vocabulary],
            window,
            choice: Err(SamplerError::NothingAllowed),
            drawn: 0,
            finish: None,
            row: None,
            stale: true,
        }
    }

    /// Draws from `logits`, f32 `[vocab_size]`, but none of the ids in `never`.
    pub(crate) fn choose(&mut self, never: &[u32], logits: &[f32]) {
        self.mask.fill(true);
        for id in never {
            if let Some(allowed) = self.mask.get_mut(*id as usize) {
                *allowed = false;
            }
        }
        if let Some(grammar) = &mut self.grammar {
            grammar.allowed(&mut self.mask);
        }
        self.choice = self
            .sampler
            .sample(logits, Some(&self.mask), self.window.ids());
    }

    /// Makes `id` the next of the sample.
    pub(crate) fn take(&mut self, id: u32, boundary: Boundary) {
        if let Some(grammar) = &mut self.grammar {
            grammar.accept(id);
        }
        self.stale = self.window.push(id, boundary);
        self.drawn += 1;
    }
}
