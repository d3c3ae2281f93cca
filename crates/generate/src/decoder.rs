//! What a session needs of an engine.

use kernels::Team;
use model::ModelConfig;

use crate::engine::Engine;
use crate::error::EngineError;

/// A model that gives logits after ids, and remembers the ids of several
/// sequences.
pub trait Decoder {
    /// The model's shape.
    fn config(&self) -> &ModelConfig;

    /// Positions of a sequence's cache.
    fn capacity(&self) -> usize;

    /// Sequences there are.
    fn sequences(&self) -> usize;

    /// Forgets all but the first `positions` positions of a sequence.
    ///
    /// # Errors
    /// [`EngineError::Sequence`].
    fn truncate(&mut self, sequence: usize, positions: usize) -> Result<(), EngineError>;

    /// Makes `to` a copy of `from`, as if it had been fed the same ids.
    ///
    /// # Errors
    /// [`EngineError::Sequence`], also when both are the same.
    fn copy(&mut self, from: usize, to: usize) -> Result<(), EngineError>;

    /// Feeds ids to one sequence and gives the logits after the last,
    /// f32 `[vocab_size]`.
    ///
    /// # Errors
    /// [`EngineError::NoIds`], [`EngineError::Sequence`], [`EngineError::Id`] or
    /// [`EngineError::Full`], then nothing was fed; [`EngineError::Compute`].
    fn feed(&mut self, sequence: usize, ids: &[u32]) -> Result<&[f32], EngineError>;

    /// Feeds one id to each of several sequences, given as (sequence, id), and
    /// gives their logits, f32 `[ids, vocab_size]`.
    ///
    /// # Errors
    /// As for [`Decoder::feed`]; [`EngineError::Sequence`] also when one occurs
    /// twice.
    fn step(&mut self, ids: &[(usize, u32)]) -> Result<&[f32], EngineError>;

    /// The logits that the last [`step`](Self::step) gave, and threads to draw from
    /// them. Drawing where they lie saves passing them from core to core twice.
    fn stepped(&mut self) -> (&[f32], &mut Team);
}

impl Decoder for Engine {
    fn config(&self) -> &ModelConfig {
        Engine::config(self)
    }

    fn capacity(&self) -> usize {
        Engine::capacity(self)
    }

    fn sequences(&self) -> usize {
        Engine::sequences(self)
    }

    fn truncate(&mut self, sequence: usize, positions: usize) -> Result<(), EngineError> {
        Engine::truncate(self, sequence, positions)
    }

    fn copy(&mut self, from: usize, to: usize) -> Result<(), EngineError> {
        Engine::copy(self, from, to)
    }

    fn feed(&mut self, sequence: usize, ids: &[u32]) -> Result<&[f32], EngineError> {
        Engine::feed(self, sequence, ids)
    }

    fn step(&mut self, ids: &[(usize, u32)]) -> Result<&[f32], EngineError> {
        Engine::step(self, ids)
    }

    fn stepped(&mut self) -> (&[f32], &mut Team) {
        Engine::stepped(self)
    }
}
