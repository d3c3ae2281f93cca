//! `/api/generate`: notes as server-sent events, each as soon as it is complete.

mod events;
mod job;
mod prompt;
mod queue;
mod request;
mod worker;

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;

pub(crate) use queue::Queue;
pub(crate) use worker::start;

use crate::problem::Problem;
use crate::studio::Studio;
use crate::upload;

/// Answers `POST /api/generate`.
pub(crate) async fn post(
    State(studio): State<Studio>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let bytes = upload::body(&headers, body, &["application/json"], studio.limits()).await?;
    let request = request::Request::read(&bytes, &studio)?;
    let ticket = studio.queue().submit(request)?;
    // Who leaves drops the stream and with it the ticket, which ends the work.
    let events = stream::unfold(ticket, |mut ticket| async move {
        let event = ticket.next().await?;
        Some((Ok::<Event, Infallible>(event), ticket))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Answers `POST /api/generate/{id}/stop`: the pieces end where they are, and
/// the stream with them.
pub(crate) async fn stop(
    State(studio): State<Studio>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    match studio.queue().stop(&id) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::unknown("no generation of that id is going on")),
    }
}
