//! What can go wrong in training.

use std::io;
use std::path::{Path, PathBuf};

use model::{ComputeError, ConfigError, FolderError, NetworkError, WeightsError};
use thiserror::Error;

/// Why a training run could not start or go on.
#[derive(Debug, Error)]
pub enum TrainError {
    /// No piece gives a training example.
    #[error(
        "nothing to train on: --min-sequence-length {min_sequence_length} drops all of {pieces} \
         training pieces (the longest has {longest} tokens): lower it or add pieces"
    )]
    NoExamples {
        /// Number of pieces.
        pieces: usize,
        /// Tokens of the longest, BOS and EOS included.
        longest: usize,
        /// The limit that dropped them.
        min_sequence_length: usize,
    },
    /// The threads that prepare the data cannot be started.
    #[error("cannot start the threads of --num-workers ({0}): give fewer")]
    Workers(String),
    /// An option has an impossible value.
    #[error("{option} is {value}: {remedy}")]
    Option {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What to do.
        remedy: String,
    },
    /// A piece holds an id that the model does not know.
    #[error(
        "the dataset has token id {id}, but the model a vocabulary of {vocab_size}: \
         the dataset was made with another tokenizer"
    )]
    UnknownId {
        /// The id.
        id: u32,
        /// Size of the vocabulary.
        vocab_size: usize,
    },
    /// The loss or its gradient is NaN or infinite.
    #[error(
        "the loss {loss} of step {step} or its gradient is not finite: nothing of that step was \
         saved; go on from the last checkpoint by --resume, with a lower --learning-rate or \
         --global-norm"
    )]
    NotFinite {
        /// The loss.
        loss: f64,
        /// The step, from 1.
        step: u64,
    },
    /// There is no checkpoint to go on from.
    #[error("there is no checkpoint in {0}: name a folder that `train --out` wrote")]
    NoCheckpoint(PathBuf),
    /// A new run would mix its checkpoints with those of an old one.
    #[error("{0} already holds a run: go on with it by --resume, or name another --out")]
    OutTaken(PathBuf),
    /// Two processes would write checkpoints and metrics of one run.
    #[error("{0} is being trained by another process: wait for it, or stop it first")]
    InUse(PathBuf),
    /// The state of a checkpoint cannot be read.
    #[error("{path} is damaged ({reason}): resume from an older checkpoint")]
    DamagedState {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The run was started with other options than it is to go on with.
    #[error(
        "the checkpoint was trained with {option} {stored}, not {given}: resume with \
         {option} {stored}, or start anew from its weights with --init"
    )]
    OtherRun {
        /// The option.
        option: &'static str,
        /// Its value in the checkpoint.
        stored: String,
        /// Its value now.
        given: String,
    },
    /// A file of the run cannot be read or written.
    #[error(
        "cannot read or write {path}: {source}; when that is put right, go on from the last \
         checkpoint by --resume"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A model folder cannot be read or written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The configuration is impossible.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Weights do not fit the configuration.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The model cannot be computed as asked.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The device failed.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

impl TrainError {
    /// Names the file of an I/O error.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
