//! Notes as JSON lines, each as soon as it is complete.

use std::io::{self, Write};

use generate::{Event, Follower};
use serde::Serialize;

/// A line; times in seconds from the beginning of the file.
#[derive(Serialize)]
struct Line {
    sample: usize,
    onset: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pitch: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    velocity: Option<u8>,
    /// Of a note: whether the pedal is down; else: what it does.
    pedal: bool,
}

/// Standard output for events, or nothing.
pub struct Stream {
    on: bool,
    shifted: bool,
    /// Where each sample's file begins, in seconds, once that is known.
    origins: Vec<Option<f64>>,
}

impl Stream {
    /// A stream for that many samples; with `shifted`, their files begin with
    /// the bar of their first event.
    pub fn new(on: bool, shifted: bool, samples: usize) -> Self {
        Self {
            on,
            shifted,
            origins: vec![None; samples],
        }
    }

    /// Prints what has become complete.
    pub fn event(&mut self, sample: usize, follower: &Follower, event: Event) -> io::Result<()> {
        if !self.on {
            return Ok(());
        }
        let bar = follower.seconds(follower.bar_tick());
        let begins = if self.shifted { bar } else { 0.0 };
        let origin = match (self.origins[sample], event) {
            (None, Event::PedalUp(_)) if self.shifted => return Ok(()),
            (origin, _) => *self.origins[sample].insert(origin.unwrap_or(begins)),
        };
        let at = |tick: u32| micro(follower.seconds(tick) - origin);
        let lasts = |from: u32, to: u32| micro(follower.seconds(to) - follower.seconds(from));
        let line = |onset: u32, pedal: bool| Line {
            sample,
            onset: at(onset),
            duration: None,
            pitch: None,
            velocity: None,
            pedal,
        };
        let line = match event {
            Event::Note(note) => Line {
                duration: Some(lasts(note.onset, note.end())),
                pitch: Some(note.pitch),
                velocity: Some(note.velocity),
                ..line(note.onset, follower.is_pedal_down())
            },
            Event::PedalDown(tick) => line(tick, true),
            Event::PedalUp(tick) => line(tick, false),
            Event::Pedal(pedal) => Line {
                duration: Some(lasts(pedal.onset, pedal.end())),
                ..line(pedal.onset, true)
            },
        };
        let mut out = io::stdout().lock();
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")?;
        out.flush()
    }
}

/// Seconds in whole microseconds.
fn micro(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
