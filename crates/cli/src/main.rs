//! `tchaikovsky`: learns from piano MIDI and performs.

mod built_in;
mod commands;
mod device;
mod option_file;
mod original;
mod progress;
mod say;
mod spelling;
mod stop;
mod tokenizer;
mod usage;
mod write;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Learns from piano MIDI and performs.
///
/// A folder of recordings becomes tokens (tokenize), a model learns from them
/// (train), and plays on, from nothing or from your prompt (generate).
#[derive(Parser)]
#[command(version, propagate_version = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky generate
  tchaikovsky serve --open
  tchaikovsky tokenize --midis-dir recordings --out-dir dataset --out-tokenizer tokenizer.json
  tchaikovsky train --dataset dataset --size small --rotary --out run
  tchaikovsky generate --model run --prompt-midi piece.mid --seconds 60
  tchaikovsky inspect piece.mid
  tchaikovsky render piece.mid --out piece.wav --out piece.png";

#[derive(Subcommand)]
enum Command {
    Tokenize(commands::tokenize::Args),
    Train(commands::train::Args),
    Generate(commands::generate::Args),
    Evaluate(commands::evaluate::Args),
    Encode(commands::encode::Args),
    Decode(commands::decode::Args),
    Inspect(commands::inspect::Args),
    Render(commands::render::Args),
    Serve(commands::serve::Args),
    Import(commands::import::Args),
    Export(commands::export::Args),
}

fn main() -> ExitCode {
    let args = spelling::with_hyphens(std::env::args_os());
    let result = option_file::expand(&Cli::command(), args).and_then(run);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if say::reader_has_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tchaikovsky: {}", message(&error));
            usage::exit_code(&error)
        }
    }
}

fn run(args: Vec<OsString>) -> anyhow::Result<()> {
    match Cli::parse_from(args).command {
        Command::Tokenize(args) => commands::tokenize::run(args),
        Command::Train(args) => commands::train::run(args),
        Command::Generate(args) => commands::generate::run(args),
        Command::Evaluate(args) => commands::evaluate::run(args),
        Command::Encode(args) => commands::encode::run(args),
        Command::Decode(args) => commands::decode::run(args),
        Command::Inspect(args) => commands::inspect::run(args),
        Command::Render(args) => commands::render::run(args),
        Command::Serve(args) => commands::serve::run(args),
        Command::Import(args) => commands::import::run(args),
        Command::Export(args) => commands::export::run(args),
    }
}

/// The error and its causes, without those that the text before tells already.
fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
