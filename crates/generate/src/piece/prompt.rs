//! What the music continues.

use remi::{BaseTokens, EncodeError, Scratch, Time, Tokenizer};
use score::{Score, Tempo, TempoMap};
use thiserror::Error;

use crate::follower::{Event, Follower};

/// The ids to continue, and what holds on from them.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The beginning of a piece, then the ids of the prompt.
    pub ids: Vec<u32>,
    /// Tempos, in the tokenizer's ticks, where tokens do not tell them.
    pub tempos: Vec<Tempo>,
}

/// How much of a score is the prompt, from its start; what is `None` leaves
/// nothing out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    /// So many seconds: what begins before.
    pub seconds: Option<f64>,
    /// So many bars.
    pub bars: Option<usize>,
    /// So many tokens.
    pub tokens: Option<usize>,
}

/// Why a score is no prompt.
#[derive(Debug, Error)]
pub enum PromptError {
    /// The part holds no notes.
    #[error(
        "the prompt has no notes within the part asked for, its first begins at {first_second:.1} seconds; give more of it"
    )]
    NoNotesInPart {
        /// When the first note of the whole begins.
        first_second: f64,
    },
    /// No note is within the tokenizer's range of pitches.
    #[error("the prompt has no notes within the tokenizer's range of pitches; give another prompt")]
    NoNotesInRange,
    /// The score cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl Prompt {
    /// The beginning of a piece, and nothing else.
    pub fn nothing(tokenizer: &Tokenizer) -> Self {
        Self {
            ids: vec![bos(tokenizer)],
            tempos: Vec::new(),
        }
    }

    /// A part of a score of one piano track, in the tokenizer's kind of time.
    ///
    /// # Errors
    /// [`PromptError`], with words for the user.
    pub fn new(score: &Score, part: &Part, tokenizer: &Tokenizer) -> Result<Self, PromptError> {
        let tracks = tokenizer.encode_base(&sliced(score, part.seconds))?;
        let mut base = tracks.into_iter().next().unwrap_or_default();
        let all = base.ids.len();
        if let Some(seconds) = part.seconds {
            truncate(&mut base, after_seconds(tokenizer, score, seconds));
        }
        if let Some(bars) = part.bars {
            truncate(&mut base, after_bars(tokenizer, bars));
        }
        let mut follower = Follower::new(tokenizer, &[]);
        for id in &base.ids {
            follower.push_base(*id);
        }
        if follower.notes() == 0 {
            return Err(match part.seconds.is_some() || base.ids.len() < all {
                true => PromptError::NoNotesInPart {
                    first_second: first_second(score),
                },
                false => PromptError::NoNotesInRange,
            });
        }
        let ids = tokenizer.apply_bpe(&base, &mut Scratch::default());
        let ids = ids.into_iter().take(part.tokens.unwrap_or(usize::MAX));
        let ids: Vec<u32> = [bos(tokenizer)].into_iter().chain(ids).collect();
        let tempos = tempos(score, tokenizer, &ids);
        Ok(Self { ids, tempos })
    }

    /// A follower that has read the prompt.
    pub fn followed<'a>(&self, tokenizer: &'a Tokenizer) -> Follower<'a> {
        let mut follower = Follower::new(tokenizer, &self.tempos);
        for id in &self.ids {
            follower.push(*id, |_, _| true);
        }
        follower
    }
}

/// The id that starts a piece.
pub(super) fn bos(tokenizer: &Tokenizer) -> u32 {
    tokenizer.special("BOS_None").unwrap_or(model::BOS)
}

/// When the first note begins.
fn first_second(score: &Score) -> f64 {
    let notes = score.tracks.iter().flat_map(|track| &track.notes);
    let first = notes.map(|note| note.onset).min();
    TempoMap::new(score).seconds(first.unwrap_or(0))
}

/// What begins within the first seconds.
fn sliced(score: &Score, seconds: Option<f64>) -> Score {
    let mut score = score.clone();
    let Some(seconds) = seconds else {
        return score;
    };
    let map = TempoMap::new(&score);
    let within = |onset: u32| map.seconds(onset) < seconds;
    for track in &mut score.tracks {
        track.notes.retain(|note| within(note.onset));
        track.pedals.retain(|pedal| within(pedal.onset));
        let last = track.notes.iter().map(|note| note.onset).max();
        track.last_other_tick = track.last_other_tick.min(last.unwrap_or(0));
    }
    score.tempos.retain(|tempo| within(tempo.onset));
    score.time_signatures.retain(|sign| within(sign.onset));
    score.last_other_tick = 0;
    score
}

/// Finds where tokens of what begins within the first seconds end. A pedal that
/// is lifted later is then still down, as it is there in the whole piece.
fn after_seconds(tokenizer: &Tokenizer, score: &Score, seconds: f64) -> impl Fn(&[u16]) -> usize {
    let map = TempoMap::new(score);
    let scale = scale(tokenizer, score);
    move |base| {
        let mut follower = Follower::new(tokenizer, &[]);
        let mut end = 0;
        for (index, id) in base.iter().enumerate() {
            let event = follower.push_base(*id);
            let begins = event.is_some_and(|event| !matches!(event, Event::PedalUp(_)));
            let tick = f64::from(follower.tick()) / scale;
            if begins || map.seconds(tick as u32) < seconds {
                end = index + 1;
            }
        }
        end
    }
}

/// Finds where the bar after so many begins.
fn after_bars(tokenizer: &Tokenizer, bars: usize) -> impl Fn(&[u16]) -> usize {
    move |base| {
        let mut follower = Follower::new(tokenizer, &[]);
        let over = |id: &u16| {
            follower.push_base(*id);
            usize::try_from(follower.bar()).is_ok_and(|bar| bar >= bars)
        };
        base.iter().position(over).unwrap_or(base.len())
    }
}

fn truncate(base: &mut BaseTokens, at: impl Fn(&[u16]) -> usize) {
    let at = at(&base.ids);
    base.ids.truncate(at);
    base.word_starts.retain(|start| (*start as usize) < at);
}

/// The score's tempos up to the end of the ids, in the tokenizer's ticks; none
/// where tokens tell them, or where time is that of a performance.
fn tempos(score: &Score, tokenizer: &Tokenizer, ids: &[u32]) -> Vec<Tempo> {
    if tokenizer.config().use_tempos || tokenizer.time() == Time::Performance {
        return Vec::new();
    }
    let mut follower = Follower::new(tokenizer, &[]);
    ids.iter().for_each(|id| follower.push(*id, |_, _| true));
    let scale = scale(tokenizer, score);
    let carried = |tempo: &Tempo| Tempo {
        onset: (f64::from(tempo.onset) * scale).round() as u32,
        ..*tempo
    };
    let all = score.tempos.iter().map(carried);
    all.filter(|tempo| tempo.onset <= follower.tick()).collect()
}

/// The tokenizer's ticks for one of the score's.
fn scale(tokenizer: &Tokenizer, score: &Score) -> f64 {
    let ticks_per_quarter = tokenizer.decode_base(&[]).score.ticks_per_quarter;
    f64::from(ticks_per_quarter) / f64::from(score.ticks_per_quarter.max(1))
}
