//! Draws the samples and tells how far it is.

use std::sync::atomic::Ordering;
use std::time::Instant;

use generate::{Decoder, Drawn, PieceOptions, Pieces, Prompt, Rules};
use indicatif::{ProgressBar, ProgressStyle};
use remi::Tokenizer;

use super::Args;
use super::stream::Stream;
use crate::stop;
use crate::usage::wrong_use;

/// What was drawn, and how fast.
pub struct Made {
    pub samples: Vec<Drawn>,
    pub prefill_seconds: f64,
    pub decode_seconds: f64,
}

/// Plays all samples to their ends.
pub fn play(
    args: &Args,
    tokenizer: &Tokenizer,
    engine: &mut dyn Decoder,
    prompt: &Prompt,
    mut stream: Stream,
) -> anyhow::Result<Made> {
    let stopped = stop::on_signal()?;
    let (length, may_end) = args.length();
    let options = PieceOptions {
        sampler: args.sampler(),
        seed: args.seed,
        pieces: usize::from(args.num_samples),
        length,
        no_end: !may_end,
        free: args.free,
    };
    let rules = Rules::new(tokenizer);
    let mut pieces = Pieces::new(engine, tokenizer, &rules, prompt, &options)
        .map_err(|error| wrong_use(error.to_string()))?;
    if pieces.unseen() > 0 {
        eprintln!(
            "the prompt has {} tokens, more than the model's window: its last {} are used",
            prompt.ids.len(),
            prompt.ids.len() - pieces.unseen()
        );
    }
    let bar = progress(args);
    let began = Instant::now();
    pieces.prefill()?;
    let prefill_seconds = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let mut interrupted = false;
    while let Some(drawn) = pieces.draw(|sample, follower, event| {
        // A reader that has gone away ends the music, not the file.
        interrupted |= stream.event(sample, follower, event).is_err();
    }) {
        let sample = drawn?;
        bar.inc(1);
        if let Some(follower) = pieces.follower(0).filter(|_| sample == 0) {
            let start = pieces.start();
            let made = follower.seconds(follower.tick()) - start.seconds(start.tick());
            bar.set_message(format!("{made:.0} s of music"));
        }
        if interrupted || stopped.load(Ordering::Relaxed) {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(Made {
        samples: pieces.finish(),
        prefill_seconds,
        decode_seconds: began.elapsed().as_secs_f64(),
    })
}

fn progress(args: &Args) -> ProgressBar {
    if args.stream {
        return ProgressBar::hidden();
    }
    let template = "{pos} tokens, {per_sec:.0}, {msg}, {elapsed}";
    let style = ProgressStyle::with_template(template);
    ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}
