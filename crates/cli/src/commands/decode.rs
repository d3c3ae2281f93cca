//! `tchaikovsky decode`: ids back to a MIDI file.

use std::path::PathBuf;

use anyhow::Context;
use corpus::open_tokenizer;
use score::write_midi;
use serde::Deserialize;

use crate::say;
use crate::write;

/// Turn ids (a line that encode prints) back into a MIDI file.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The tokenizer: a tokenizer.json, or a dataset or model folder.
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// The MIDI file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// File with {"ids": [[...], ...]}, one list a track, or one list alone.
    #[arg(value_name = "IDS.json")]
    ids: PathBuf,
}

const EXAMPLES: &str = "\
Example:
  tchaikovsky encode --tokenizer tokenizer.json piece.mid > piece.json
  tchaikovsky decode --tokenizer tokenizer.json piece.json --out again.mid";

#[derive(Deserialize)]
struct Line {
    ids: Ids,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    Tracks(Vec<Vec<u32>>),
    One(Vec<u32>),
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    let tokenizer = open_tokenizer(&args.tokenizer)?;
    let name = || args.ids.display().to_string();
    let text = std::fs::read_to_string(&args.ids).with_context(name)?;
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let parsed: Line = serde_json::from_str(first)
        .or_else(|_| serde_json::from_str(&text))
        .with_context(|| format!("{} holds no ids; give a line that encode printed", name()))?;
    let tracks = match parsed.ids {
        Ids::Tracks(tracks) => tracks,
        Ids::One(ids) => vec![ids],
    };
    let decoded = tokenizer.decode(&tracks);
    write::atomically(&args.out, &write_midi(&decoded.score)?)?;
    say!(
        "{}: {} notes",
        args.out.display(),
        decoded.score.note_count()
    );
    if decoded.senseless > 0 {
        say!(
            "{} tokens made no sense where they stood",
            decoded.senseless
        );
    }
    Ok(())
}
