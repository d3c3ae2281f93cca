//! `tchaikovsky render`: a MIDI file to hear and to see.

mod files;

use std::path::{Path, PathBuf};

use anyhow::Context;
use render::{Depth, PianoOptions, SAMPLE_RATES};
use score::{Score, read_midi};

pub use files::{Kind, Output, Sound, write_picture};

use crate::stop;
use crate::usage::wrong_use;

/// Turn a MIDI file into sound (WAV, FLAC) or a picture (PNG, SVG).
///
/// Sound is that of a built-in piano, or of a SoundFont. Nothing is cut off:
/// what would be too loud is limited.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The MIDI file.
    #[arg(value_name = "FILE.mid")]
    midi: PathBuf,
    /// File to write: .wav or .flac to hear, .png or .svg to see. May be given
    /// several times.
    #[arg(long, short, value_name = "FILE", required = true)]
    out: Vec<PathBuf>,
    /// Play a SoundFont 2 file, each track with its own instrument, in place of
    /// the built-in piano.
    #[arg(long, value_name = "FILE.sf2")]
    soundfont: Option<PathBuf>,
    /// Samples a second.
    #[arg(long, value_name = "HZ", default_value_t = Sound::default().sample_rate)]
    sample_rate: u32,
    /// Bits of a sample; FLAC keeps 24 for float.
    #[arg(long, value_enum, default_value = "16")]
    bits: Bits,
    /// Louder or softer by so many decibels.
    #[arg(
        long,
        value_name = "DB",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    gain: f32,
    /// How much of a room is heard around the built-in piano, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = PianoOptions::default().room)]
    room: f32,
    /// Words above the picture [default: the file's name].
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Width of the picture in pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 1600, value_parser = clap::value_parser!(u32).range(480..=4000))]
    width: u32,
    /// Seconds in a line of the picture [default: up to 40].
    #[arg(long, value_name = "SECONDS")]
    line_seconds: Option<f64>,
    /// Mark so many seconds from the start as the prompt.
    #[arg(long, value_name = "SECONDS")]
    prompt_seconds: Option<f64>,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky render piece.mid --out piece.wav
  tchaikovsky render piece.mid --out piece.flac --bits 24 --sample-rate 96000
  tchaikovsky render piece.mid --out piece.wav --soundfont FluidR3_GM.sf2
  tchaikovsky render piece.mid --out piece.png --out piece.svg --prompt-seconds 10";

/// Bits of a sample.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Bits {
    #[value(name = "16")]
    Sixteen,
    #[value(name = "24")]
    TwentyFour,
    Float,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    args.check()?;
    let outputs: Vec<Output> = args
        .out
        .iter()
        .map(|path| Output::new(path.clone()))
        .collect::<anyhow::Result<_>>()?;
    let score = read(&args.midi)?;
    let stopped = stop::on_signal()?;
    for output in &outputs {
        match output.kind {
            Kind::Sound(format) => args.sound().write(&score, &output.path, format, stopped)?,
            Kind::Picture(format) => {
                write_picture(&score, &output.path, format, &args.picture())?;
            }
        }
    }
    Ok(())
}

impl Args {
    fn check(&self) -> anyhow::Result<()> {
        if !SAMPLE_RATES.contains(&self.sample_rate) {
            let (low, high) = (SAMPLE_RATES.start(), SAMPLE_RATES.end());
            return Err(wrong_use(format!(
                "--sample-rate must be from {low} to {high}, for example 44100 or 48000"
            )));
        }
        if !(-60.0..=60.0).contains(&self.gain) {
            return Err(wrong_use("--gain must be from -60 to 60 (decibels)"));
        }
        if !(0.0..=1.0).contains(&self.room) {
            return Err(wrong_use("--room must be from 0 to 1"));
        }
        let lengths = [
            ("--line-seconds", self.line_seconds),
            ("--prompt-seconds", self.prompt_seconds),
        ];
        for (name, value) in lengths {
            if value.is_some_and(|value| !value.is_finite() || value <= 0.0) {
                return Err(wrong_use(format!("{name} must be above 0")));
            }
        }
        Ok(())
    }

    fn sound(&self) -> Sound {
        Sound {
            soundfont: self.soundfont.clone(),
            sample_rate: self.sample_rate,
            depth: match self.bits {
                Bits::Sixteen => Depth::Sixteen,
                Bits::TwentyFour => Depth::TwentyFour,
                Bits::Float => Depth::Float,
            },
            decibels: self.gain,
            room: self.room,
        }
    }

    fn picture(&self) -> render::PictureOptions {
        let name = || self.midi.file_stem().unwrap_or_default().to_string_lossy();
        render::PictureOptions {
            title: self.title.clone().unwrap_or_else(|| name().into_owned()),
            width: self.width,
            seconds_a_line: self.line_seconds,
            prompt_seconds: self.prompt_seconds,
        }
    }
}

/// Reads a MIDI file that has notes.
fn read(path: &Path) -> anyhow::Result<Score> {
    let name = || path.display().to_string();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", name()))?;
    let reading = read_midi(&bytes).with_context(name)?;
    if !reading.damage.is_sound() {
        eprintln!("{}: {}", name(), reading.damage);
    }
    anyhow::ensure!(
        reading.score.note_count() > 0,
        "{} holds no notes: there is nothing to hear or see",
        name()
    );
    Ok(reading.score)
}
