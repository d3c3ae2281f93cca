//! `tchaikovsky train`: a dataset folder to a model.

use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::tensor::Device;
use clap::ValueEnum;
use corpus::{Dataset, Split};
use model::{ModelConfig, ModelFolder, Size};
use train::{
    About, Checkpoint, Chunks, End, EvalMetrics, Observer, Outcome, Pieces, Plan, Run, Start,
    StepMetrics, TrainOptions, run as train_run,
};

use crate::pieces::{self, AugmentedPieces};
use crate::say;
use crate::stop;
use crate::usage::wrong_use;

/// Train a model on a dataset folder.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Dataset folder, as tokenize writes it.
    #[arg(long, value_name = "DIR", default_value = "tokenized_dataset")]
    dataset: PathBuf,
    /// Folder for checkpoints and metrics [default: checkpoints/DATE_TIME].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on from this run's newest checkpoint, or from this checkpoint.
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Begin with this model's weights.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    init: Option<PathBuf>,
    /// Shape of the model: tiny 2M, small 10M, default 36M, large 101M
    /// parameters.
    #[arg(long, value_enum, default_value = "default")]
    size: SizeArg,
    /// Width of the model [default: the size's].
    #[arg(long, value_name = "N")]
    dim: Option<usize>,
    /// Attention heads [default: the size's].
    #[arg(long, value_name = "N")]
    heads: Option<usize>,
    /// Layers [default: the size's].
    #[arg(long, value_name = "N")]
    num_layers: Option<usize>,
    /// Width of an attention head [default: the size's].
    #[arg(long, value_name = "N")]
    head_dim: Option<usize>,
    /// Size of the vocabulary; it must be the tokenizer's [default: that].
    #[arg(long, value_name = "N")]
    vocab_size: Option<usize>,
    /// Longest input in tokens [default: the size's].
    #[arg(long, value_name = "N")]
    max_sequence_length: Option<usize>,
    /// Pieces of fewer tokens are left out.
    #[arg(long, default_value_t = 128, value_name = "N")]
    min_sequence_length: usize,
    /// Share of the attention weights dropped in training.
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    dropout: f64,
    /// Seed of weights, order and dropout.
    #[arg(long, default_value_t = 255, value_name = "N")]
    seed: u64,
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
    subset_proportion: f64,
    /// Times that every piece is seen.
    #[arg(long, default_value_t = 5, value_name = "N")]
    epochs: u64,
    /// Steps in all, in place of epochs; 0 writes a fresh model and stops.
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Steps between evaluations [default: an epoch].
    #[arg(long, value_name = "N")]
    eval_every: Option<u64>,
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
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky train --dataset dataset --size small --out runs/first
  tchaikovsky train --dataset dataset --resume runs/first
  tchaikovsky train --dataset dataset --size tiny --steps 200 --batch-size 8";

#[derive(Clone, Copy, ValueEnum)]
enum SizeArg {
    Tiny,
    Small,
    Default,
    Large,
}

#[derive(Clone, Copy, ValueEnum)]
enum ChunksArg {
    Windows,
    Seed,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    let dataset = Dataset::open(&args.dataset)?;
    let options = options(&args);
    let start = start(&args, &dataset)?;
    let out = out_folder(&args)?;
    if !(args.subset_proportion > 0.0 && args.subset_proportion <= 1.0) {
        return Err(wrong_use(
            "--subset-proportion must be above 0 and at most 1",
        ));
    }
    let share = args.subset_proportion;
    let train: Box<dyn Pieces> = match args.augment {
        true => Box::new(AugmentedPieces::read(&dataset, share, args.seed)?),
        false => Box::new(pieces::read(&dataset, Split::Train, share)?),
    };
    let valid = pieces::read(&dataset, Split::Valid, 1.0)?;
    let stop = stop::on_signal()?;
    let outcome = train_run(
        Run {
            options,
            start,
            train: train.as_ref(),
            valid: &valid,
            out: &out,
            device: Device::default(),
            about: About {
                data: format!("{} pieces of {}", train.len(), dataset.folder().display()),
                licence: "that of the data".to_owned(),
            },
            stop,
        },
        &mut Lines,
    )?;
    report(&outcome, &args, &out);
    Ok(())
}

fn options(args: &Args) -> TrainOptions {
    TrainOptions {
        seed: args.seed,
        epochs: args.epochs,
        steps: args.steps,
        batch_size: args.batch_size,
        micro_batch_size: args.micro_batch_size,
        use_lr_scheduler: args.use_lr_scheduler,
        learning_rate: args.learning_rate,
        end_learning_rate: args.end_learning_rate,
        warmup_proportion: args.warmup_proportion,
        global_norm: args.global_norm,
        weight_decay: args.weight_decay,
        min_sequence_length: args.min_sequence_length,
        chunks: match args.chunks {
            ChunksArg::Windows => Chunks::Windows,
            ChunksArg::Seed => Chunks::Seed,
        },
        eval_every: args.eval_every,
        checkpoint_every: args.checkpoint_every,
        keep: args.keep,
        early_stop: args.early_stop,
        ..TrainOptions::default()
    }
}

fn start(args: &Args, dataset: &Dataset) -> anyhow::Result<Start> {
    if let Some(folder) = &args.resume {
        let checkpoint = Checkpoint::read(folder)?;
        belongs(&checkpoint.folder, dataset)?;
        return Ok(Start::Resume(Box::new(checkpoint)));
    }
    if let Some(folder) = &args.init {
        let model = ModelFolder::read(&train::checkpoint::resolve(folder)?)?;
        belongs(&model, dataset)?;
        return Ok(Start::FineTune(model));
    }
    let config = config(args, dataset.tokenizer().len())?;
    Ok(Start::Fresh(config, tokenizer_bytes(dataset)?))
}

fn config(args: &Args, vocabulary: usize) -> anyhow::Result<ModelConfig> {
    let named = ModelConfig::of_size(match args.size {
        SizeArg::Tiny => Size::Tiny,
        SizeArg::Small => Size::Small,
        SizeArg::Default => Size::Default,
        SizeArg::Large => Size::Large,
    });
    let heads = args.heads.unwrap_or(named.heads);
    let head_dim = args.head_dim.unwrap_or(named.head_dim);
    let config = ModelConfig {
        dim: args.dim.unwrap_or(heads * head_dim),
        heads,
        head_dim,
        num_layers: args.num_layers.unwrap_or(named.num_layers),
        vocab_size: args.vocab_size.unwrap_or(vocabulary),
        max_sequence_length: args
            .max_sequence_length
            .unwrap_or(named.max_sequence_length),
        dropout: args.dropout,
        ..named
    };
    config
        .validate()
        .map_err(|error| wrong_use(error.to_string()))?;
    config
        .check_vocab(vocabulary)
        .map_err(|error| wrong_use(error.to_string()))?;
    Ok(config)
}

fn tokenizer_bytes(dataset: &Dataset) -> anyhow::Result<Vec<u8>> {
    let path = dataset.folder().join("tokenizer.json");
    std::fs::read(&path).with_context(|| path.display().to_string())
}

fn belongs(model: &ModelFolder, dataset: &Dataset) -> anyhow::Result<()> {
    let (model, data) = (
        model::folder::sha256(&model.tokenizer),
        model::folder::sha256(&tokenizer_bytes(dataset)?),
    );
    if model == data {
        return Ok(());
    }
    Err(wrong_use(format!(
        "the model was trained with the tokenizer {model}, the dataset has {data}; make the dataset with tokenize --tokenizer and the model's"
    )))
}

fn out_folder(args: &Args) -> anyhow::Result<PathBuf> {
    let of_checkpoint = |folder: &Path| match folder.join("config.json").is_file() {
        true => folder.parent().map(Path::to_owned),
        false => Some(folder.to_owned()),
    };
    let resumed = args.resume.as_deref().and_then(of_checkpoint);
    if let Some(out) = args.out.clone().or(resumed) {
        let begun = !train::checkpoint::list(&out).is_empty();
        if begun && args.resume.is_none() {
            let out = out.display();
            return Err(wrong_use(format!(
                "{out} holds a run already; go on with it by --resume {out}, or choose another --out"
            )));
        }
        return Ok(out);
    }
    let now = jiff::Zoned::now().strftime("%Y-%m-%d_%H-%M-%S");
    Ok(Path::new("checkpoints").join(now.to_string()))
}

fn report(outcome: &Outcome, args: &Args, out: &Path) {
    if let Some(best) = &outcome.best {
        say!(
            "best validation loss {:.4} at step {}",
            best.validation_loss,
            best.step
        );
    }
    say!("model {}", outcome.checkpoint.display());
    match outcome.end {
        End::Finished => {}
        End::StoppedEarly => say!("stopped early: the validation loss no longer fell"),
        End::Stopped => say!(
            "stopped at step {}; go on with: tchaikovsky train --dataset {} --resume {}",
            outcome.steps,
            args.dataset.display(),
            out.display()
        ),
    }
}

/// Prints what happens, a line a step.
struct Lines;

impl Observer for Lines {
    fn planned(&mut self, plan: &Plan) {
        say!(
            "{} parameters; {} examples of {} tokens an epoch; {} steps of {} x {} examples; about {:.1} GB of memory",
            plan.parameters,
            plan.examples,
            plan.tokens,
            plan.steps,
            plan.accumulations,
            plan.micro_batch_size,
            plan.memory as f64 / 1e9
        );
        if let Some(baseline) = &plan.baseline {
            say!(
                "to beat: {:.4} nats a token by frequencies alone, {:.4} by pairs",
                baseline.unigram,
                baseline.bigram
            );
        }
        if plan.taken > 0 {
            say!("going on after step {}", plan.taken);
        }
    }

    fn stepped(&mut self, metrics: &StepMetrics) {
        say!(
            "step {:6}  epoch {:6.3}  loss {:.4}  rate {:.2e}  norm {:.3}  {:.0} tokens/s",
            metrics.step,
            metrics.epoch,
            metrics.loss,
            metrics.learning_rate,
            metrics.gradient_norm,
            metrics.tokens_per_second
        );
    }

    fn evaluated(&mut self, metrics: &EvalMetrics) {
        say!(
            "step {:6}  validation loss {:.4}  accuracy {:.1} %  top-5 {:.1} %",
            metrics.step,
            metrics.validation_loss,
            100.0 * metrics.accuracy,
            100.0 * metrics.top5
        );
    }

    fn saved(&mut self, path: &Path) {
        say!("saved {}", path.display());
    }
}
