//! `tchaikovsky export`: from a model folder to what other programs load.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use model::ModelFolder;
use model::save::Stored;
use model::torch::to_torch;

use crate::built_in;
use crate::usage::wrong_use;
use crate::write::atomically;

/// Write a model for another program, or smaller.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Model folder, or a folder of checkpoints (the best is taken) [default:
    /// the model in the box].
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// What to write, and where. safetensors-torch: a safetensors file with the
    /// names of a PyTorch module (docs/pytorch.md). folder: a model folder;
    /// folder-bf16: one of half the size, for playing.
    #[arg(long, required = true, num_args = 2, value_names = ["FORMAT", "PATH"])]
    to: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky export --model run --to safetensors-torch model-torch.safetensors
  tchaikovsky export --model run --to folder-bf16 small-model
  tchaikovsky export --to folder piano";

const TORCH: &str = "safetensors-torch";
const FOLDER: &str = "folder";
const FOLDER_BF16: &str = "folder-bf16";

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    let (format, path) = match args.to.as_slice() {
        [format, path] => (format, Path::new(path)),
        _ => return Err(wrong_use("--to takes a format and a path")),
    };
    let stored = match format.to_str() {
        Some(TORCH) => None,
        Some(FOLDER) => Some(Stored::F32),
        Some(FOLDER_BF16) => Some(Stored::Bf16),
        _ => {
            return Err(wrong_use(format!(
                "{} is no format; there are {TORCH}, {FOLDER} and {FOLDER_BF16}",
                format.display()
            )));
        }
    };
    let model = built_in::or_folder(args.model.as_deref())?;
    match stored {
        Some(stored) => to_folder(&model, path, stored),
        None => to_torch_file(model, path),
    }
}

fn to_folder(model: &ModelFolder, folder: &Path, stored: Stored) -> anyhow::Result<()> {
    if folder.exists() {
        return Err(wrong_use(format!(
            "{} is there already; name a folder that is not",
            folder.display()
        )));
    }
    model.write_as(folder, stored)?;
    let parameters = model.config.parameter_count();
    crate::say!("{}: {parameters} parameters", folder.display());
    Ok(())
}

fn to_torch_file(model: ModelFolder, file: &Path) -> anyhow::Result<()> {
    let ModelFolder {
        config, weights, ..
    } = model;
    let heads = config.heads.to_string();
    let header = [("format", "pt"), ("heads", heads.as_str())];
    let exported = to_torch(&config, weights)?;
    let tensors = exported.iter().count();
    atomically(file, &exported.to_bytes(&header)?)?;
    crate::say!("{}: {tensors} tensors", file.display());
    Ok(())
}
