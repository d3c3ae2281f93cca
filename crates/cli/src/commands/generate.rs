//! `tchaikovsky generate`: from a model and a prompt to a performance.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::ValueEnum;
use corpus::piano_score;
use generate::{
    Engine, EngineOptions, Sample, SamplerOptions, Session, SessionOptions, WeightFormat,
};
use indicatif::{ProgressBar, ProgressStyle};
use model::ModelFolder;
use remi::{Time, Token, Tokenizer};
use score::{Merge, Score, TempoMap, measure, read_midi, write_midi};
use serde::Serialize;

use crate::usage::wrong_use;
use crate::{stop, write};

/// Make music: from nothing, or continuing a MIDI file.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Model folder, or a folder of checkpoints (the best is taken).
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Where to begin: with a MIDI file, or from nothing [default: file where
    /// --prompt-midi is given].
    #[arg(long, value_enum)]
    prompt_mode: Option<PromptMode>,
    /// MIDI file to continue.
    #[arg(long, value_name = "FILE")]
    prompt_midi: Option<PathBuf>,
    /// Use only so many tokens from the start of the prompt.
    #[arg(long, value_name = "TOKENS")]
    prompt_midi_slice: Option<usize>,
    /// Use only so many seconds from the start of the prompt.
    #[arg(long, value_name = "SECONDS")]
    prompt_seconds: Option<f64>,
    /// How freely to choose: 0 takes the likeliest, 1 follows the model.
    #[arg(long, default_value_t = 1.0)]
    temperature: f32,
    /// Choose among this many likeliest only; 0 is all.
    #[arg(long, default_value_t = 0, value_name = "N")]
    top_k: usize,
    /// Choose among the likeliest that together have this probability.
    #[arg(long, default_value_t = 1.0, value_name = "P")]
    top_p: f32,
    /// Choose among those at least so likely as this share of the likeliest.
    #[arg(long, default_value_t = 0.0, value_name = "P")]
    min_p: f32,
    /// Most tokens to generate.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    max_to_generate: usize,
    /// Seconds of music to generate, in place of tokens.
    #[arg(long, value_name = "SECONDS", conflicts_with = "max_to_generate")]
    seconds: Option<f64>,
    /// Go on when the piece would end.
    #[arg(long)]
    no_end: bool,
    /// Leave the prompt out of the result.
    #[arg(long)]
    output_generated_only: bool,
    /// File to write [default: generated_midis/DATE_TIME.mid].
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Seed of the choices.
    #[arg(long, default_value_t = 255, value_name = "N")]
    seed: u64,
    /// Threads [default: all cores].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky generate --model runs/first
  tchaikovsky generate --model runs/first --prompt-midi my.mid --seconds 60 --output-file more.mid
  tchaikovsky generate --model runs/first --temperature 0.9 --top-p 0.95 --seed 7";

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum PromptMode {
    File,
    Unconditional,
}

/// What was made.
#[derive(Serialize)]
struct Summary {
    file: String,
    prompt_tokens: usize,
    tokens: usize,
    prefill_seconds: f64,
    decode_seconds: f64,
    tokens_per_second: f64,
    notes: usize,
    seconds: f64,
    senseless_tokens: usize,
}

/// Without a limit in tokens a piece still ends somewhere.
const MOST_TOKENS: usize = 1_000_000;

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    check(&args)?;
    let folder = train::checkpoint::resolve(&args.model)
        .map_err(|_| model::FolderError::NoFolder(args.model.clone()))
        .context("no model to play with")?;
    let ModelFolder {
        config,
        weights,
        tokenizer,
        ..
    } = ModelFolder::read(&folder)?;
    let path = folder.join("tokenizer.json");
    let tokenizer = Tokenizer::from_json(&String::from_utf8_lossy(&tokenizer), &path)?;
    config.check_vocab(tokenizer.len())?;
    let prompt = prompt(&args, &tokenizer)?;
    let options = EngineOptions {
        format: WeightFormat::F32,
        threads: args.threads.unwrap_or(0),
        ..EngineOptions::default()
    };
    let mut engine = Engine::new(&config, weights, options)?;
    let made = play(&args, &tokenizer, &mut engine, &prompt)?;
    finish(&args, &tokenizer, &prompt, made)
}

fn check(args: &Args) -> anyhow::Result<()> {
    if args.prompt_mode == Some(PromptMode::File) && args.prompt_midi.is_none() {
        return Err(wrong_use("--prompt-mode file needs --prompt-midi FILE"));
    }
    if args.prompt_mode == Some(PromptMode::Unconditional) && args.prompt_midi.is_some() {
        return Err(wrong_use(
            "--prompt-mode unconditional takes no --prompt-midi",
        ));
    }
    let positive = |value: Option<f64>| value.is_none_or(|value| value.is_finite() && value > 0.0);
    if !positive(args.seconds) || !positive(args.prompt_seconds) {
        return Err(wrong_use("--seconds and --prompt-seconds must be above 0"));
    }
    if args.prompt_midi_slice == Some(0) {
        return Err(wrong_use("--prompt-midi-slice must be at least 1"));
    }
    Ok(())
}

/// What the music continues.
#[derive(Default)]
struct Prompt {
    ids: Vec<u32>,
    /// The prompt's own score, for its tempos.
    score: Option<Score>,
}

fn prompt(args: &Args, tokenizer: &Tokenizer) -> anyhow::Result<Prompt> {
    let Some(path) = &args.prompt_midi else {
        return Ok(Prompt::default());
    };
    let name = || path.display().to_string();
    let reading = read_midi(&std::fs::read(path).with_context(name)?).with_context(name)?;
    let mut score = piano_score(&reading.score, Merge::All, tokenizer.time())
        .with_context(|| format!("{} has no piano notes to continue", name()))?;
    if let Some(seconds) = args.prompt_seconds {
        let map = TempoMap::new(&score);
        for track in &mut score.tracks {
            track.notes.retain(|note| map.seconds(note.onset) < seconds);
            track
                .pedals
                .retain(|pedal| map.seconds(pedal.onset) < seconds);
        }
    }
    let mut ids = tokenizer
        .encode(&score)?
        .into_iter()
        .next()
        .unwrap_or_default();
    ids.truncate(args.prompt_midi_slice.unwrap_or(usize::MAX));
    if ids.is_empty() {
        anyhow::bail!("{} has no notes within the prompt; give more of it", name());
    }
    Ok(Prompt {
        ids,
        score: Some(score),
    })
}

/// What was drawn, and how fast.
struct Made {
    ids: Vec<u32>,
    prefill_seconds: f64,
    decode_seconds: f64,
}

fn play(
    args: &Args,
    tokenizer: &Tokenizer,
    engine: &mut Engine,
    prompt: &Prompt,
) -> anyhow::Result<Made> {
    let stopped = stop::on_signal()?;
    let bos = tokenizer.special("BOS_None").unwrap_or(model::BOS);
    let first: Vec<u32> = std::iter::once(bos)
        .chain(prompt.ids.iter().copied())
        .collect();
    let bar = progress(args);
    let begins_bar = begins_bar(tokenizer);
    let boundary = begins_bar.clone();
    let enough = args
        .seconds
        .map(|seconds| Enough::new(tokenizer, prompt, seconds));
    let specials = 0..tokenizer.config().special_tokens.len() as u32;
    let end = tokenizer.special("EOS_None").unwrap_or(model::EOS);
    let options = SessionOptions {
        sampler: SamplerOptions {
            temperature: args.temperature,
            top_k: args.top_k,
            top_p: args.top_p,
            min_p: args.min_p,
            ..SamplerOptions::default()
        },
        max_tokens: Some(if args.seconds.is_some() {
            MOST_TOKENS
        } else {
            args.max_to_generate
        }),
        bos,
        end: (!args.no_end).then_some(end),
        never: specials.filter(|id| args.no_end || *id != end).collect(),
        stop: None,
        boundary: Box::new(move |id| boundary.get(id as usize).copied().unwrap_or(false)),
    };
    let sample = Sample {
        prompt: first,
        seed: args.seed,
        grammar: None,
    };
    let began = Instant::now();
    let mut session = Session::new(engine, vec![sample], options)
        .map_err(|error| wrong_use(error.to_string()))?;
    session.prefill()?;
    let prefill_seconds = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let mut ids = Vec::new();
    for token in session {
        ids.push(token?.id);
        bar.inc(1);
        let at_bar = ids
            .last()
            .is_some_and(|id| begins_bar.get(*id as usize) == Some(&true));
        let long_enough = || enough.as_ref().is_some_and(|enough| enough.reached(&ids));
        if stopped.load(std::sync::atomic::Ordering::Relaxed) || (at_bar && long_enough()) {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(Made {
        ids,
        prefill_seconds,
        decode_seconds: began.elapsed().as_secs_f64(),
    })
}

fn progress(args: &Args) -> ProgressBar {
    let template = "{pos} tokens, {per_sec:.0}, {elapsed}";
    let style = ProgressStyle::with_template(template);
    let bar = match args.seconds {
        Some(_) => ProgressBar::new_spinner(),
        None => ProgressBar::new(args.max_to_generate as u64),
    };
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// For each id, whether it begins a bar.
fn begins_bar(tokenizer: &Tokenizer) -> Vec<bool> {
    let first = |id: usize| tokenizer.expand(&[id as u32]).0.first().copied();
    let is_bar = |base: u16| matches!(tokenizer.vocabulary().token(base), Some(Token::Bar(_)));
    (0..tokenizer.len())
        .map(|id| first(id).is_some_and(is_bar))
        .collect()
}

/// Tells when enough seconds were made.
struct Enough<'a> {
    tokenizer: &'a Tokenizer,
    prompt: &'a Prompt,
    until: f64,
}

impl<'a> Enough<'a> {
    fn new(tokenizer: &'a Tokenizer, prompt: &'a Prompt, seconds: f64) -> Self {
        let before = result(tokenizer, prompt, &[], false).0;
        Self {
            tokenizer,
            prompt,
            until: last_onset(&before) + seconds,
        }
    }

    fn reached(&self, ids: &[u32]) -> bool {
        last_onset(&result(self.tokenizer, self.prompt, ids, false).0) >= self.until
    }
}

fn last_onset(score: &Score) -> f64 {
    let onsets = score.tracks.iter().flat_map(|track| track.notes.last());
    TempoMap::new(score).seconds(onsets.map(|note| note.onset).max().unwrap_or(0))
}

/// The score of prompt and continuation, in the prompt's tempo unless the
/// tokens tell their own; and the tokens that made no sense.
fn result(tokenizer: &Tokenizer, prompt: &Prompt, ids: &[u32], only_new: bool) -> (Score, usize) {
    let before: &[u32] = if only_new { &[] } else { &prompt.ids };
    let all: Vec<u32> = before.iter().chain(ids).copied().collect();
    let decoded = tokenizer.decode(&[all]);
    let mut score = decoded.score;
    let keeps_tempo = !tokenizer.config().use_tempos && tokenizer.time() == Time::Score;
    if let Some(original) = prompt
        .score
        .as_ref()
        .filter(|score| keeps_tempo && !score.tempos.is_empty())
    {
        let scale = f64::from(score.ticks_per_quarter) / f64::from(original.ticks_per_quarter);
        score.tempos = original.tempos.clone();
        for tempo in &mut score.tempos {
            tempo.onset = (f64::from(tempo.onset) * scale).round() as u32;
        }
    }
    (score, decoded.senseless)
}

fn finish(args: &Args, tokenizer: &Tokenizer, prompt: &Prompt, made: Made) -> anyhow::Result<()> {
    let (score, senseless_tokens) =
        result(tokenizer, prompt, &made.ids, args.output_generated_only);
    let file = match &args.output_file {
        Some(file) => file.clone(),
        None => {
            let now = jiff::Zoned::now().strftime("%Y-%m-%d_%H-%M-%S.mid");
            Path::new("generated_midis").join(now.to_string())
        }
    };
    write::atomically(&file, &write_midi(&score)?)?;
    let figures = measure(&score);
    let tokens = made.ids.len();
    let summary = Summary {
        file: file.display().to_string(),
        prompt_tokens: prompt.ids.len(),
        tokens,
        prefill_seconds: made.prefill_seconds,
        decode_seconds: made.decode_seconds,
        tokens_per_second: tokens as f64 / made.decode_seconds.max(1e-9),
        notes: figures.notes,
        seconds: figures.seconds,
        senseless_tokens,
    };
    if args.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        println!("{}", summary.file);
        println!(
            "  {} tokens after a prompt of {}, {:.0} a second",
            tokens, summary.prompt_tokens, summary.tokens_per_second
        );
        println!(
            "  {} notes, {:.1} seconds, at most {} at once",
            figures.notes, figures.seconds, figures.polyphony
        );
        if senseless_tokens > 0 {
            println!(
                "  {senseless_tokens} tokens made no sense where they stood and were left out"
            );
        }
    }
    Ok(())
}
