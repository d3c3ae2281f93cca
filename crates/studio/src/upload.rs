//! What is sent here: bodies within their limits, MIDI files as scores.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use score::{Damage, Score, TempoMap, read_midi};
use tokio::time::timeout;

use crate::limits::Limits;
use crate::problem::Problem;

/// A body that has not come after that is not waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a body of one of the media types.
pub(crate) async fn body(
    headers: &HeaderMap,
    body: Body,
    types: &[&str],
    limits: &Limits,
) -> Result<Bytes, Problem> {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.and_then(|value| value.to_str().ok()).unwrap_or("");
    let given = given.split(';').next().unwrap_or("").trim();
    if !types.iter().any(|one| one.eq_ignore_ascii_case(given)) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "wrong_type",
            format!("the body has to be of type {}", types.join(" or ")),
        ));
    }
    let most = limits.upload_bytes;
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("more than {most} bytes cannot be sent"),
        )
    };
    let announced = headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > most) {
        return Err(too_large());
    }
    let read = timeout(PATIENCE, to_bytes(body, most)).await;
    let late = |_| {
        let status = StatusCode::REQUEST_TIMEOUT;
        Problem::new(status, "too_slow", "the body did not come in time")
    };
    read.map_err(late)?.map_err(|_| too_large())
}

/// Media types of MIDI files; browsers know neither.
pub(crate) const MIDI_TYPES: [&str; 3] = ["audio/midi", "audio/x-midi", "application/octet-stream"];

/// Reads a MIDI file that has notes and keeps within the limits.
pub(crate) fn midi(bytes: &[u8], limits: &Limits) -> Result<(Score, Damage), Problem> {
    let reading = read_midi(bytes).map_err(|error| Problem::music(error.to_string()))?;
    let score = reading.score;
    let pedals: usize = score.tracks.iter().map(|track| track.pedals.len()).sum();
    let notes = score.note_count();
    if notes == 0 {
        return Err(Problem::music("the file holds no notes"));
    }
    let most = limits.piece_notes;
    if notes > most || pedals > most {
        return Err(Problem::limit(format!(
            "the piece has {notes} notes and {pedals} pedals, more than {most}"
        )));
    }
    let seconds = seconds(&score);
    if seconds > limits.piece_seconds {
        return Err(Problem::limit(format!(
            "the piece lasts {seconds:.0} seconds, more than {}",
            limits.piece_seconds
        )));
    }
    let quarters = last_tick(&score) / u32::from(score.ticks_per_quarter.max(1));
    if quarters > MOST_QUARTERS {
        return Err(Problem::limit(format!(
            "the piece has {quarters} quarter notes, more than {MOST_QUARTERS}"
        )));
    }
    Ok((score, reading.damage))
}

/// Quarter notes of a piece: bars cost memory, however fast they pass.
const MOST_QUARTERS: u32 = 20_000;

fn last_tick(score: &Score) -> u32 {
    let of_track = |track: &score::Track| {
        let pedals = track.pedals.iter().map(score::Pedal::end).max();
        track.last_other_tick.max(pedals.unwrap_or(0))
    };
    let tracks = score.tracks.iter().map(of_track).max();
    score
        .end()
        .max(score.last_other_tick)
        .max(tracks.unwrap_or(0))
}

/// When the last note or pedal of a score ends, in seconds.
pub(crate) fn seconds(score: &Score) -> f64 {
    let pedals = score.tracks.iter().flat_map(|track| &track.pedals);
    let last = pedals.map(score::Pedal::end).max().unwrap_or(0);
    TempoMap::new(score).seconds(last.max(score.end()))
}
