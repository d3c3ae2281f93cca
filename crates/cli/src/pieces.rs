//! Pieces of a dataset as training reads them.

use corpus::{CorpusError, Dataset, Split};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use remi::{BaseTokens, Scratch, Tokenizer};
use train::Pieces;

/// Semitones that pieces are moved by at most, up or down.
const MOST_SEMITONES: u8 = 6;
/// Velocity bins likewise.
const MOST_VELOCITY_BINS: i8 = 1;

/// The ids of a split's first pieces, this share of them.
///
/// # Errors
/// [`CorpusError`] where tokens cannot be read.
pub fn read(dataset: &Dataset, split: Split, share: f64) -> Result<Vec<Vec<u32>>, CorpusError> {
    let base = base(dataset, split, share)?;
    let ids = base
        .par_iter()
        .map_init(Scratch::default, |scratch, tokens| {
            dataset.tokenizer().apply_bpe(tokens, scratch)
        });
    Ok(ids.collect())
}

fn base(dataset: &Dataset, split: Split, share: f64) -> Result<Vec<BaseTokens>, CorpusError> {
    let all = dataset.pieces();
    let wanted: Vec<usize> = (0..all.len())
        .filter(|index| all[*index].split == split)
        .collect();
    let kept = (wanted.len() as f64 * share).ceil() as usize;
    wanted[..kept.min(wanted.len())]
        .iter()
        .map(|index| dataset.base_tokens(*index))
        .collect()
}

/// Training pieces that are transposed and made louder or softer, differently in
/// each epoch. BPE runs on the changed tokens.
pub struct AugmentedPieces<'a> {
    tokenizer: &'a Tokenizer,
    base: Vec<BaseTokens>,
    seed: u64,
}

impl<'a> AugmentedPieces<'a> {
    /// Reads this share of the training pieces.
    ///
    /// # Errors
    /// [`CorpusError`] where tokens cannot be read.
    pub fn read(dataset: &'a Dataset, share: f64, seed: u64) -> Result<Self, CorpusError> {
        let base = base(dataset, Split::Train, share)?;
        Ok(Self {
            tokenizer: dataset.tokenizer(),
            base,
            seed,
        })
    }
}

impl Pieces for AugmentedPieces<'_> {
    fn len(&self) -> usize {
        self.base.len()
    }

    fn ids(&self, index: usize, epoch: u64) -> Vec<u32> {
        let Some(piece) = self.base.get(index) else {
            return Vec::new();
        };
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(epoch << 32 | index as u64);
        let (down, up) = self.tokenizer.transpositions(&piece.ids, MOST_SEMITONES);
        let semitones = rng.random_range(down..=up);
        let velocity_bins = rng.random_range(-MOST_VELOCITY_BINS..=MOST_VELOCITY_BINS);
        let mut piece = piece.clone();
        self.tokenizer
            .augmentation(semitones, velocity_bins)
            .apply(&mut piece.ids);
        self.tokenizer.apply_bpe(&piece, &mut Scratch::default())
    }
}
