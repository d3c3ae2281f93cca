//! The whole way from a folder of MIDI files to a dataset folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rayon::prelude::*;
use remi::{Bpe, BpeError, Scratch, Split as WordSplit, Tokenizer, WordCounts};
use score::Merge;

use crate::dataset::{FORMAT, Header, Piece, read_tokenizer};
use crate::encode_file::{EncodedPiece, encode_file};
use crate::files::midi_files;
use crate::report::{Failure, Report};
use crate::split::{Manifest, Split, by_hash};
use crate::store::Store;
use crate::{CorpusError, Dataset};

/// Files that are read before their pieces are stored.
const FILES_TOGETHER: usize = 128;

/// Which tokenizer to use.
#[derive(Clone, Debug)]
pub enum TokenizerChoice {
    /// This one as it is; its file's contents, which become the dataset's byte
    /// for byte, so that it can be told from others by its hash.
    Given(Box<Tokenizer>, String),
    /// This configuration, with BPE trained to this vocabulary size.
    Train(Box<Tokenizer>, usize),
}

impl TokenizerChoice {
    /// The tokenizer of a file, a dataset or a model folder.
    ///
    /// # Errors
    /// As [`open_tokenizer`](crate::open_tokenizer).
    pub fn open(path: &Path) -> Result<Self, CorpusError> {
        let (tokenizer, file) = read_tokenizer(path)?;
        Ok(Self::Given(Box::new(tokenizer), file))
    }
}

/// How to build a dataset.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of MIDI files.
    pub midis: PathBuf,
    /// The dataset folder to write.
    pub out: PathBuf,
    /// The tokenizer.
    pub tokenizer: TokenizerChoice,
    /// What to do with several tracks.
    pub merge: Merge,
    /// Share of the pieces for validation, where no manifest decides.
    pub valid_proportion: f64,
    /// Seed of that choice.
    pub seed: u64,
    /// Decides the split of the files that it names.
    pub manifest: Option<Manifest>,
    /// Whether a file that cannot be used ends all.
    pub strict: bool,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading and encoding files.
    Encode,
    /// Learning merges.
    Train,
    /// Applying them, to count.
    Apply,
}

/// Is told how far the work has come.
pub trait Observer: Sync {
    /// A stage begins; `total` are the steps it will take, where known.
    fn begin(&self, stage: Stage, total: usize);
    /// So many more steps are done.
    fn advance(&self, steps: usize);
}

/// A finished dataset.
#[derive(Debug)]
pub struct Built {
    /// The tokenizer, trained if that was asked for.
    pub tokenizer: Tokenizer,
    /// Figures.
    pub report: Report,
}

/// Builds a dataset folder. It appears under its name when it is whole, or not
/// at all. `stop` ends the work at the next chance.
///
/// BPE learns from all pieces, as in the seed project; where a manifest decides
/// the split, from its training pieces only.
///
/// # Errors
/// [`CorpusError`]: no files, none readable, an output that is there already or
/// cannot be written, a vocabulary too small, or [`CorpusError::Stopped`].
pub fn build(
    options: &Options,
    observer: &dyn Observer,
    stop: &AtomicBool,
) -> Result<Built, CorpusError> {
    let started = Instant::now();
    let (tokenizer, vocabulary_size) = match &options.tokenizer {
        TokenizerChoice::Given(tokenizer, _) => (tokenizer.as_ref(), None),
        TokenizerChoice::Train(tokenizer, size) => (tokenizer.as_ref(), Some(*size)),
    };
    if let Some(wanted) = vocabulary_size {
        let base = tokenizer.vocabulary().len() + usize::from(is_marked(tokenizer));
        if wanted <= base {
            return Err(BpeError::VocabularyTooSmall { wanted, base }.into());
        }
    }
    let files = midi_files(&options.midis)?;
    let mut builder = Builder {
        options,
        store: Store::create(&options.out)?,
        words: vocabulary_size.map(|_| WordCounts::new()),
        first_with: HashMap::new(),
        pieces: Vec::new(),
        report: Report {
            files: files.len(),
            ..Report::default()
        },
    };
    observer.begin(Stage::Encode, files.len());
    for batch in files.chunks(FILES_TOGETHER) {
        let encode = |file: &PathBuf| {
            check(stop)?;
            let path = options.midis.join(file);
            let piece = encode_file(&path, tokenizer, options.merge, options.strict);
            observer.advance(1);
            Ok(piece)
        };
        let encoded: Vec<Result<EncodedPiece, String>> = batch
            .par_iter()
            .map(encode)
            .collect::<Result<_, CorpusError>>()?;
        for (file, piece) in batch.iter().zip(encoded) {
            builder.add(file, piece)?;
        }
    }
    builder.finish(tokenizer, vocabulary_size, observer, stop, started)
}

fn check(stop: &AtomicBool) -> Result<(), CorpusError> {
    if stop.load(Ordering::Relaxed) {
        Err(CorpusError::Stopped)
    } else {
        Ok(())
    }
}

struct Builder<'a> {
    options: &'a Options,
    store: Store,
    words: Option<WordCounts>,
    /// The file that first had these notes.
    first_with: HashMap<blake3::Hash, String>,
    pieces: Vec<Piece>,
    report: Report,
}

impl Builder<'_> {
    fn add(&mut self, file: &Path, piece: Result<EncodedPiece, String>) -> Result<(), CorpusError> {
        let name = file.to_string_lossy().into_owned();
        let piece = match piece {
            Ok(piece) => piece,
            Err(reason) if self.options.strict => {
                return Err(CorpusError::Strict {
                    path: self.options.midis.join(file),
                    reason,
                });
            }
            Err(reason) => {
                self.report.failures.push(Failure { file: name, reason });
                return Ok(());
            }
        };
        if let Some(first) = self.first_with.get(&piece.hash) {
            let reason = format!("the same notes as {first}");
            self.report.duplicates.push(Failure { file: name, reason });
            return Ok(());
        }
        self.first_with.insert(piece.hash, name.clone());
        if !piece.damage.is_empty() {
            self.report.damaged.push(Failure {
                file: name.clone(),
                reason: piece.damage.clone(),
            });
        }
        let named = self
            .options
            .manifest
            .as_ref()
            .and_then(|manifest| manifest.split(file));
        let split = named.unwrap_or_else(|| {
            by_hash(
                &piece.hash,
                self.options.seed,
                self.options.valid_proportion,
            )
        });
        let learned_from = self.options.manifest.is_none() || split == Split::Train;
        if let Some(words) = self.words.as_mut().filter(|_| learned_from) {
            piece.tokens.words().for_each(|word| words.add(word));
        }
        let (shard, offset) = self.store.append(&piece.tokens)?;
        self.count(split, &piece);
        self.pieces.push(Piece {
            source: name,
            split,
            notes: piece.notes,
            seconds: piece.seconds,
            tokens: piece.tokens.ids.len() as u64,
            shard,
            offset,
            notes_blake3: piece.hash.to_hex().to_string(),
        });
        Ok(())
    }

    fn count(&mut self, split: Split, piece: &EncodedPiece) {
        let report = &mut self.report;
        report.pieces += 1;
        match split {
            Split::Train => report.train_pieces += 1,
            Split::Valid => report.valid_pieces += 1,
            Split::Test => report.test_pieces += 1,
        }
        report.notes += piece.notes;
        report.hours += piece.seconds / 3600.0;
        report.base_tokens += piece.tokens.ids.len() as u64;
    }

    fn finish(
        mut self,
        tokenizer: &Tokenizer,
        vocabulary_size: Option<usize>,
        observer: &dyn Observer,
        stop: &AtomicBool,
        started: Instant,
    ) -> Result<Built, CorpusError> {
        if self.pieces.is_empty() {
            let first = self.report.failures.first();
            let first = first.map_or_else(String::new, |f| format!("{}: {}", f.file, f.reason));
            return Err(CorpusError::NothingReadable {
                files: self.report.files,
                first,
            });
        }
        let tokenizer = match (self.words.take(), vocabulary_size) {
            (Some(words), Some(size)) => {
                observer.begin(Stage::Train, 0);
                train(tokenizer, words, size)?
            }
            _ => tokenizer.clone(),
        };
        check(stop)?;
        let header = Header {
            format: FORMAT,
            pieces: self.pieces.len(),
            tokens: self.report.base_tokens,
            shards: Vec::new(),
            pieces_blake3: String::new(),
            tokenizer_blake3: String::new(),
        };
        let json = match &self.options.tokenizer {
            TokenizerChoice::Given(_, file) => file.clone(),
            TokenizerChoice::Train(..) => tokenizer.to_json()?,
        };
        self.report.vocabulary = tokenizer.len();
        let staged = self.store.stage(header, &self.pieces, &json)?;
        self.report.ids = count_ids(&Dataset::open(staged.folder())?, observer, stop)?;
        self.report.elapsed_seconds = started.elapsed().as_secs_f64();
        staged.finish(&self.report)?;
        Ok(Built {
            tokenizer,
            report: self.report,
        })
    }
}

/// Whether BPE's words begin with a mark, as MidiTok has it where it cuts words.
fn is_marked(tokenizer: &Tokenizer) -> bool {
    tokenizer.config().encode_ids_split != WordSplit::No
}

fn train(tokenizer: &Tokenizer, words: WordCounts, size: usize) -> Result<Tokenizer, CorpusError> {
    let base = tokenizer.vocabulary().len();
    let special = tokenizer.config().special_tokens.len();
    let bpe = Bpe::train(words, base, special, is_marked(tokenizer), size)?;
    Ok(tokenizer.clone().with_bpe(Some(bpe)))
}

fn count_ids(
    dataset: &Dataset,
    observer: &dyn Observer,
    stop: &AtomicBool,
) -> Result<u64, CorpusError> {
    let pieces = dataset.pieces().len();
    observer.begin(Stage::Apply, pieces);
    let ids = (0..pieces)
        .into_par_iter()
        .map_init(Scratch::default, |scratch, index| {
            check(stop)?;
            let ids = dataset
                .tokenizer()
                .apply_bpe(&dataset.base_tokens(index)?, scratch)
                .len() as u64;
            observer.advance(1);
            Ok(ids)
        });
    ids.sum()
}
