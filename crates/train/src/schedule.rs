//! The learning rate at each step.

use serde::{Deserialize, Serialize};

/// Where the linear warm-up starts (the JAX original's `WARMUP_START_LR`).
pub const WARMUP_START: f64 = 1e-7;

/// The learning rate as a function of the number of optimiser steps taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Schedule {
    /// The same rate at every step.
    Constant {
        /// The rate.
        rate: f64,
    },
    /// Linear warm-up from [`WARMUP_START`] to `peak`, then linear decay to
    /// `end`, which it keeps. Rounded to f32 where `optax.linear_schedule` and
    /// `optax.join_schedules` do it.
    Linear {
        /// Rate after the warm-up.
        peak: f64,
        /// Rate at step `steps` and later.
        end: f64,
        /// Length of the warm-up in steps.
        warmup_steps: u64,
        /// Length of warm-up and decay together in steps.
        steps: u64,
    },
}

impl Schedule {
    /// The rate of the step that follows `taken` steps.
    pub fn rate(&self, taken: u64) -> f32 {
        match *self {
            Self::Constant { rate } => rate as f32,
            Self::Linear {
                peak, warmup_steps, ..
            } if taken < warmup_steps => linear(WARMUP_START, peak, warmup_steps, taken),
            Self::Linear {
                peak,
                end,
                warmup_steps,
                steps,
            } => linear(
                peak,
                end,
                steps.saturating_sub(warmup_steps),
                taken - warmup_steps,
            ),
        }
    }
}

/// `optax.linear_schedule`: a transition of no steps stays at its start.
fn linear(start: f64, end: f64, steps: u64, taken: u64) -> f32 {
    if steps == 0 {
        return start as f32;
    }
    let left = 1.0 - taken.min(steps) as f32 / steps as f32;
    (start - end) as f32 * left + end as f32
}
