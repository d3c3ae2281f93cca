//! When a sample has become long enough.

use generate::{Event, Follower};
use serde::Serialize;

use super::Args;

/// Why a sample ended.
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
    /// By Ctrl-C, or because no one reads the stream any more.
    Stopped,
}

/// The limits of a sample, counted from the end of the prompt.
#[derive(Clone)]
pub struct Limits {
    second: f64,
    bar: i64,
    notes: usize,
}

impl Limits {
    /// The limits that the options set, after what the follower has read.
    pub fn new(args: &Args, prompt: &Follower) -> Self {
        let from = prompt.seconds(prompt.tick());
        let bars = args.bars.and_then(|bars| i64::try_from(bars.get()).ok());
        Self {
            second: from + args.seconds.unwrap_or(f64::INFINITY),
            bar: prompt.bar().saturating_add(bars.unwrap_or(i64::MAX)),
            notes: prompt
                .notes()
                .saturating_add(args.notes.map_or(usize::MAX, usize::from)),
        }
    }

    /// The limit that the latest base token goes beyond, or reaches by the last
    /// note allowed; and how many base tokens are left within it.
    pub fn reached(&self, follower: &Follower, event: Option<Event>) -> Option<(Ended, usize)> {
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
