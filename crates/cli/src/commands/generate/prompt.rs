//! What the music continues.

use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::Context;
use corpus::piano_score;
use generate::{Part, Prompt};
use remi::Tokenizer;
use score::{Merge, Score, read_midi};

use super::Args;

/// Reads the prompt that the options name; without any, a piece begins.
pub fn read(args: &Args, tokenizer: &Tokenizer) -> anyhow::Result<Prompt> {
    let Some(path) = &args.prompt_midi else {
        return Ok(Prompt::nothing(tokenizer));
    };
    let score = read_score(path, tokenizer)?;
    let part = Part {
        seconds: args.prompt_seconds,
        bars: args.prompt_bars.map(NonZeroUsize::get),
        tokens: args.prompt_midi_slice.map(NonZeroUsize::get),
    };
    Prompt::new(&score, &part, tokenizer).with_context(|| path.display().to_string())
}

fn read_score(path: &Path, tokenizer: &Tokenizer) -> anyhow::Result<Score> {
    let name = || path.display().to_string();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", name()))?;
    let reading = read_midi(&bytes).with_context(name)?;
    if !reading.damage.is_sound() {
        eprintln!("{}: {}", name(), reading.damage);
    }
    piano_score(&reading.score, Merge::All, tokenizer.time()).with_context(|| {
        format!(
            "{} has no notes to continue (drums are left out); give another prompt",
            name()
        )
    })
}
