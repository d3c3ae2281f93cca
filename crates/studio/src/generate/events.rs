//! What is told while music is made.

use axum::response::sse;
use generate::{Ended, Event, Follower};
use serde::Serialize;

use crate::problem::ProblemBody;
use crate::score::{Notes, micro};

/// An event of the stream; times in seconds from the beginning of the piece.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Message {
    /// Its place in the queue: so many generations come before it.
    Queued { id: String, place: usize },
    /// It begins.
    Begin {
        id: String,
        model: String,
        seed: u64,
        variations: usize,
        prompt: Notes,
        /// Tokens at the prompt's start that the model cannot see any more.
        unseen_tokens: usize,
    },
    /// A note is complete; none that begins before it will follow.
    Note {
        variation: usize,
        onset: f64,
        duration: f64,
        pitch: u8,
        velocity: u8,
    },
    /// The pedal is pressed or lifted. What lies ahead may be told early.
    Pedal {
        variation: usize,
        onset: f64,
        down: bool,
    },
    /// A piece is finished.
    Piece(Box<Piece>),
    /// All are finished.
    Done {
        tokens: usize,
        prefill_seconds: f64,
        decode_seconds: f64,
    },
    /// It went wrong, and nothing more comes.
    Error(ProblemBody),
}

/// A finished piece.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Piece {
    pub variation: usize,
    pub seed: u64,
    pub ended: Why,
    pub tokens: usize,
    pub notes: usize,
    pub new_notes: usize,
    /// Length in seconds, prompt included.
    pub seconds: f64,
    pub lowest_pitch: Option<u8>,
    pub highest_pitch: Option<u8>,
    pub polyphony: usize,
    /// Most notes in a row that are also in the prompt.
    pub copied_notes: usize,
    /// The MIDI file in base64.
    pub midi: String,
}

/// Why a piece ended.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Why {
    Ended(Ended),
    /// `time`: the server's limit of time.
    Time(&'static str),
}

impl Message {
    /// The name of the event.
    fn name(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Begin { .. } => "begin",
            Self::Note { .. } => "note",
            Self::Pedal { .. } => "pedal",
            Self::Piece(_) => "piece",
            Self::Done { .. } => "done",
            Self::Error(_) => "error",
        }
    }

    /// As a server-sent event.
    pub(super) fn into_event(self) -> sse::Event {
        let event = sse::Event::default().event(self.name());
        let json = serde_json::to_string(&self).unwrap_or_else(|_| "{}".to_owned());
        event.data(json)
    }

    /// What a generated event means in seconds: one message, or two for a pedal
    /// whose end is known.
    pub(super) fn of(variation: usize, follower: &Follower, event: Event) -> [Option<Self>; 2] {
        let at = |tick: u32| micro(follower.seconds(tick));
        let pedal = |tick: u32, down: bool| {
            let onset = at(tick);
            Some(Self::Pedal {
                variation,
                onset,
                down,
            })
        };
        match event {
            Event::Note(note) => {
                let onset = at(note.onset);
                let note = Self::Note {
                    variation,
                    onset,
                    duration: micro(at(note.end()) - onset),
                    pitch: note.pitch,
                    velocity: note.velocity,
                };
                [Some(note), None]
            }
            Event::PedalDown(tick) => [pedal(tick, true), None],
            Event::PedalUp(tick) => [pedal(tick, false), None],
            Event::Pedal(span) => [pedal(span.onset, true), pedal(span.end(), false)],
        }
    }
}
