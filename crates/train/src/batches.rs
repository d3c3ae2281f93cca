//! The stream of training examples: shuffled, new every epoch, resumable.

use model::Batch;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::pieces::{Chunks, Limits, Pieces, Window};

/// Streams of the seeded generator from here on shuffle and cut epochs; those
/// below draw the initial weights.
const EPOCH_STREAMS: u64 = 1 << 32;

/// A place in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Epoch, from 0.
    pub epoch: u64,
    /// Examples of that epoch already taken.
    pub example: usize,
}

/// An endless stream of examples: every window of every piece once an epoch, in
/// an order that is a function of (seed, epoch). A batch that an epoch cannot
/// fill takes the rest from the next.
pub struct Batches<'a> {
    pieces: &'a dyn Pieces,
    chunks: Chunks,
    limits: Limits,
    seed: u64,
    position: Position,
    workers: Option<ThreadPool>,
    loaded: Epoch,
}

/// One epoch's ids and the order of its windows.
struct Epoch {
    ids: Vec<Vec<u32>>,
    windows: Vec<Window>,
}

impl<'a> Batches<'a> {
    /// A stream from `position` on. `workers` threads prepare each epoch; all
    /// cores when `None`.
    ///
    /// # Errors
    /// [`TrainError::NoExamples`] when no piece is long enough,
    /// [`TrainError::Workers`] when there are no such threads to be had.
    pub fn new(
        pieces: &'a dyn Pieces,
        chunks: Chunks,
        limits: Limits,
        seed: u64,
        position: Position,
        workers: Option<usize>,
    ) -> Result<Self, TrainError> {
        let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build();
        let workers = workers.map(pool).transpose();
        let mut batches = Self {
            pieces,
            chunks,
            limits,
            seed,
            position,
            workers: workers.map_err(|error| TrainError::Workers(error.to_string()))?,
            loaded: Epoch {
                ids: Vec::new(),
                windows: Vec::new(),
            },
        };
        batches.load()?;
        Ok(batches)
    }

    /// Examples in the current epoch.
    pub fn examples(&self) -> usize {
        self.loaded.windows.len()
    }

    /// Labels in the current epoch.
    pub fn tokens(&self) -> usize {
        let windows = self.loaded.windows.iter();
        windows.map(|window| window.end - window.start - 1).sum()
    }

    /// Pieces that the current epoch leaves out because they are too short.
    pub fn dropped(&self) -> usize {
        let mut used = vec![false; self.loaded.ids.len()];
        for window in &self.loaded.windows {
            used[window.piece] = true;
        }
        used.iter().filter(|used| !**used).count()
    }

    /// The pieces of the current epoch, framed.
    pub fn sequences(&self) -> &[Vec<u32>] {
        &self.loaded.ids
    }

    /// Where the next example is taken from.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next `rows` examples, padded.
    ///
    /// # Errors
    /// [`TrainError::NoExamples`] when a new epoch has none.
    pub fn next_batch(&mut self, rows: usize) -> Result<Batch, TrainError> {
        let mut sequences = Vec::with_capacity(rows);
        while sequences.len() < rows {
            let Some(window) = self.loaded.windows.get(self.position.example) else {
                self.position = Position {
                    epoch: self.position.epoch + 1,
                    example: 0,
                };
                self.load()?;
                continue;
            };
            let ids = self.loaded.ids.get(window.piece);
            let ids = ids.and_then(|ids| ids.get(window.start..window.end));
            sequences.push(ids.unwrap_or_default().to_vec());
            self.position.example += 1;
        }
        Batch::new(&sequences).ok_or_else(|| self.no_examples())
    }

    fn load(&mut self) -> Result<(), TrainError> {
        let epoch = self.position.epoch;
        let (pieces, chunks) = (self.pieces, self.chunks);
        let read = || {
            let indices = (0..pieces.len()).into_par_iter();
            let framed = |index| chunks.frame(pieces.ids(index, epoch));
            indices.map(framed).collect()
        };
        self.loaded.ids = match &self.workers {
            Some(pool) => pool.install(read),
            None => read(),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(EPOCH_STREAMS + epoch);
        let cut =
            |(piece, ids): (usize, &Vec<u32>)| chunks.cut(piece, ids.len(), self.limits, &mut rng);
        self.loaded.windows = self.loaded.ids.iter().enumerate().flat_map(cut).collect();
        self.loaded.windows.shuffle(&mut rng);
        match self.loaded.windows.is_empty() {
            true => Err(self.no_examples()),
            false => Ok(()),
        }
    }

    fn no_examples(&self) -> TrainError {
        TrainError::NoExamples {
            pieces: self.pieces.len(),
            longest: self.loaded.ids.iter().map(Vec::len).max().unwrap_or(0),
            min_sequence_length: self.limits.min,
        }
    }
}
