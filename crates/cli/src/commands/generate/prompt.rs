//! What the music continues.

use std::path::Path;

use anyhow::Context;
use corpus::piano_score;
use generate::Follower;
use remi::{BaseTokens, Scratch, Time, Tokenizer};
use score::{Merge, Score, Tempo, TempoMap, read_midi};

use super::Args;

/// The ids to continue, and what holds on from them.
pub struct Prompt {
    /// The beginning of a piece, then the ids of the prompt.
    pub ids: Vec<u32>,
    /// Tempos, in the tokenizer's ticks, where tokens do not tell them.
    pub tempos: Vec<Tempo>,
}

impl Prompt {
    /// Reads the prompt that the options name; without any, a piece begins.
    pub fn read(args: &Args, tokenizer: &Tokenizer) -> anyhow::Result<Self> {
        let bos = tokenizer.special("BOS_None").unwrap_or(model::BOS);
        let Some(path) = &args.prompt_midi else {
            return Ok(Self {
                ids: vec![bos],
                tempos: Vec::new(),
            });
        };
        let name = || path.display().to_string();
        let score = read_score(path, tokenizer)?;
        let tracks = tokenizer.encode_base(&sliced(&score, args.prompt_seconds));
        let base = tracks.with_context(name)?.into_iter().next();
        let mut base = base.unwrap_or_default();
        let all = base.ids.len();
        if let Some(bars) = args.prompt_bars {
            truncate(&mut base, after_bars(tokenizer, bars.get()));
        }
        let mut follower = Follower::new(tokenizer, &[]);
        for id in &base.ids {
            follower.push_base(*id);
        }
        if follower.notes() == 0 {
            if args.prompt_seconds.is_none() && base.ids.len() == all {
                anyhow::bail!(
                    "{} has no notes within the tokenizer's range of pitches; give another prompt",
                    name()
                );
            }
            anyhow::bail!(
                "{} has no notes within the part asked for, its first begins at {:.1} seconds; give more of it",
                name(),
                first_second(&score)
            );
        }
        let ids = tokenizer.apply_bpe(&base, &mut Scratch::default());
        let slice = args.prompt_midi_slice.map_or(usize::MAX, usize::from);
        let ids: Vec<u32> = [bos]
            .into_iter()
            .chain(ids.into_iter().take(slice))
            .collect();
        let tempos = tempos(&score, tokenizer, &ids);
        Ok(Self { ids, tempos })
    }
}

fn read_score(path: &Path, tokenizer: &Tokenizer) -> anyhow::Result<Score> {
    let name = || path.display().to_string();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", name()))?;
    let reading = read_midi(&bytes).with_context(name)?;
    if !reading.damage.is_sound() {
        eprintln!("{}: {}", name(), reading.damage);
    }
    piano_score(&reading.score, Merge::All, tokenizer.time()).with_context(|| {
        format!(
            "{} has no notes to continue (drums are left out); give another prompt",
            name()
        )
    })
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
    let ticks_per_quarter = tokenizer.decode_base(&[]).score.ticks_per_quarter;
    let scale = f64::from(ticks_per_quarter) / f64::from(score.ticks_per_quarter.max(1));
    let carried = |tempo: &Tempo| Tempo {
        onset: (f64::from(tempo.onset) * scale).round() as u32,
        ..*tempo
    };
    let all = score.tempos.iter().map(carried);
    all.filter(|tempo| tempo.onset <= follower.tick()).collect()
}
