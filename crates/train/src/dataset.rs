//! Pieces of a dataset folder as training reads them.

use corpus::{CorpusError, Dataset, Piece, Split};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use remi::{BaseTokens, Scratch, Tokenizer};

use crate::pieces::Pieces;

/// Semitones that pieces are moved by at most, up or down.
const MOST_SEMITONES: u8 = 6;
/// Velocity bins likewise.
const MOST_VELOCITY_BINS: i8 = 1;

/// Part of the training pieces that is held out for validation where the dataset
/// holds out none and nothing else is asked for: the seed project's.
const VAL_PROPORTION: f64 = 0.1;

/// Indices of the pieces of a dataset that are for training and for validation.
/// No piece is in both, and test pieces are in neither.
pub struct Sets {
    /// To learn from.
    pub train: Vec<usize>,
    /// To evaluate on.
    pub valid: Vec<usize>,
    /// Pieces that the dataset itself keeps for validation and tests.
    pub kept_back: usize,
}

impl Sets {
    /// Divides a dataset. Validation pieces are those of the dataset and the
    /// share `held_out` of its training pieces that their notes pick; of the
    /// other training pieces the first are used, the share `subset` of them.
    pub fn new(dataset: &Dataset, subset: f64, held_out: Option<f64>) -> Self {
        let pieces = dataset.pieces();
        let kept = |split| pieces.iter().filter(|piece| piece.split == split).count();
        let none = kept(Split::Valid) == 0;
        let share = held_out.unwrap_or(if none { VAL_PROPORTION } else { 0.0 });
        let indices = |wanted: &dyn Fn(&Piece) -> bool| -> Vec<usize> {
            let all = pieces.iter().enumerate();
            let wanted = all.filter(|(_, piece)| wanted(piece));
            wanted.map(|(index, _)| index).collect()
        };
        let is_valid = |piece: &Piece| match piece.split {
            Split::Valid => true,
            Split::Train => piece.is_held_out(share),
            Split::Test => false,
        };
        let mut train = indices(&|piece| piece.split == Split::Train && !is_valid(piece));
        train.truncate((train.len() as f64 * subset).ceil() as usize);
        Self {
            train,
            valid: indices(&is_valid),
            kept_back: kept(Split::Valid) + kept(Split::Test),
        }
    }
}

/// The ids of the pieces with these indices.
///
/// # Errors
/// [`CorpusError`] where tokens cannot be read.
pub fn read_pieces(dataset: &Dataset, indices: &[usize]) -> Result<Vec<Vec<u32>>, CorpusError> {
    let base = base(dataset, indices)?;
    let ids = base
        .par_iter()
        .map_init(Scratch::default, |scratch, tokens| {
            dataset.tokenizer().apply_bpe(tokens, scratch)
        });
    Ok(ids.collect())
}

fn base(dataset: &Dataset, indices: &[usize]) -> Result<Vec<BaseTokens>, CorpusError> {
    let indices = indices.iter();
    indices.map(|index| dataset.base_tokens(*index)).collect()
}

/// Training pieces that are transposed and made louder or softer, differently in
/// each epoch. BPE runs on the changed tokens.
pub struct AugmentedPieces<'a> {
    tokenizer: &'a Tokenizer,
    base: Vec<BaseTokens>,
    seed: u64,
}

impl<'a> AugmentedPieces<'a> {
    /// Reads the pieces with these indices.
    ///
    /// # Errors
    /// [`CorpusError`] where tokens cannot be read.
    pub fn read(dataset: &'a Dataset, indices: &[usize], seed: u64) -> Result<Self, CorpusError> {
        let base = base(dataset, indices)?;
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
