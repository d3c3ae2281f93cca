//! Where token ids come from, and how a piece is cut into examples.

use std::fmt;

use model::{BOS, EOS};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// A collection of pieces as token ids, without BOS and EOS.
pub trait Pieces: Send + Sync {
    /// Number of pieces.
    fn len(&self) -> usize;

    /// The ids of piece `index`. `epoch` lets augmentation differ from epoch to
    /// epoch; the same (index, epoch) always gives the same ids.
    fn ids(&self, index: usize, epoch: u64) -> Vec<u32>;

    /// Whether there is no piece.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Pieces for Vec<Vec<u32>> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn ids(&self, index: usize, _epoch: u64) -> Vec<u32> {
        self.get(index).cloned().unwrap_or_default()
    }
}

/// How pieces become training examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Chunks {
    /// Pieces framed by BOS and EOS, in windows of `max_sequence_length + 1`
    /// ids whose boundaries are new every epoch.
    #[default]
    Windows,
    /// As MidiTok's `DatasetTok` cuts for the JAX original: no frame,
    /// consecutive chunks of `max_sequence_length` ids.
    Seed,
}

/// A stretch of ids of one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Index of the piece.
    pub piece: usize,
    /// First id.
    pub start: usize,
    /// One past the last id.
    pub end: usize,
}

/// The limits of an example, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pieces shorter than this are dropped.
    pub min: usize,
    /// The model's positions: the longest input.
    pub max: usize,
}

impl fmt::Display for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Windows => "windows",
            Self::Seed => "seed",
        })
    }
}

impl Chunks {
    /// The ids that windows are cut from.
    pub fn frame(self, ids: Vec<u32>) -> Vec<u32> {
        match self {
            Self::Seed => ids,
            Self::Windows => {
                let mut framed = Vec::with_capacity(ids.len() + 2);
                framed.push(BOS);
                framed.extend(ids);
                framed.push(EOS);
                framed
            }
        }
    }

    /// Cuts a piece of `length` ids (as [`frame`](Self::frame) gives them).
    /// None when the piece is shorter than the lower limit.
    pub fn cut(
        self,
        piece: usize,
        length: usize,
        limits: Limits,
        rng: &mut impl Rng,
    ) -> Vec<Window> {
        match self {
            Self::Windows => windows(piece, length, limits, rng),
            Self::Seed => chunks(piece, length, limits),
        }
    }
}

/// Windows that together hold every label of the piece: the first begins at
/// BOS, the last ends at EOS, and the boundaries between move back by one
/// random number of tokens. The last is never shorter than the lower limit.
fn windows(piece: usize, length: usize, limits: Limits, rng: &mut impl Rng) -> Vec<Window> {
    if length < limits.min.max(2) {
        return Vec::new();
    }
    let labels = length - 1;
    let count = labels.div_ceil(limits.max);
    if count == 1 {
        return vec![Window {
            piece,
            start: 0,
            end: length,
        }];
    }
    let slack = count * limits.max - labels;
    let least = slack.saturating_sub(limits.max.saturating_sub(limits.min));
    let back = rng.random_range(least as u64..=slack as u64) as usize;
    let window = |index: usize| {
        let start = (index * limits.max).saturating_sub(back);
        let end = (start + limits.max + 1).min(length);
        Window { piece, start, end }
    };
    (0..count).map(window).collect()
}

/// MidiTok's `split_seq_in_subsequences`: a rest of `min` ids or fewer is dropped.
fn chunks(piece: usize, length: usize, limits: Limits) -> Vec<Window> {
    let starts = (0..length).step_by(limits.max);
    let kept = starts.filter(|start| length - start > limits.min.max(1));
    kept.map(|start| Window {
        piece,
        start,
        end: (start + limits.max).min(length),
    })
    .collect()
}
