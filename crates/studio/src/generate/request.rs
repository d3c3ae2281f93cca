//! What is asked for, checked.

use std::fmt::Display;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use generate::{Length, Part, PieceOptions, SamplerOptions};
use serde::Deserialize;

use crate::examples;
use crate::limits::Limits;
use crate::problem::Problem;
use crate::random;
use crate::studio::Studio;

/// As it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    model: Option<String>,
    prompt: Option<TypedPrompt>,
    seed: Option<u64>,
    #[serde(default = "one")]
    variations: usize,
    #[serde(default)]
    length: TypedLength,
    #[serde(default)]
    sampling: TypedSampling,
    #[serde(default = "yes")]
    may_end: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedPrompt {
    /// A MIDI file in base64.
    midi: Option<String>,
    example: Option<String>,
    seconds: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TypedLength {
    seconds: Option<f64>,
    notes: Option<usize>,
    tokens: Option<usize>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TypedSampling {
    temperature: f32,
    top_k: usize,
    top_p: f32,
    min_p: f32,
    repetition_penalty: f32,
    repetition_window: usize,
}

impl Default for TypedSampling {
    fn default() -> Self {
        let options = SamplerOptions::default();
        Self {
            temperature: options.temperature,
            top_k: options.top_k,
            top_p: options.top_p,
            min_p: options.min_p,
            repetition_penalty: options.repetition_penalty,
            repetition_window: options.repetition_window,
        }
    }
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

/// What it means.
pub(super) struct Request {
    /// The model's number.
    pub model: usize,
    pub prompt: Option<MidiPrompt>,
    pub options: PieceOptions,
}

/// A MIDI file, and how much of it is the prompt.
pub(super) struct MidiPrompt {
    pub midi: Vec<u8>,
    pub part: Part,
}

/// Whole numbers above this are not exact in JavaScript.
const MOST_SEED: u64 = (1 << 53) - 1;

/// No model has more ids.
const MOST_TOP_K: usize = 1_000_000;

impl Request {
    /// Reads a request and checks it against what the server has and allows.
    pub(super) fn read(json: &[u8], studio: &Studio) -> Result<Self, Problem> {
        let typed: Typed = serde_json::from_slice(json)
            .map_err(|error| Problem::wrong(format!("not a request for music: {error}")))?;
        let limits = studio.limits();
        let seed = typed.seed.unwrap_or_else(|| random::bits() & MOST_SEED);
        within("seed", seed, 0, MOST_SEED)?;
        within("variations", typed.variations, 1, limits.variations)?;
        Ok(Self {
            model: model(typed.model.as_deref(), studio)?,
            prompt: typed.prompt.map(TypedPrompt::check).transpose()?,
            options: PieceOptions {
                sampler: typed.sampling.check()?,
                seed,
                pieces: typed.variations,
                length: typed.length.check(limits)?,
                no_end: !typed.may_end,
                free: false,
            },
        })
    }
}

fn model(name: Option<&str>, studio: &Studio) -> Result<usize, Problem> {
    let models = studio.models();
    if models.is_empty() {
        let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
        let message = "the server was started without a model: start it with --model FOLDER";
        return Err(Problem::new(status, "no_model", message));
    }
    let Some(name) = name else {
        return Ok(0);
    };
    let found = models.iter().position(|model| model.name() == name);
    found.ok_or_else(|| Problem::unknown("there is no model of that name"))
}

impl TypedPrompt {
    fn check(self) -> Result<MidiPrompt, Problem> {
        let midi = match (self.midi, self.example) {
            (Some(midi), None) => STANDARD
                .decode(midi)
                .map_err(|error| Problem::wrong(format!("prompt.midi is no base64: {error}")))?,
            (None, Some(name)) => examples::find(&name)?.midi.to_vec(),
            _ => return Err(Problem::wrong("a prompt has either midi or example")),
        };
        if self.seconds.is_some_and(|seconds| seconds <= 0.0) {
            return Err(Problem::wrong("prompt.seconds has to be above 0"));
        }
        let part = Part {
            seconds: self.seconds,
            ..Part::default()
        };
        Ok(MidiPrompt { midi, part })
    }
}

impl TypedLength {
    fn check(self, limits: &Limits) -> Result<Length, Problem> {
        let seconds = self.seconds.unwrap_or(limits.seconds);
        let notes = self.notes.unwrap_or(limits.notes);
        let tokens = self.tokens.unwrap_or(limits.tokens);
        if seconds <= 0.0 {
            return Err(Problem::wrong("length.seconds has to be above 0"));
        }
        within("length.seconds", seconds, 0.0, limits.seconds)?;
        within("length.notes", notes, 1, limits.notes)?;
        within("length.tokens", tokens, 1, limits.tokens)?;
        Ok(Length {
            seconds: Some(seconds),
            notes: Some(notes),
            tokens: Some(tokens),
            bars: None,
        })
    }
}

impl TypedSampling {
    fn check(self) -> Result<SamplerOptions, Problem> {
        within("sampling.temperature", self.temperature, 0.0, 10.0)?;
        within(
            "sampling.repetition_penalty",
            self.repetition_penalty,
            0.1,
            10.0,
        )?;
        within(
            "sampling.repetition_window",
            self.repetition_window,
            0,
            1024,
        )?;
        within("sampling.top_k", self.top_k, 0, MOST_TOP_K)?;
        let options = SamplerOptions {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            repetition_window: self.repetition_window,
        };
        let checked = options.validate();
        checked.map_err(|error| Problem::wrong(format!("sampling: {error}")))?;
        Ok(options)
    }
}

fn within<T: PartialOrd + Display>(name: &str, value: T, least: T, most: T) -> Result<(), Problem> {
    match value >= least && value <= most {
        true => Ok(()),
        false => Err(Problem::limit(format!(
            "{name} is {value}: it has to be from {least} to {most}"
        ))),
    }
}
