//! What a session needs of an engine, so that others than the one for the CPU can
//! take its place.

use crate::engine::Engine;
use crate::error::EngineError;
use kernels::Team;

/// A model with a cache of keys and values for several sequences. Each method
/// means what it means for [`Engine`].
pub trait Decoder {
    /// Sequences there are.
    fn sequences(&self) -> usize;

    /// Positions of a sequence's cache.
    fn capacity(&self) -> usize;

    /// Ids of the model, logits of a row.
    fn vocabulary(&self) -> usize;

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
    /// f32 `[vocabulary]`.
    ///
    /// # Errors
    /// [`EngineError`], for ids that do not fit; then nothing was fed.
    fn feed(&mut self, sequence: usize, ids: &[u32]) -> Result<&[f32], EngineError>;

    /// Feeds one id to each of several sequences, given as (sequence, id), and
    /// gives their logits, f32 `[ids, vocabulary]`.
    ///
    /// # Errors
    /// As for [`Decoder::feed`].
    fn step(&mut self, ids: &[(usize, u32)]) -> Result<&[f32], EngineError>;

    /// Threads that wait between steps and can draw from the logits, if there
    /// are any.
    fn team(&mut self) -> Option<&mut Team> {
        None
    }
}

impl Decoder for Engine {
    fn sequences(&self) -> usize {
        Self::sequences(self)
    }

    fn capacity(&self) -> usize {
        Self::capacity(self)
    }

    fn vocabulary(&self) -> usize {
        self.config().vocab_size
    }

    fn truncate(&mut self, sequence: usize, positions: usize) -> Result<(), EngineError> {
        Self::truncate(self, sequence, positions)
    }

    fn copy(&mut self, from: usize, to: usize) -> Result<(), EngineError> {
        Self::copy(self, from, to)
    }

    fn feed(&mut self, sequence: usize, ids: &[u32]) -> Result<&[f32], EngineError> {
        Self::feed(self, sequence, ids)
    }

    fn step(&mut self, ids: &[(usize, u32)]) -> Result<&[f32], EngineError> {
        Self::step(self, ids)
    }

    fn team(&mut self) -> Option<&mut Team> {
        Some(Self::team(self))
    }
}
