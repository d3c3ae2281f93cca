//! How much memory a training step takes, and the micro batch that fits.

use burn::tensor::Device;
use kernels::Isa;
use kernels::training::cells::Layout;
use model::{ModelConfig, Network};

use crate::options::{Kernels, TrainOptions};

/// Memory assumed to be free where the system does not say.
const UNKNOWN: u64 = 4 << 30;

/// Tokens at a time that keep the fused kernels busy.
const TOKENS: usize = 4096;

/// What a training step is computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Tensor operations, f32.
    Composite,
    /// The fused kernels, with so many bytes a value of an operand.
    Fused(u64),
}

impl Memory {
    /// What `options` ask for on `device`.
    pub fn of(options: &TrainOptions, device: &Device) -> Self {
        let fused = options.kernels == Kernels::Fused;
        if !(fused && Network::fused(device)) {
            return Self::Composite;
        }
        // Without instructions for bf16, rounded values are kept as f32.
        let layout = Layout::of(options.precision.of_products(), Isa::detect());
        Self::Fused(4 / layout.group() as u64)
    }

    /// Bytes that the run holds whatever the batch. Weights, gradients, two
    /// moments, and a copy of the weights while a checkpoint is written, f32;
    /// tensor operations hold the gradients twice, the fused kernels the weights
    /// packed for both passes and the head's work on a thousand tokens.
    pub fn fixed_bytes(self, config: &ModelConfig) -> u64 {
        let parameters = config.parameter_count() as u64;
        match self {
            Self::Composite => 6 * 4 * parameters,
            Self::Fused(bytes) => {
                let head = 1024 * (config.vocab_size + 2 * config.dim) as u64;
                (5 * 4 + 2 * bytes) * parameters + bytes * head
            }
        }
    }

    /// Bytes that one more sequence of full length takes in a training step.
    ///
    /// For tensor operations it is a model of what they hold at their peak,
    /// fitted to measured runs: 22 values a position and unit of width a layer
    /// (norms, projections and their layouts, the MLP), 4 a pair of positions a
    /// head a layer (scores, softmax, dropout and their gradients), 4 a position
    /// and token id (logits, their log-softmax, gradients). For the fused
    /// kernels it is a count: 8 operand values and one f32 kept a layer, 19
    /// operand values and two f32 that all layers share.
    pub fn bytes_per_sequence(self, config: &ModelConfig) -> u64 {
        let length = config.max_sequence_length as u64;
        let (dim, layers) = (config.dim as u64, config.num_layers as u64);
        match self {
            Self::Composite => {
                let layer = 22 * length * dim + 4 * config.heads as u64 * length * length;
                4 * (layers * layer + 4 * length * config.vocab_size as u64)
            }
            Self::Fused(bytes) => length * dim * (layers * (8 * bytes + 4) + 19 * bytes + 2 * 4),
        }
    }

    /// Bytes of a run with micro batches of `rows` sequences.
    pub fn bytes(self, config: &ModelConfig, rows: usize) -> u64 {
        self.fixed_bytes(config) + rows as u64 * self.bytes_per_sequence(config)
    }

    /// The largest divisor of `batch_size` whose step takes at most `available`
    /// bytes, at least 1. More sequences than make 4,096 tokens gain nothing and only
    /// take memory; tensor operations get at most 4.
    pub fn micro_batch_size(
        self,
        config: &ModelConfig,
        batch_size: usize,
        available: u64,
    ) -> usize {
        let most = match self {
            Self::Composite => 4,
            Self::Fused(_) => TOKENS.div_ceil(config.max_sequence_length),
        };
        let fits = |rows: &usize| {
            batch_size.is_multiple_of(*rows) && self.bytes(config, *rows) <= available
        };
        (1..=batch_size.min(most)).rev().find(fits).unwrap_or(1)
    }

    /// The micro batch that `options` ask for, or one that fits half of the memory that
    /// is free: the rest is left to others.
    pub fn chosen(self, options: &TrainOptions, config: &ModelConfig) -> usize {
        let fitting = || self.micro_batch_size(config, options.batch_size, available_bytes() / 2);
        options.micro_batch_size.unwrap_or_else(fitting)
    }
}

/// The memory that the system says is available, in bytes.
pub fn available_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.map_or(UNKNOWN, |kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_micro_batch_divides_the_batch_and_fits() {
        let config = ModelConfig::default();
        for memory in [Memory::Composite, Memory::Fused(2)] {
            let room = |rows| memory.bytes(&config, rows);
            let chosen = |batch, room| memory.micro_batch_size(&config, batch, room);
            assert_eq!(chosen(64, room(64)), 4);
            assert_eq!(chosen(64, room(4) - 1), 2);
            assert_eq!(chosen(6, room(5)), 3);
            assert_eq!(chosen(7, room(5)), 1);
            assert_eq!(chosen(64, 0), 1);
        }
        let per_sequence = Memory::Composite.bytes_per_sequence(&config) as f64 / 1e9;
        assert!(
            (1.5..1.7).contains(&per_sequence),
            "{per_sequence} GB, measured 1.57"
        );
    }
}
