//! `/api/piano`: the built-in piano, played over a WebSocket.
//!
//! The client asks for the next samples by a JSON message that names what
//! happens within them, and gets them as one binary message: 32-bit floats,
//! little-endian, all of the left side, then all of the right. So the client
//! decides what is played, how fast and how far ahead, and the server keeps
//! nothing but the state of the strings.

use std::time::{Duration, Instant};

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use render::{Limiter, Piano, PianoOptions, SAMPLE_RATES};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::problem::Problem;
use crate::studio::Studio;

/// Samples of a side in one answer, at most.
const MOST_FRAMES: usize = 48_000;
/// Bytes of a question, at most.
const MOST_BYTES: usize = 512 << 10;
/// A client that is silent for so long, or takes no answer, is left.
const IDLE: Duration = Duration::from_secs(600);
const PATIENCE: Duration = Duration::from_secs(30);
/// Seconds of sound ahead of the clock that are made at once; beyond, sound is
/// made twice as fast as it is heard.
const AHEAD: f64 = 20.0;
const PACE: f64 = 2.0;

/// How the piano is set up.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    /// In Hz.
    #[serde(default = "usual_rate")]
    sample_rate: u32,
}

fn usual_rate() -> u32 {
    48_000
}

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// Samples of a side.
    frames: usize,
    /// What happens within them.
    #[serde(default)]
    events: Vec<Event>,
    /// Whether a piano at rest is to play from here on.
    #[serde(default)]
    reset: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Event {
    /// A key is struck, or let go by a velocity of 0.
    Key { frame: usize, key: u8, velocity: u8 },
    /// The pedal is pressed or lifted.
    Pedal { frame: usize, pedal: bool },
}

impl Event {
    fn frame(&self) -> usize {
        match self {
            Self::Key { frame, .. } | Self::Pedal { frame, .. } => *frame,
        }
    }
}

/// Answers `GET /api/piano`.
pub(crate) async fn get(
    State(studio): State<Studio>,
    setting: Result<Query<Setting>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let Query(setting) = setting.map_err(|error| Problem::wrong(error.body_text()))?;
    let rate = setting.sample_rate;
    if !SAMPLE_RATES.contains(&rate) {
        let (low, high) = (SAMPLE_RATES.start(), SAMPLE_RATES.end());
        let message = format!("sample_rate is {rate}: it has to be from {low} to {high}");
        return Err(Problem::limit(message));
    }
    let upgrade = upgrade.map_err(|error| {
        let (status, words) = (StatusCode::UPGRADE_REQUIRED, error.body_text());
        Problem::new(
            status,
            "no_websocket",
            format!("this is a WebSocket: {words}"),
        )
    })?;
    let permit = std::sync::Arc::clone(studio.pianos()).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::busy("all pianos are being played"))?;
    let upgrade = upgrade
        .max_message_size(MOST_BYTES)
        .max_frame_size(MOST_BYTES);
    Ok(upgrade.on_upgrade(move |socket| play(socket, Player::new(rate), permit)))
}

async fn play(mut socket: WebSocket, player: Player, permit: OwnedSemaphorePermit) {
    if let Err(reason) = answer(&mut socket, player).await {
        let frame = CloseFrame {
            code: close_code::POLICY,
            reason: reason.into(),
        };
        // Who has gone need not be told.
        let _gone = timeout(PATIENCE, socket.send(Message::Close(Some(frame)))).await;
    }
    drop(permit);
}

/// Answers until the client leaves; the error is why it is left.
async fn answer(socket: &mut WebSocket, mut player: Player) -> Result<(), &'static str> {
    loop {
        let message = timeout(IDLE, socket.recv()).await.map_err(|_| "silent")?;
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_))) => return Err("questions are JSON"),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
        };
        let question: Question =
            serde_json::from_str(&text).map_err(|_| "a question is not understood")?;
        if question.frames > MOST_FRAMES {
            return Err("more than 48000 frames at once");
        }
        sleep(player.too_early()).await;
        let played = spawn_blocking(move || {
            let samples = player.play(question);
            (player, samples)
        });
        let samples;
        (player, samples) = played.await.map_err(|_| "the piano broke")?;
        let sent = timeout(PATIENCE, socket.send(Message::binary(samples)));
        if sent.await.map_err(|_| "answers are not taken")?.is_err() {
            return Ok(());
        }
    }
}

/// A piano and how much it has played.
struct Player {
    piano: Piano,
    limiter: Limiter,
    rate: u32,
    frames: u64,
    began: Instant,
}

impl Player {
    fn new(rate: u32) -> Self {
        Self {
            piano: Piano::new(rate, PianoOptions::default()),
            limiter: Limiter::new(rate),
            rate,
            frames: 0,
            began: Instant::now(),
        }
    }

    /// How long to wait, so that no client takes more than its share.
    fn too_early(&self) -> Duration {
        let played = self.frames as f64 / f64::from(self.rate);
        let allowed = AHEAD + PACE * self.began.elapsed().as_secs_f64();
        Duration::from_secs_f64(((played - allowed) / PACE).max(0.0))
    }

    /// Plays, and gives the samples as bytes.
    fn play(&mut self, mut question: Question) -> Vec<u8> {
        if question.reset {
            self.piano = Piano::new(self.rate, PianoOptions::default());
            self.limiter = Limiter::new(self.rate);
        }
        question.events.sort_by_key(Event::frame);
        let mut left = vec![0.0; question.frames];
        let mut right = vec![0.0; question.frames];
        let mut from = 0;
        for event in question.events {
            let until = event.frame().clamp(from, question.frames);
            self.piano
                .process(&mut left[from..until], &mut right[from..until]);
            from = until;
            match event {
                Event::Key { key, velocity, .. } => self.piano.note_on(key, velocity),
                Event::Pedal { pedal, .. } => self.piano.pedal(pedal),
            }
        }
        self.piano.process(&mut left[from..], &mut right[from..]);
        self.limiter.process(&mut left, &mut right);
        self.frames += question.frames as u64;
        let both = left.iter().chain(&right);
        both.flat_map(|sample| sample.to_le_bytes()).collect()
    }
}
