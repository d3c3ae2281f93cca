//! Pieces to begin with, part of the program, and `/api/examples`.

use axum::Json;
use axum::extract::Path;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;

use crate::problem::Problem;

/// A piece in the public domain.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Example {
    pub name: &'static str,
    pub title: &'static str,
    #[serde(skip)]
    pub midi: &'static [u8],
}

/// All of them; written as notes by `score`'s examples `pieces` and `prompts`.
const EXAMPLES: [Example; 4] = [
    Example {
        name: "ode-to-joy",
        title: "Ode to Joy (Beethoven, 1824)",
        midi: include_bytes!("../examples/ode-to-joy.mid"),
    },
    Example {
        name: "greensleeves",
        title: "Greensleeves (English, 16th century)",
        midi: include_bytes!("../../../examples/prompts/greensleeves.mid"),
    },
    Example {
        name: "ah-vous-dirai-je",
        title: "Ah ! vous dirai-je, maman (French, 18th century)",
        midi: include_bytes!("../examples/ah-vous-dirai-je.mid"),
    },
    Example {
        name: "canon",
        title: "Canon in D (after Pachelbel)",
        midi: include_bytes!("../examples/canon.mid"),
    },
];

/// Finds one by its name.
pub(crate) fn find(name: &str) -> Result<Example, Problem> {
    let found = EXAMPLES.into_iter().find(|example| example.name == name);
    found.ok_or_else(|| Problem::unknown("there is no example of that name"))
}

/// Answers `GET /api/examples`.
pub(crate) async fn list() -> Json<[Example; 4]> {
    Json(EXAMPLES)
}

/// Answers `GET /api/examples/{name}`: a MIDI file.
pub(crate) async fn get(Path(name): Path<String>) -> Result<impl IntoResponse, Problem> {
    Ok(([(header::CONTENT_TYPE, "audio/midi")], find(&name)?.midi))
}
