//! `tchaikovsky evaluate`: how well a model foresees music, or what music is like.

mod model;
mod music;

use std::path::PathBuf;

use ::model::DeviceName;

/// Measure how well a model foresees pieces: negative log-likelihood in nats.
/// With --music: figures that describe the music of MIDI files.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Model folder, or a run (its best checkpoint is taken) [default: the model
    /// in the box].
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Evaluate on the validation pieces of this dataset.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["ids", "midis"])]
    dataset: Option<PathBuf>,
    /// Evaluate on these ids as they are: JSON lines {"ids": [...]}.
    #[arg(long, value_name = "FILE", conflicts_with = "midis")]
    ids: Option<PathBuf>,
    /// MIDI files to evaluate on.
    #[arg(value_name = "MIDI")]
    midis: Vec<PathBuf>,
    /// Hold this share of the training pieces out too, as train does [default:
    /// 0.1 where the dataset holds out none].
    #[arg(long, value_name = "SHARE", requires = "dataset")]
    val_proportion: Option<f64>,
    /// Windows that are scored at once.
    #[arg(long, default_value_t = 4, value_name = "N")]
    batch_size: usize,
    /// Where to compute: auto (a GPU that this build reaches, else the CPU),
    /// cpu, or a GPU by name, such as vulkan:0.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceName,
    #[command(flatten)]
    music: music::Args,
    /// Print JSON: all figures, with those of each piece.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky evaluate --model run --dataset dataset
  tchaikovsky evaluate --model run --json one.mid other.mid
  tchaikovsky evaluate --model run --ids lines.jsonl --json
  tchaikovsky evaluate --music generated_midis --reference recordings
  tchaikovsky evaluate --music generated_midis --reference dataset --training dataset";

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    match &args.music.music {
        Some(folder) => music::run(folder, &args.music, args.json),
        None => model::run(&args),
    }
}
