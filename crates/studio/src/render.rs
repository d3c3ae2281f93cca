//! `/api/render`: a MIDI file as sound or picture.

use std::fs::File;
use std::io::{BufWriter, Seek};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use render::{
    Depth, Performance, Piano, PianoOptions, PictureOptions, RenderError, SAMPLE_RATES, draw,
    write_flac, write_wav,
};
use score::Score;
use serde::Deserialize;
use tokio::time::sleep;
use tokio_util::io::ReaderStream;

use crate::limits::Limits;
use crate::problem::Problem;
use crate::studio::Studio;
use crate::upload;

/// A sound that is not fetched within that is not kept.
const PATIENCE: Duration = Duration::from_secs(600);
/// Characters of a title.
const MOST_TITLE: usize = 200;

/// What is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    format: Format,
    /// Of sound, in Hz.
    #[serde(default = "usual_rate")]
    sample_rate: u32,
    /// Of sound, bits a sample.
    #[serde(default)]
    bits: Bits,
    /// Of a picture: words above it.
    #[serde(default)]
    title: String,
    /// Of a picture, in pixels.
    #[serde(default = "usual_width")]
    width: u32,
    /// Of a picture: where the prompt ends.
    prompt_seconds: Option<f64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Wav,
    Flac,
    Png,
    Svg,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Flac => "audio/flac",
            Self::Png => "image/png",
            Self::Svg => "image/svg+xml",
        }
    }
}

#[derive(Clone, Copy, Default, Deserialize)]
enum Bits {
    #[default]
    #[serde(rename = "16")]
    Sixteen,
    #[serde(rename = "24")]
    TwentyFour,
}

fn usual_rate() -> u32 {
    48_000
}

fn usual_width() -> u32 {
    PictureOptions::default().width
}

impl Wanted {
    fn check(&self) -> Result<(), Problem> {
        let between = |name: &str, value: u32, low: u32, high: u32| {
            let message = format!("{name} is {value}: it has to be from {low} to {high}");
            let within = (low..=high).contains(&value);
            within.then_some(()).ok_or_else(|| Problem::limit(message))
        };
        let (low, high) = (*SAMPLE_RATES.start(), *SAMPLE_RATES.end());
        between("sample_rate", self.sample_rate, low, high)?;
        between("width", self.width, 480, 4000)?;
        if self.title.chars().count() > MOST_TITLE {
            let message = format!("a title has at most {MOST_TITLE} characters");
            return Err(Problem::limit(message));
        }
        match self.prompt_seconds.is_none_or(f64::is_finite) {
            true => Ok(()),
            false => Err(Problem::wrong("prompt_seconds is no number")),
        }
    }
}

/// Answers `POST /api/render`.
pub(crate) async fn post(
    State(studio): State<Studio>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::wrong(error.body_text()))?;
    wanted.check()?;
    let limits = *studio.limits();
    let bytes = upload::body(&headers, body, &upload::MIDI_TYPES, &limits).await?;
    let kind = [(header::CONTENT_TYPE, wanted.format.media_type())];
    if let Format::Png | Format::Svg = wanted.format {
        let picture = studio.work(move || picture(&read(&bytes, &limits)?, &wanted));
        return Ok((kind, picture.await?).into_response());
    }
    let permit = Arc::clone(studio.sounds()).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::busy("too many sounds are being made"))?;
    let here = Here::default();
    let gone = Arc::clone(&here.gone);
    let made = studio.work(move || sound(&read(&bytes, &limits)?, &wanted, &gone));
    let (file, length) = made.await?;
    let parts = ReaderStream::new(tokio::fs::File::from_std(file));
    let parts = parts.take_until(Box::pin(sleep(PATIENCE)));
    let body = Body::from_stream(parts.inspect(move |_| {
        let _until_it_is_fetched = &permit;
    }));
    let length = [(header::CONTENT_LENGTH, length.to_string())];
    Ok((kind, length, body).into_response())
}

/// Tells the work, by being dropped, that the client has gone.
#[derive(Default)]
struct Here {
    gone: Arc<AtomicBool>,
}

impl Drop for Here {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

fn read(midi: &[u8], limits: &Limits) -> Result<Score, Problem> {
    let (score, _) = upload::midi(midi, limits)?;
    let (seconds, most) = (upload::seconds(&score), limits.render_seconds);
    match seconds <= most {
        true => Ok(score),
        false => Err(Problem::limit(format!(
            "the piece lasts {seconds:.0} seconds, more than {most} cannot be rendered"
        ))),
    }
}

fn picture(score: &Score, wanted: &Wanted) -> Result<Vec<u8>, Problem> {
    let drawing = draw(
        score,
        &PictureOptions {
            title: wanted.title.clone(),
            width: wanted.width,
            seconds_a_line: None,
            prompt_seconds: wanted.prompt_seconds,
        },
    );
    match wanted.format {
        Format::Svg => Ok(drawing.to_svg().into_bytes()),
        _ => drawing.to_png().map_err(failed),
    }
}

/// Plays into a file without a name, and gives it with its length.
fn sound(score: &Score, wanted: &Wanted, gone: &AtomicBool) -> Result<(File, u64), Problem> {
    let piano = Piano::new(wanted.sample_rate, PianoOptions::default());
    let mut performance = Performance::new(score, piano, wanted.sample_rate, 1.0);
    let depth = match wanted.bits {
        Bits::Sixteen => Depth::Sixteen,
        Bits::TwentyFour => Depth::TwentyFour,
    };
    let kept = |error: std::io::Error| Problem::internal(format!("no room for sound: {error}"));
    let mut file = tempfile::tempfile().map_err(kept)?;
    let buffer = BufWriter::new(&file);
    let go_on = |_| !gone.load(Ordering::Relaxed);
    let written = match wanted.format {
        Format::Flac => write_flac(&mut performance, buffer, depth, go_on),
        _ => write_wav(&mut performance, buffer, depth, go_on),
    };
    written.map_err(failed)?;
    let length = file.metadata().map_err(kept)?.len();
    file.rewind().map_err(kept)?;
    Ok((file, length))
}

fn failed(error: RenderError) -> Problem {
    match error {
        RenderError::Picture(_) => Problem::limit(error.to_string()),
        error => Problem::internal(error.to_string()),
    }
}
