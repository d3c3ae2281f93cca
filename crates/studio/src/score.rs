//! `/api/score`: a MIDI file as notes and pedals in seconds.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use score::{Merge, Score, TempoMap, piano_track};
use serde::Serialize;

use crate::problem::Problem;
use crate::studio::Studio;
use crate::upload;

/// A note; times in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Note {
    pub onset: f64,
    pub duration: f64,
    pub pitch: u8,
    pub velocity: u8,
}

/// The sustain pedal is down; times in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Pedal {
    pub onset: f64,
    pub duration: f64,
}

/// The piano part of a piece.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Notes {
    pub notes: Vec<Note>,
    pub pedals: Vec<Pedal>,
    /// When the last note ends.
    pub seconds: f64,
}

/// What a file holds.
#[derive(Serialize)]
pub(crate) struct Answer {
    #[serde(flatten)]
    notes: Notes,
    /// What the file lost in reading, in words; empty for a sound one.
    damage: String,
}

/// Seconds in whole microseconds.
pub(crate) fn micro(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// The piano part of a score in seconds; `None` where it has no notes.
pub(crate) fn notes(score: &Score) -> Option<Notes> {
    let track = piano_track(score, Merge::All).filter(|track| !track.notes.is_empty())?;
    let map = TempoMap::new(score);
    let span = |onset: u32, end: u32| {
        let from = map.seconds(onset);
        (micro(from), micro(map.seconds(end) - from))
    };
    let note = |note: &score::Note| {
        let (onset, duration) = span(note.onset, note.end());
        Note {
            onset,
            duration,
            pitch: note.pitch,
            velocity: note.velocity,
        }
    };
    let pedal = |pedal: &score::Pedal| {
        let (onset, duration) = span(pedal.onset, pedal.end());
        Pedal { onset, duration }
    };
    let end = track.notes.iter().map(score::Note::end).max().unwrap_or(0);
    Some(Notes {
        notes: track.notes.iter().map(note).collect(),
        pedals: track.pedals.iter().map(pedal).collect(),
        seconds: micro(map.seconds(end)),
    })
}

/// Answers `POST /api/score`.
pub(crate) async fn post(
    State(studio): State<Studio>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Answer>, Problem> {
    let limits = *studio.limits();
    let bytes = upload::body(&headers, body, &upload::MIDI_TYPES, &limits).await?;
    studio
        .work(move || {
            let (score, damage) = upload::midi(&bytes, &limits)?;
            let notes = notes(&score);
            let no_piano = || Problem::music("the file holds no piano notes, only drums");
            Ok(Json(Answer {
                notes: notes.ok_or_else(no_piano)?,
                damage: match damage.is_sound() {
                    true => String::new(),
                    false => damage.to_string(),
                },
            }))
        })
        .await
}
