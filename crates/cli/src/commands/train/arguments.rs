//! What is typed for `tchaikovsky train`, and what it means.

use std::path::PathBuf;

use clap::ValueEnum;
use model::{DeviceName, ModelConfig, Size};
use train::{Chunks, Kernels, Precision, TrainOptions};

use crate::usage::wrong_use;

/// Train a model on a dataset folder.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Take options from this TOML or JSON file (the seed project's config.json
    /// too); the command line goes before it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Dataset folder, as tokenize writes it.
    #[arg(long, value_name = "DIR", default_value = "tokenized_dataset")]
    pub dataset: PathBuf,
    /// Folder for checkpoints and metrics [default: checkpoints/DATE_TIME].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on from this run's newest checkpoint, or from this checkpoint, with its
    /// options where no others are given.
    #[arg(long, value_name = "DIR")]
    pub resume: Option<PathBuf>,
    /// Begin with this model's weights.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub init: Option<PathBuf>,
    /// Shape of the model: tiny 3M, small 10M, default 36M, large 101M
    /// parameters (with a vocabulary of 10,000) [default: default].
    #[arg(long, value_enum)]
    pub size: Option<SizeArg>,
    /// Width of the model [default: the size's].
    #[arg(long, value_name = "N")]
    pub dim: Option<usize>,
    /// Attention heads [default: the size's].
    #[arg(long, value_name = "N")]
    pub heads: Option<usize>,
    /// Layers [default: the size's].
    #[arg(long, value_name = "N")]
    pub num_layers: Option<usize>,
    /// Width of an attention head [default: the size's].
    #[arg(long, value_name = "N")]
    pub head_dim: Option<usize>,
    /// Ids that the model has, at least as many as the tokenizer [default: as
    /// many].
    #[arg(long, value_name = "N")]
    pub vocab_size: Option<usize>,
    /// Longest input in tokens [default: the size's].
    #[arg(long, value_name = "N")]
    pub max_sequence_length: Option<usize>,
    /// Pieces of fewer tokens are left out.
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub min_sequence_length: usize,
    /// Rotary positions in place of learned ones: not the original's, but a small
    /// model learns as much in half the steps or fewer.
    #[arg(long)]
    pub rotary: bool,
    /// Use the token embeddings as the head's weights too.
    #[arg(long)]
    pub tied: bool,
    /// Share of the attention weights dropped in training [default: 0.1].
    #[arg(long, value_name = "SHARE")]
    pub dropout: Option<f64>,
    /// Seed of weights, order and dropout.
    #[arg(long, default_value_t = 255, value_name = "N")]
    pub seed: u64,
    /// Warm the learning rate up, then let it fall, both linearly.
    #[arg(long)]
    use_lr_scheduler: bool,
    /// Learning rate, after warm-up.
    #[arg(long, default_value_t = 4e-4, value_name = "RATE")]
    learning_rate: f64,
    /// Learning rate at the end of the schedule.
    #[arg(long, default_value_t = 1e-6, value_name = "RATE")]
    end_learning_rate: f64,
    /// Share of the steps that is warm-up.
    #[arg(long, default_value_t = 0.05, value_name = "SHARE")]
    warmup_proportion: f64,
    /// Norm that gradients are clipped to.
    #[arg(long, default_value_t = 1.0, value_name = "NORM")]
    global_norm: f64,
    /// Decay of the weights of linear layers and norms.
    #[arg(long, default_value_t = 0.1, value_name = "DECAY")]
    weight_decay: f64,
    /// Examples a step.
    #[arg(long, default_value_t = 64, value_name = "N")]
    batch_size: usize,
    /// Examples at once; gradients are summed up to the batch [default: what
    /// fits into memory].
    #[arg(long, value_name = "N")]
    micro_batch_size: Option<usize>,
    /// Share of the training pieces that is used.
    #[arg(long, default_value_t = 1.0, value_name = "SHARE")]
    pub subset_proportion: f64,
    /// Hold this share of the training pieces out for validation, beside those
    /// that the dataset holds out [default: 0.1 where the dataset holds out
    /// none].
    #[arg(long, value_name = "SHARE")]
    pub val_proportion: Option<f64>,
    /// Threads that prepare the pieces of an epoch; 0 is one, as in the seed
    /// project [default: all cores].
    #[arg(long, value_name = "N")]
    num_workers: Option<usize>,
    /// Multiply matrices in bf16; weights and their state stay f32.
    #[arg(long)]
    use_bf16: bool,
    /// What computes a step on the CPU.
    #[arg(long, value_enum, default_value = "fused")]
    kernels: KernelsArg,
    /// Times that every piece is seen.
    #[arg(long, default_value_t = 5, value_name = "N")]
    epochs: u64,
    /// Steps in all, in place of epochs; 0 writes a fresh model and stops.
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Steps between evaluations [default: an epoch].
    #[arg(long, value_name = "N")]
    eval_every: Option<u64>,
    /// Windows of validation pieces that an evaluation scores, spread evenly.
    #[arg(long, default_value_t = 64, value_name = "N")]
    eval_examples: usize,
    /// Steps between checkpoints [default: an epoch].
    #[arg(long, value_name = "N")]
    checkpoint_every: Option<u64>,
    /// Newest checkpoints to keep, beside the best.
    #[arg(long, default_value_t = 3, value_name = "N")]
    keep: usize,
    /// End after so many evaluations without a better one.
    #[arg(long, value_name = "N")]
    early_stop: Option<u32>,
    /// Learn from every piece in other keys and loudnesses, new each epoch.
    #[arg(long)]
    augment: bool,
    /// How pieces are cut: whole windows, new each epoch, or as the seed project.
    #[arg(long, value_enum, default_value = "windows")]
    chunks: ChunksArg,
    /// Where to compute: auto (a GPU that this build reaches, else the CPU),
    /// cpu, or a GPU by name, such as vulkan:0.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: DeviceName,
    /// A line for every step, also where the output is no terminal.
    #[arg(long)]
    pub verbose: bool,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky train --dataset dataset --size small --rotary --out runs/first
  tchaikovsky train --dataset dataset --size tiny --steps 200 --batch-size 8 --out runs/tiny
  tchaikovsky train --dataset dataset --config options.toml --learning-rate 1e-3
  tchaikovsky train --dataset dataset --resume runs/first --epochs 10
  tchaikovsky train --dataset other --init runs/first --learning-rate 1e-4 --out runs/second

The run's folder holds checkpoints (model folders), metrics.jsonl, loss.png and events for
TensorBoard. Options may be spelled with underscores. In a file they are named as here:
  size = \"small\"
  learning_rate = 1e-3
  augment = true";

#[derive(Clone, Copy, ValueEnum)]
pub enum SizeArg {
    Tiny,
    Small,
    Default,
    Large,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum KernelsArg {
    /// Fused kernels.
    Fused,
    /// Tensor operations, to compare with.
    Composite,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ChunksArg {
    Windows,
    Seed,
}

impl Args {
    /// The options of the run.
    pub fn options(&self) -> TrainOptions {
        TrainOptions {
            seed: self.seed,
            epochs: self.epochs,
            steps: self.steps,
            batch_size: self.batch_size,
            micro_batch_size: self.micro_batch_size,
            use_lr_scheduler: self.use_lr_scheduler,
            learning_rate: self.learning_rate,
            end_learning_rate: self.end_learning_rate,
            warmup_proportion: self.warmup_proportion,
            global_norm: self.global_norm,
            weight_decay: self.weight_decay,
            min_sequence_length: self.min_sequence_length,
            chunks: match self.chunks {
                ChunksArg::Windows => Chunks::Windows,
                ChunksArg::Seed => Chunks::Seed,
            },
            eval_every: self.eval_every,
            checkpoint_every: self.checkpoint_every,
            keep: self.keep,
            early_stop: self.early_stop,
            subset_proportion: self.subset_proportion,
            val_proportion: self.val_proportion,
            augment: self.augment,
            num_workers: self.num_workers.map(|workers| workers.max(1)),
            precision: match self.use_bf16 {
                true => Precision::Bf16,
                false => Precision::F32,
            },
            kernels: match self.kernels {
                KernelsArg::Fused => Kernels::Fused,
                KernelsArg::Composite => Kernels::Composite,
            },
            eval_examples: self.eval_examples,
        }
    }

    /// The shape of a fresh model for a tokenizer of `vocabulary` ids.
    pub fn shape(&self, vocabulary: usize) -> anyhow::Result<ModelConfig> {
        let named = ModelConfig::of_size(self.size.map_or(Size::Default, SizeArg::size));
        let heads = self.heads.unwrap_or(named.heads);
        let head_dim = self.head_dim.unwrap_or(named.head_dim);
        let positions = self.max_sequence_length;
        let config = ModelConfig {
            dim: self.dim.unwrap_or(heads * head_dim),
            heads,
            head_dim,
            num_layers: self.num_layers.unwrap_or(named.num_layers),
            vocab_size: self.vocab_size.unwrap_or(vocabulary),
            max_sequence_length: positions.unwrap_or(named.max_sequence_length),
            dropout: self.dropout.unwrap_or(named.dropout),
            // Weights stay f32, whatever their products.
            use_bf16: false,
            rotary: self.rotary,
            tied: self.tied,
        };
        config
            .validate()
            .map_err(|error| wrong_use(error.to_string()))?;
        let fits = config.check_vocab(vocabulary);
        fits.map_err(|error| wrong_use(error.to_string()))?;
        Ok(config)
    }

    /// Refuses options that ask for another shape than that of a model which is
    /// there already.
    pub fn check_shape(&self, model: &ModelConfig) -> anyhow::Result<()> {
        let size = self.size.map(|size| ModelConfig::of_size(size.size()));
        let of_size = |field: fn(&ModelConfig) -> usize| size.as_ref().map(field);
        let positions = self.max_sequence_length;
        for (option, given, found) in [
            ("--dim", self.dim.or(of_size(|c| c.dim)), model.dim),
            ("--heads", self.heads.or(of_size(|c| c.heads)), model.heads),
            (
                "--head-dim",
                self.head_dim.or(of_size(|c| c.head_dim)),
                model.head_dim,
            ),
            (
                "--num-layers",
                self.num_layers.or(of_size(|c| c.num_layers)),
                model.num_layers,
            ),
            (
                "--max-sequence-length",
                positions.or(of_size(|c| c.max_sequence_length)),
                model.max_sequence_length,
            ),
            ("--vocab-size", self.vocab_size, model.vocab_size),
            (
                "--rotary",
                self.rotary.then_some(1),
                usize::from(model.rotary),
            ),
            ("--tied", self.tied.then_some(1), usize::from(model.tied)),
        ] {
            if let Some(given) = given.filter(|given| *given != found) {
                return Err(wrong_use(format!(
                    "the model to begin with has {option} {found}, not {given}: leave the model's shape out, or train a fresh model without --init and --resume"
                )));
            }
        }
        Ok(())
    }
}

impl SizeArg {
    fn size(self) -> Size {
        match self {
            Self::Tiny => Size::Tiny,
            Self::Small => Size::Small,
            Self::Default => Size::Default,
            Self::Large => Size::Large,
        }
    }
}
