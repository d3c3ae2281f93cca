//! The transformer for decoding on the CPU.
//!
//! Weights are packed once. Keys and values of the positions that a sequence has
//! seen stay in a cache, so a further id costs one pass of one row. A pass takes
//! any rows, the next id of several sequences or many ids of one; a sequence gets
//! the same bits in either company and with any number of threads.
//!
//! Nothing is allocated after [`Engine::new`].

use crate::error::EngineError;
use crate::pass::Pass;
use crate::prefixes::{Prefixes, whole};
use crate::used::Used;
use crate::weight_file::Tensors;
use kernels::{Prefix, Span, Team, WeightFormat};
use model::ModelConfig;

/// How the engine works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// How weights are kept and multiplied.
    pub format: WeightFormat,
    /// Threads, the caller counted; 0 means one a core.
    pub threads: usize,
    /// Sequences that are decoded together; at least 1.
    pub sequences: usize,
    /// Positions of the cache; 0 means as many as the model has.
    pub capacity: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            format: WeightFormat::F32,
            threads: 0,
            sequences: 1,
            capacity: 0,
        }
    }
}

/// A model ready to decode, with the caches of its sequences.
pub struct Engine {
    config: ModelConfig,
    pass: Pass,
    used: Used,
    prefixes: Prefixes,
    spans: Vec<Span>,
}

impl Engine {
    /// Packs `weights` and takes all memory.
    ///
    /// # Errors
    /// [`EngineError::Config`], [`EngineError::Weights`] or
    /// [`EngineError::Capacity`].
    pub fn new(
        config: &ModelConfig,
        weights: impl Tensors,
        options: EngineOptions,
    ) -> Result<Self, EngineError> {
        config.validate()?;
        weights.check(config)?;
        let sequences = options.sequences.max(1);
        let used = Used::new(config, sequences, options.capacity)?;
        let options = EngineOptions {
            sequences,
            ..options
        };
        Ok(Self {
            pass: Pass::new(config, &weights, used.capacity(), options)?,
            used,
            prefixes: Prefixes::new(sequences),
            spans: Vec::with_capacity(sequences),
            config: config.clone(),
        })
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Positions of a sequence's cache.
    pub fn capacity(&self) -> usize {
        self.used.capacity()
    }

    /// Sequences there are.
    pub fn sequences(&self) -> usize {
        self.used.sequences()
    }

    /// Threads that work, the caller counted.
    pub fn threads(&self) -> usize {
        self.pass.threads()
    }

    /// The logits of the last step, and the engine's threads.
    pub(crate) fn stepped(&mut self) -> (&[f32], &mut Team) {
        self.pass.last_head()
    }

    /// Bytes of weights that one step reads.
    pub fn weight_bytes(&self) -> usize {
        self.pass.packed().bytes()
    }

    /// Positions that `sequence` has used; 0 for a sequence that is not there.
    pub fn used(&self, sequence: usize) -> usize {
        self.used.of(sequence)
    }

    /// Forgets all but the first `positions` positions of a sequence.
    ///
    /// # Errors
    /// [`EngineError::Sequence`].
    pub fn truncate(&mut self, sequence: usize, positions: usize) -> Result<(), EngineError> {
        self.used.truncate(sequence, positions)?;
        let prefix = self.prefixes.of(sequence);
        if positions < prefix.positions {
            let whole = whole(positions);
            self.pass.keep(sequence, prefix, whole..positions);
            let shorter = Prefix {
                positions: whole,
                ..prefix
            };
            self.prefixes.set(sequence, shorter);
        }
        Ok(())
    }

    /// Makes `to` a copy of `from`, as if it had been fed the same ids. What they
    /// have in common is kept once, and read once in steps of both.
    ///
    /// # Errors
    /// [`EngineError::Sequence`], also when both are the same.
    pub fn copy(&mut self, from: usize, to: usize) -> Result<(), EngineError> {
        let length = self.used.copy(from, to)?;
        self.prefixes.set(to, Prefix::default());
        if self.prefixes.of(from).positions == 0
            && let Some(prefix) = self.prefixes.free(length)
        {
            self.pass.share(from, prefix);
            self.prefixes.set(from, prefix);
        }
        let prefix = self.prefixes.of(from);
        self.prefixes.set(to, prefix);
        self.pass.copy(from, to, prefix.positions..length);
        Ok(())
    }

    /// Feeds ids to one sequence and gives the logits after the last,
    /// f32 `[vocab_size]`.
    ///
    /// # Errors
    /// [`EngineError::NoIds`], [`EngineError::Sequence`], [`EngineError::Id`] or
    /// [`EngineError::Full`]; then nothing was fed.
    pub fn feed(&mut self, sequence: usize, ids: &[u32]) -> Result<&[f32], EngineError> {
        self.used.check(sequence, ids)?;
        let mut rows = 0;
        for ids in ids.chunks(self.pass.capacity()) {
            rows = self.chunk(sequence, ids);
        }
        Ok(self.pass.head(rows - 1, 1))
    }

    /// Feeds ids to one sequence and hands the logits after each,
    /// f32 `[vocab_size]`, to `each` in order.
    ///
    /// # Errors
    /// As for [`Engine::feed`].
    pub fn feed_each(
        &mut self,
        sequence: usize,
        ids: &[u32],
        mut each: impl FnMut(&[f32]),
    ) -> Result<(), EngineError> {
        self.used.check(sequence, ids)?;
        for ids in ids.chunks(self.pass.capacity()) {
            let rows = self.chunk(sequence, ids);
            for first in (0..rows).step_by(self.sequences()) {
                let count = self.sequences().min(rows - first);
                let logits = self.pass.head(first, count);
                logits.chunks(self.config.vocab_size).for_each(&mut each);
            }
        }
        Ok(())
    }

    /// Feeds one id to each of several sequences, given as (sequence, id), and
    /// gives their logits, f32 `[ids, vocab_size]`.
    ///
    /// # Errors
    /// As for [`Engine::feed`]; [`EngineError::Sequence`] also when one occurs
    /// twice.
    pub fn step(&mut self, ids: &[(usize, u32)]) -> Result<&[f32], EngineError> {
        self.used.check_step(ids)?;
        self.spans.clear();
        for (row, (sequence, id)) in ids.iter().enumerate() {
            let position = self.used.of(*sequence);
            self.spans.push(Span {
                sequence: *sequence,
                row,
                rows: 1,
                position,
                prefix: self.prefixes.of(*sequence),
            });
            self.pass.embed(row, *id, position);
        }
        self.run();
        Ok(self.pass.head(0, ids.len()))
    }

    /// Feeds at most one pass of ids and gives their number.
    fn chunk(&mut self, sequence: usize, ids: &[u32]) -> usize {
        let (position, rows) = (self.used.of(sequence), ids.len());
        for (row, id) in ids.iter().enumerate() {
            self.pass.embed(row, *id, position + row);
        }
        self.spans.clear();
        self.spans.push(Span {
            sequence,
            row: 0,
            rows,
            position,
            prefix: self.prefixes.of(sequence),
        });
        self.run();
        rows
    }

    fn run(&mut self) {
        self.pass.layers(&self.spans);
        for span in &self.spans {
            self.used.grow(span.sequence, span.rows);
        }
    }
}
