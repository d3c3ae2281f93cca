//! What is typed.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ValueEnum;
use generate::{Length, SamplerOptions};

use super::engine::Computing;
use crate::usage::wrong_use;

/// Make music: from nothing, or continuing a MIDI file.
///
/// Without a model of yours, the one in the box plays.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Model folder, or a folder of checkpoints (the best is taken) [default:
    /// the model in the box].
    #[arg(long, value_name = "DIR", group = "weights_from")]
    pub model: Option<PathBuf>,
    /// The same by its parts: a safetensors file, or a folder as for --model.
    #[arg(long, value_name = "PATH", group = "weights_from")]
    pub checkpoint: Option<PathBuf>,
    /// The model's configuration [default: config.json beside the weights].
    #[arg(long, short, value_name = "FILE", requires = "weights_from")]
    pub config: Option<PathBuf>,
    /// The model's tokenizer [default: tokenizer.json beside the weights].
    #[arg(long, value_name = "FILE", requires = "weights_from")]
    pub tokenizer: Option<PathBuf>,
    /// Where to begin: with a MIDI file, or from nothing [default: file where
    /// --prompt-midi is given].
    #[arg(long, value_enum)]
    pub prompt_mode: Option<PromptMode>,
    /// MIDI file to continue; its tracks are merged.
    #[arg(long, value_name = "FILE")]
    pub prompt_midi: Option<PathBuf>,
    /// Use only so many tokens from the start of the prompt.
    #[arg(long, value_name = "TOKENS")]
    pub prompt_midi_slice: Option<NonZeroUsize>,
    /// Use only so many seconds from the start of the prompt.
    #[arg(long, value_name = "SECONDS")]
    pub prompt_seconds: Option<f64>,
    /// Use only so many bars from the start of the prompt.
    #[arg(long, value_name = "BARS")]
    pub prompt_bars: Option<NonZeroUsize>,
    /// Fail where the prompt is longer than the model's window, in place of
    /// using its end.
    #[arg(long)]
    pub strict_prompt: bool,
    /// How freely to choose: 0 takes the likeliest, 1 follows the model.
    #[arg(long, default_value_t = SamplerOptions::default().temperature)]
    pub temperature: f32,
    /// Choose among this many likeliest only; 0 is all.
    #[arg(long, default_value_t = SamplerOptions::default().top_k, value_name = "N")]
    pub top_k: usize,
    /// Choose among the likeliest that together have this probability; 1 is all.
    #[arg(long, default_value_t = SamplerOptions::default().top_p, value_name = "P")]
    pub top_p: f32,
    /// Choose among those at least so likely as this share of the likeliest.
    #[arg(long, default_value_t = SamplerOptions::default().min_p, value_name = "P")]
    pub min_p: f32,
    /// Make recent tokens less likely by this factor; 1 changes nothing.
    #[arg(long, default_value_t = SamplerOptions::default().repetition_penalty, value_name = "FACTOR")]
    pub repetition_penalty: f32,
    /// How many of the latest tokens are recent.
    #[arg(long, default_value_t = SamplerOptions::default().repetition_window, value_name = "TOKENS")]
    pub repetition_window: usize,
    /// Most tokens to generate [default: 4096, without limit where another
    /// limit is given].
    #[arg(long, value_name = "N")]
    pub max_to_generate: Option<NonZeroUsize>,
    /// Most seconds of music to generate [default: a whole minute; without limit
    /// where another limit is given].
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<f64>,
    /// Most bars to generate, after the one in which the prompt ends.
    #[arg(long, value_name = "N")]
    pub bars: Option<NonZeroUsize>,
    /// Most notes to generate.
    #[arg(long, value_name = "N")]
    pub notes: Option<NonZeroUsize>,
    /// Go on when the piece would end [default where no limit is given].
    #[arg(long)]
    pub no_end: bool,
    /// Allow tokens in any order, also senseless ones.
    #[arg(long)]
    pub free: bool,
    /// Leave the prompt out of the result, which then begins with the bar of
    /// the first new note.
    #[arg(long)]
    pub output_generated_only: bool,
    /// File to write [default: generated_midis/DATE_TIME.mid].
    #[arg(long, value_name = "FILE")]
    pub output_file: Option<PathBuf>,
    /// Play the result into this file too (.wav or .flac); `render` has more
    /// options.
    #[arg(long, value_name = "FILE")]
    pub audio: Option<PathBuf>,
    /// Draw the result into this file too (.png or .svg), with a line between
    /// prompt and continuation.
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Pieces to make together; each has the next seed and a number in its
    /// file's name.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub num_samples: u8,
    /// Seed of the choices: another one plays something else.
    #[arg(long, default_value_t = 255, value_name = "N")]
    pub seed: u64,
    #[command(flatten)]
    pub computing: Computing,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
    /// Print each note as a line of JSON as soon as it is complete, in seconds.
    #[arg(long)]
    pub stream: bool,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky generate
  tchaikovsky generate --prompt-midi my.mid --prompt-seconds 20 --output-file more.mid
  tchaikovsky generate --audio new.wav --picture new.png
  tchaikovsky generate --model runs/first --seconds 300 --no-end
  tchaikovsky generate --model runs/first --temperature 0.9 --top-p 0.95 --num-samples 4 --bars 32
  tchaikovsky generate --model runs/first --stream --no-end --notes 10000";

/// Where to begin.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum PromptMode {
    File,
    Unconditional,
}

/// Seconds where no limit is given, and tokens, for models that do not let time
/// pass.
const DEFAULT_SECONDS: f64 = 60.0;
const DEFAULT_TOKENS: usize = 4096;

impl Args {
    /// Refuses options that contradict one another or make no sense.
    pub fn check(&self) -> anyhow::Result<()> {
        let sliced = self.prompt_midi_slice.is_some()
            || self.prompt_seconds.is_some()
            || self.prompt_bars.is_some();
        match (self.prompt_mode, &self.prompt_midi) {
            (Some(PromptMode::File), None) => {
                return Err(wrong_use("--prompt-mode file needs --prompt-midi FILE"));
            }
            (Some(PromptMode::Unconditional), Some(_)) => {
                return Err(wrong_use(
                    "--prompt-mode unconditional takes no --prompt-midi; leave one of them out",
                ));
            }
            (_, None) if sliced => {
                return Err(wrong_use(
                    "a part of a prompt needs a prompt: give --prompt-midi FILE",
                ));
            }
            _ => {}
        }
        let lengths = [
            ("--seconds", self.seconds),
            ("--prompt-seconds", self.prompt_seconds),
        ];
        for (name, value) in lengths {
            if value.is_some_and(|value| !value.is_finite() || value <= 0.0) {
                return Err(wrong_use(format!("{name} must be above 0")));
            }
        }
        let sampler = self.sampler().validate();
        sampler.map_err(|error| wrong_use(error.to_string()))
    }

    /// How tokens are drawn.
    pub fn sampler(&self) -> SamplerOptions {
        SamplerOptions {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            repetition_window: self.repetition_window,
        }
    }

    /// When samples end, and whether the model may end them before: not where no
    /// limit is given, since who asks for no more than a piece wants a whole one.
    pub fn length(&self) -> (Length, bool) {
        let given = Length {
            tokens: self.max_to_generate.map(NonZeroUsize::get),
            seconds: self.seconds,
            bars: self.bars.map(NonZeroUsize::get),
            notes: self.notes.map(NonZeroUsize::get),
        };
        if given != Length::default() {
            return (given, !self.no_end);
        }
        let minute = Length {
            tokens: Some(DEFAULT_TOKENS),
            seconds: Some(DEFAULT_SECONDS),
            ..given
        };
        (minute, false)
    }
}
