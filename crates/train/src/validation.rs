//! The windows of validation pieces that every evaluation scores.

use crate::evaluate::stretches;
use crate::pieces::{Chunks, Pieces};

/// Windows spread evenly over all validation pieces, the same ones every time.
#[derive(Debug, Clone)]
pub struct Validation {
    windows: Vec<Vec<u32>>,
}

impl Validation {
    /// Cuts `pieces` into windows of up to `max + 1` ids and keeps `count` of
    /// them, evenly spread.
    pub fn new(pieces: &dyn Pieces, chunks: Chunks, max: usize, count: usize) -> Self {
        let mut windows = Vec::new();
        for index in 0..pieces.len() {
            let ids = chunks.frame(pieces.ids(index, 0));
            windows.extend(stretches(ids.len(), max).map(|range| ids[range].to_vec()));
        }
        let (all, kept) = (windows.len(), count.min(windows.len()));
        let spread = (0..kept).map(|index| std::mem::take(&mut windows[index * all / kept]));
        Self {
            windows: spread.collect(),
        }
    }

    /// The windows.
    pub fn windows(&self) -> &[Vec<u32>] {
        &self.windows
    }

    /// Whether there is nothing to evaluate on.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }
}
