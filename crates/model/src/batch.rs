//! Token ids of several sequences, padded to one length.

use crate::config::PAD;

/// Sequences of ids in rows of equal length, padded on the right with PAD.
/// The model sees all ids of a row but the last; its labels are all but the
/// first. Labels that are PAD are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    ids: Vec<u32>,
    columns: usize,
}

impl Batch {
    /// Pads `sequences` to the length of the longest. `None` when there is no
    /// label in them: no sequence holds two ids or more.
    pub fn new(sequences: &[impl AsRef<[u32]>]) -> Option<Self> {
        let columns = sequences.iter().map(|ids| ids.as_ref().len()).max()?;
        let mut ids = Vec::with_capacity(sequences.len() * columns);
        for sequence in sequences {
            let sequence = sequence.as_ref();
            ids.extend_from_slice(sequence);
            ids.resize(ids.len() + columns - sequence.len(), PAD);
        }
        let batch = Self { ids, columns };
        (columns > 1 && batch.tokens() > 0).then_some(batch)
    }

    /// Number of sequences.
    pub fn rows(&self) -> usize {
        self.ids.len() / self.columns
    }

    /// Length of the model's input: one less than the ids of a row.
    pub fn length(&self) -> usize {
        self.columns - 1
    }

    /// What the model sees: ids of shape `[rows, length]`, row-major.
    pub fn inputs(&self) -> Vec<u32> {
        let rows = self.ids.chunks_exact(self.columns);
        rows.flat_map(|row| &row[..row.len() - 1])
            .copied()
            .collect()
    }

    /// What it is to say: ids of shape `[rows, length]`, row-major.
    pub fn labels(&self) -> Vec<u32> {
        let rows = self.ids.chunks_exact(self.columns);
        rows.flat_map(|row| &row[1..]).copied().collect()
    }

    /// Number of labels that are not PAD.
    pub fn tokens(&self) -> usize {
        let rows = self.ids.chunks_exact(self.columns);
        rows.flat_map(|row| &row[1..])
            .filter(|&&id| id != PAD)
            .count()
    }

    /// The largest id.
    pub fn largest(&self) -> u32 {
        self.ids.iter().copied().max().unwrap_or(PAD)
    }
}
