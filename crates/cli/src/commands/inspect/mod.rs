//! `tchaikovsky inspect`: what a MIDI file, a tokenizer or a dataset holds.

mod midi;
mod picture;
mod tokens;

use std::path::PathBuf;

/// Show what files hold: of MIDI files figures and a picture of the notes, of
/// tokenizers, datasets and models their configuration and figures.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// MIDI files, tokenizer files, dataset or model folders.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print JSON, a line a file.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky inspect piece.mid
  tchaikovsky inspect --json *.mid
  tchaikovsky inspect tokenizer.json dataset";

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    for file in &args.files {
        let is_json = file
            .extension()
            .is_some_and(|extension| extension == "json");
        if file.join("dataset.json").is_file() {
            tokens::show_dataset(file, args.json)?;
        } else if file.is_dir() || is_json {
            tokens::show_tokenizer(file, args.json)?;
        } else {
            midi::show(file, args.json)?;
        }
    }
    Ok(())
}
