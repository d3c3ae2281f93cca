//! A page and an API where the model plays while it composes.
//!
//! The page's files are part of the program; the API under it is described by
//! the OpenAPI document at `/api/openapi.json` and in docs/studio.md:
//!
//! - `/api/generate`: notes as server-sent events while they are drawn;
//! - `/api/piano`: a piano to be played over a WebSocket, which answers with
//!   samples;
//! - `/api/render`: a MIDI file as sound or picture; `/api/score`: as notes;
//! - `/api/models`, `/api/examples`: what there is to play with and on.
//!
//! A request names no file of the machine; models are those that the server was
//! started with. [`Limits`] bound what a request may cost.

mod error;
mod examples;
mod generate;
mod guard;
mod limits;
mod models;
mod openapi;
mod page;
mod piano;
mod problem;
mod random;
mod render;
mod score;
mod server;
mod studio;
mod upload;

pub use error::StudioError;
pub use limits::Limits;
pub use models::{Model, OpenEngine};
pub use server::serve;
pub use studio::Studio;
