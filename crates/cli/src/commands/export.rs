//! `tchaikovsky export`: from a model folder to what other programs load.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use model::ModelFolder;
use model::torch::to_torch;

use crate::usage::wrong_use;
use crate::write::atomically;

/// Write a model's weights for another program.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Model folder, or a folder of checkpoints (the best is taken).
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// What to write, and where: safetensors-torch is a safetensors file with
    /// the names of a PyTorch module (docs/pytorch.md).
    #[arg(long, required = true, num_args = 2, value_names = ["FORMAT", "FILE"])]
    to: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky export --model model --to safetensors-torch model-torch.safetensors";

const TORCH: &str = "safetensors-torch";

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    let (format, file) = match args.to.as_slice() {
        [format, file] => (format, Path::new(file)),
        _ => return Err(wrong_use("--to takes a format and a file")),
    };
    if format != TORCH {
        return Err(wrong_use(format!(
            "{} is no format; there is {TORCH}",
            format.display()
        )));
    }
    let folder = train::checkpoint::resolve(&args.model)?;
    let ModelFolder {
        config, weights, ..
    } = ModelFolder::read(&folder)?;
    if config.rotary || config.tied {
        return Err(wrong_use(
            "a model with rotary positions or tied embeddings has no such module; export one without",
        ));
    }
    let heads = config.heads.to_string();
    let header = [("format", "pt"), ("heads", heads.as_str())];
    let exported = to_torch(&config, weights)?;
    let tensors = exported.iter().count();
    atomically(file, &exported.to_bytes(&header)?)?;
    crate::say!("{}: {tensors} tensors", file.display());
    Ok(())
}
