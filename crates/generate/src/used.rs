//! Which positions of the caches are used, and what still fits.

use model::ModelConfig;

use crate::error::EngineError;

/// The positions that each sequence has used.
pub(crate) struct Used {
    lengths: Vec<usize>,
    capacity: usize,
    vocabulary: usize,
}

impl Used {
    /// `sequences` empty sequences of `capacity` positions; 0 means as many as
    /// the model has.
    ///
    /// # Errors
    /// [`EngineError::Capacity`].
    pub(crate) fn new(
        config: &ModelConfig,
        sequences: usize,
        capacity: usize,
    ) -> Result<Self, EngineError> {
        let positions = config.max_sequence_length;
        let capacity = if capacity == 0 { positions } else { capacity };
        if capacity > positions {
            return Err(EngineError::Capacity {
                capacity,
                positions,
            });
        }
        Ok(Self {
            lengths: vec![0; sequences],
            capacity,
            vocabulary: config.vocab_size,
        })
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn sequences(&self) -> usize {
        self.lengths.len()
    }

    /// Positions of `sequence`; 0 where it is not there.
    pub(crate) fn of(&self, sequence: usize) -> usize {
        self.lengths.get(sequence).copied().unwrap_or(0)
    }

    /// Adds `rows` positions to a sequence.
    pub(crate) fn grow(&mut self, sequence: usize, rows: usize) {
        self.lengths[sequence] += rows;
    }

    /// Forgets all but the first `positions` of a sequence.
    ///
    /// # Errors
    /// [`EngineError::Sequence`].
    pub(crate) fn truncate(
        &mut self,
        sequence: usize,
        positions: usize,
    ) -> Result<(), EngineError> {
        self.check_sequence(sequence)?;
        let length = &mut self.lengths[sequence];
        *length = positions.min(*length);
        Ok(())
    }

    /// Gives `to` as many positions as `from` has, and tells how many.
    ///
    /// # Errors
    /// [`EngineError::Sequence`], also when both are the same.
    pub(crate) fn copy(&mut self, from: usize, to: usize) -> Result<usize, EngineError> {
        self.check_sequence(from)?;
        self.check_sequence(to)?;
        if from == to {
            return Err(self.no_sequence(to));
        }
        self.lengths[to] = self.lengths[from];
        Ok(self.lengths[to])
    }

    /// Whether `ids` can be fed to a sequence.
    ///
    /// # Errors
    /// [`EngineError::NoIds`], [`EngineError::Sequence`], [`EngineError::Id`] or
    /// [`EngineError::Full`].
    pub(crate) fn check(&self, sequence: usize, ids: &[u32]) -> Result<(), EngineError> {
        self.check_sequence(sequence)?;
        let (used, capacity) = (self.lengths[sequence], self.capacity);
        let vocabulary = self.vocabulary;
        if ids.is_empty() {
            return Err(EngineError::NoIds);
        }
        if let Some(&id) = ids.iter().find(|id| **id as usize >= vocabulary) {
            return Err(EngineError::Id { id, vocabulary });
        }
        if ids.len() > capacity - used {
            return Err(EngineError::Full {
                ids: ids.len(),
                used,
                capacity,
            });
        }
        Ok(())
    }

    /// Whether one id each can be fed to several sequences.
    ///
    /// # Errors
    /// As for [`Used::check`]; [`EngineError::Sequence`] also when one occurs
    /// twice.
    pub(crate) fn check_step(&self, ids: &[(usize, u32)]) -> Result<(), EngineError> {
        if ids.is_empty() {
            return Err(EngineError::NoIds);
        }
        for (row, (sequence, id)) in ids.iter().enumerate() {
            self.check(*sequence, std::slice::from_ref(id))?;
            if ids[..row].iter().any(|(other, _)| other == sequence) {
                return Err(self.no_sequence(*sequence));
            }
        }
        Ok(())
    }

    fn no_sequence(&self, sequence: usize) -> EngineError {
        EngineError::Sequence {
            sequence,
            sequences: self.sequences(),
        }
    }

    fn check_sequence(&self, sequence: usize) -> Result<(), EngineError> {
        let known = sequence < self.sequences();
        known
            .then_some(())
            .ok_or_else(|| self.no_sequence(sequence))
    }
}
