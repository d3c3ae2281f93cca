//! What a request may cost.

use serde::Serialize;

/// Limits of the server. Requests beyond them are refused with an error that
/// names the limit; `/api/models` tells them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// Bytes of a request's body.
    pub upload_bytes: usize,
    /// Notes of an uploaded piece.
    pub piece_notes: usize,
    /// Seconds of an uploaded piece.
    pub piece_seconds: f64,
    /// Tokens of a generated piece.
    pub tokens: usize,
    /// Notes of a generated piece.
    pub notes: usize,
    /// Seconds of music of a generated piece.
    pub seconds: f64,
    /// Pieces of one request.
    pub variations: usize,
    /// Seconds that a generation may take; it ends with what it has then.
    pub generation_seconds: u64,
    /// Generations that are worked on at once, each with an engine of its own.
    pub generations: usize,
    /// Generations that wait.
    pub waiting: usize,
    /// Seconds of a piece that is rendered.
    pub render_seconds: f64,
    /// Renderings, and readings of MIDI files, that are worked on at once.
    pub renderings: usize,
    /// Sound files that wait to be made or are being fetched.
    pub sounds: usize,
    /// Pianos that are played over WebSockets at once.
    pub pianos: usize,
    /// Connections at once; further ones wait.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            upload_bytes: 4 << 20,
            piece_notes: 50_000,
            piece_seconds: 7200.0,
            tokens: 20_000,
            notes: 10_000,
            seconds: 600.0,
            variations: 4,
            generation_seconds: 180,
            generations: 1,
            waiting: 16,
            render_seconds: 1800.0,
            renderings: 2,
            sounds: 8,
            pianos: 16,
            connections: 256,
        }
    }
}
