//! From base tokens to a score.

use remi::Tokenizer;
use score::{Note, Pedal, Score};

use super::drawing::Drawn;
use super::prompt::Prompt;
use crate::follower::{Event, Follower};

/// A piece as music.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Music {
    /// All of it, or what is new.
    pub score: Score,
    /// Notes of the prompt, in ticks of the whole piece.
    pub prompt: Vec<Note>,
    /// Notes that were generated, in ticks of the whole piece.
    pub generated: Vec<Note>,
    /// Tokens that said nothing where they stood.
    pub senseless: usize,
}

impl Drawn {
    /// Decodes the piece: with its prompt, or from the bar of the first event
    /// that was generated, with the prompt only to tell what notes mean.
    pub fn music(&self, tokenizer: &Tokenizer, prompt: &Prompt, only_new: bool) -> Music {
        let decoded = tokenizer.decode_base(std::slice::from_ref(&self.base));
        let mut score = decoded.score;
        if !prompt.tempos.is_empty() {
            score.tempos = prompt.tempos.clone();
        }
        let (follower, origin) = replay(tokenizer, self);
        if let (Some(onset), Some(track)) = (follower.open_pedal(), score.tracks.first_mut()) {
            // A pedal that is never lifted lasts as long as the notes.
            let end = track.notes.iter().map(Note::end).max().unwrap_or(onset);
            let duration = end.saturating_sub(onset);
            track.pedals.push(Pedal { onset, duration });
        }
        let notes = score.tracks.first().map_or(&[][..], |track| &track.notes);
        let (before, after) = notes.split_at(self.prompt_notes.min(notes.len()));
        let (prompt_notes, generated) = (before.to_vec(), after.to_vec());
        if only_new {
            if let Some(track) = score.tracks.first_mut() {
                track.notes.clone_from(&generated);
            }
            cut(&mut score, origin);
        }
        Music {
            score,
            prompt: prompt_notes,
            generated,
            senseless: decoded.senseless,
        }
    }
}

/// Follows a piece to its end; with it comes the tick at which the bar of the
/// first generated note or pedal begins.
fn replay<'a>(tokenizer: &'a Tokenizer, drawn: &Drawn) -> (Follower<'a>, u32) {
    let mut follower = Follower::new(tokenizer, &[]);
    let mut origin = None;
    for (index, id) in drawn.base.iter().enumerate() {
        let event = follower.push_base(*id);
        let begins = event.is_some_and(|event| !matches!(event, Event::PedalUp(_)));
        if begins && index >= drawn.prompt_base {
            origin.get_or_insert(follower.bar_tick());
        }
    }
    (follower, origin.unwrap_or(0))
}

/// Leaves out what is before a tick, which becomes the first; what holds there
/// still holds.
fn cut(score: &mut Score, from: u32) {
    for track in &mut score.tracks {
        for note in &mut track.notes {
            note.onset = note.onset.saturating_sub(from);
        }
        track.pedals.retain(|pedal| pedal.end() > from);
        for pedal in &mut track.pedals {
            let end = pedal.end() - from;
            pedal.onset = pedal.onset.saturating_sub(from);
            pedal.duration = end - pedal.onset;
        }
        track.last_other_tick = track.last_other_tick.saturating_sub(from);
    }
    score.tracks.retain(|track| !track.notes.is_empty());
    hold(&mut score.tempos, from, |tempo| &mut tempo.onset);
    hold(&mut score.time_signatures, from, |signature| {
        &mut signature.onset
    });
}

/// Of changes, keeps the last up to a tick and those after it.
fn hold<T>(changes: &mut Vec<T>, from: u32, onset: impl Fn(&mut T) -> &mut u32) {
    let mut first = 0;
    for (index, change) in changes.iter_mut().enumerate() {
        let tick = onset(change);
        if *tick <= from {
            first = index;
        }
        *tick = tick.saturating_sub(from);
    }
    changes.drain(..first);
}
