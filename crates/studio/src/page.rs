//! The page's files, part of the program.

use axum::extract::Path;
use axum::http::header;
use axum::response::IntoResponse;

use crate::problem::Problem;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file by its name, with its media type and text.
macro_rules! files {
    ($($name:literal $kind:ident,)*) => {
        [$(($name, $kind, include_str!(concat!("../page/", $name)))),*]
    };
}

const FILES: &[(&str, &str, &str)] = &files![
    "index.html" HTML,
    "style.css" CSS,
    "icon.svg" SVG,
    "api.js" JS,
    "app.js" JS,
    "colours.js" JS,
    "compose.js" JS,
    "keyboard.js" JS,
    "line.js" JS,
    "player.js" JS,
    "roll.js" JS,
    "session.js" JS,
    "settings.js" JS,
    "shortcuts.js" JS,
    "sound.js" JS,
    "take.js" JS,
    "worklet.js" JS,
];

/// Answers `GET /`.
pub(crate) async fn index() -> Result<impl IntoResponse, Problem> {
    named("index.html")
}

/// Answers `GET /page/{file}`.
pub(crate) async fn file(Path(name): Path<String>) -> Result<impl IntoResponse, Problem> {
    named(&name)
}

fn named(name: &str) -> Result<impl IntoResponse + use<>, Problem> {
    let file = FILES.iter().find(|(file, _, _)| *file == name);
    let (_, kind, text) = file.ok_or_else(|| Problem::unknown("the page has no such file"))?;
    Ok(([(header::CONTENT_TYPE, *kind)], *text))
}
