//! `tchaikovsky encode`: MIDI files to ids, a JSON line a file.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;
use corpus::{open_tokenizer, piano_score};
use remi::{BaseTokens, Scratch, Time, Tokenizer};
use score::{Merge, Score, read_midi, to_performance_time};
use serde::Serialize;

/// Print the ids of MIDI files, a JSON line a file: {"file": ..., "ids": [[...]]}.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The tokenizer: a tokenizer.json, or a dataset or model folder.
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// Add the names of the base tokens.
    #[arg(long)]
    tokens: bool,
    /// Merge all tracks but drums into one.
    #[arg(long)]
    merge: bool,
    /// MIDI files; - is standard input.
    #[arg(required = true, value_name = "MIDI")]
    files: Vec<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky encode --tokenizer tokenizer.json piece.mid
  tchaikovsky encode --tokenizer model --tokens --merge *.mid
  cat piece.mid | tchaikovsky encode --tokenizer tokenizer.json -";

#[derive(Serialize)]
struct Line<'a> {
    file: String,
    ids: Vec<Vec<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Vec<Vec<&'a str>>>,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    let tokenizer = open_tokenizer(&args.tokenizer)?;
    let mut out = std::io::stdout().lock();
    let mut scratch = Scratch::default();
    let mut failed = 0;
    for file in &args.files {
        let name = file.display().to_string();
        let base = match encode(&tokenizer, file, args.merge) {
            Ok(base) => base,
            Err(error) => {
                eprintln!("{name}: {error:#}");
                failed += 1;
                continue;
            }
        };
        let ids = base
            .iter()
            .map(|track| tokenizer.apply_bpe(track, &mut scratch))
            .collect();
        let names = |track: &BaseTokens| tokenizer.names(&track.ids);
        let tokens = args.tokens.then(|| base.iter().map(names).collect());
        let line = Line {
            file: name,
            ids,
            tokens,
        };
        serde_json::to_writer(&mut out, &line)?;
        writeln!(out)?;
    }
    if failed > 0 {
        bail!(
            "{failed} of {} files could not be encoded",
            args.files.len()
        );
    }
    Ok(())
}

fn encode(tokenizer: &Tokenizer, file: &Path, merge: bool) -> anyhow::Result<Vec<BaseTokens>> {
    let mut score = read(file)?;
    if tokenizer.time() == Time::Performance {
        score = to_performance_time(&score);
    }
    if merge {
        let empty = || Score {
            tracks: Vec::new(),
            ..score.clone()
        };
        score = piano_score(&score, Merge::All, Time::Score).unwrap_or_else(empty);
    }
    Ok(tokenizer.encode_base(&score)?)
}

/// Reads a MIDI file or standard input; what it lost is told on standard error.
fn read(file: &Path) -> anyhow::Result<Score> {
    let bytes = if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        bytes
    } else {
        std::fs::read(file)?
    };
    let reading = read_midi(&bytes)?;
    if !reading.damage.is_sound() {
        eprintln!("{}: damaged: {}", file.display(), reading.damage);
    }
    Ok(reading.score)
}
