//! How much memory a training step takes, and the micro batch that fits.

use model::ModelConfig;

/// Memory assumed to be free where the system does not say.
const UNKNOWN: u64 = 4 << 30;

/// Bytes that the run holds whatever the batch: weights, gradients, their mean,
/// two moments, and a copy of the weights while a checkpoint is written, f32.
pub fn fixed_bytes(config: &ModelConfig) -> u64 {
    6 * 4 * config.parameter_count() as u64
}

/// Bytes that one more sequence of full length takes in a training step, f32.
/// A model of what the composite operations hold at their peak, fitted to
/// measured runs: 22 values a position and unit of width a layer (norms,
/// projections and their layouts, the MLP), 4 a pair of positions a head a layer
/// (scores, softmax, dropout and their gradients), 4 a position and token id
/// (logits, their log-softmax, gradients).
pub fn bytes_per_sequence(config: &ModelConfig) -> u64 {
    let length = config.max_sequence_length as u64;
    let layer = 22 * length * config.dim as u64 + 4 * config.heads as u64 * length * length;
    4 * (config.num_layers as u64 * layer + 4 * length * config.vocab_size as u64)
}

/// The largest divisor of `batch_size` whose step takes at most `available`
/// bytes, at least 1 and at most 4 (more gain nothing on a CPU).
pub fn micro_batch_size(config: &ModelConfig, batch_size: usize, available: u64) -> usize {
    let room = available.saturating_sub(fixed_bytes(config));
    let fits = |rows: &usize| {
        batch_size.is_multiple_of(*rows) && *rows as u64 * bytes_per_sequence(config) <= room
    };
    (1..=batch_size.min(4)).rev().find(fits).unwrap_or(1)
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
        let room = |rows: u64| fixed_bytes(&config) + rows * bytes_per_sequence(&config);
        assert_eq!(micro_batch_size(&config, 64, room(64)), 4);
        assert_eq!(micro_batch_size(&config, 64, room(4) - 1), 2);
        assert_eq!(micro_batch_size(&config, 6, room(5)), 3);
        let per_sequence = bytes_per_sequence(&config) as f64 / 1e9;
        assert!(
            (1.5..1.7).contains(&per_sequence),
            "{per_sequence} GB, measured 1.57"
        );
        assert_eq!(micro_batch_size(&config, 7, room(5)), 1);
        assert_eq!(micro_batch_size(&config, 64, 0), 1);
    }
}
