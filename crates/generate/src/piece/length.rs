//! When a piece has become long enough.

use serde::Serialize;

use crate::follower::{Event, Follower};

/// Why a piece ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// The model ended the piece.
    End,
    /// As many tokens as asked for.
    Tokens,
    /// As many seconds.
    Seconds,
    /// As many bars.
    Bars,
    /// As many notes.
    Notes,
    /// It was stopped from outside.
    Stopped,
}

/// How long a piece may become, counted from the end of the prompt; what is
/// `None` has no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Length {
    /// Most tokens.
    pub tokens: Option<usize>,
    /// Most seconds of music.
    pub seconds: Option<f64>,
    /// Most bars, after the one in which the prompt ends.
    pub bars: Option<usize>,
    /// Most notes.
    pub notes: Option<usize>,
}

/// A length, counted from the beginning of the piece.
#[derive(Clone)]
pub(super) struct Limits {
    second: f64,
    bar: i64,
    notes: usize,
}

impl Limits {
    /// The limits after what the follower has read.
    pub(super) fn new(length: &Length, prompt: &Follower) -> Self {
        let from = prompt.seconds(prompt.tick());
        let bars = length.bars.and_then(|bars| i64::try_from(bars).ok());
        let notes = length.notes.unwrap_or(usize::MAX);
        Self {
            second: from + length.seconds.unwrap_or(f64::INFINITY),
            bar: prompt.bar().saturating_add(bars.unwrap_or(i64::MAX)),
            notes: prompt.notes().saturating_add(notes),
        }
    }

    /// The limit that the latest base token goes beyond, or reaches by the last
    /// note allowed; and how many base tokens are left within it.
    pub(super) fn reached(
        &self,
        follower: &Follower,
        event: Option<Event>,
    ) -> Option<(Ended, usize)> {
        let before = follower.base().len() - 1;
        if follower.bar() > self.bar {
            return Some((Ended::Bars, before));
        }
        if follower.seconds(follower.tick()) >= self.second {
            return Some((Ended::Seconds, before));
        }
        let is_note = matches!(event, Some(Event::Note(_)));
        (is_note && follower.notes() >= self.notes).then_some((Ended::Notes, before + 1))
    }
}
