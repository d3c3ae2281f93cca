//! From base tokens to files.

use std::path::{Path, PathBuf};

use anyhow::Context;
use generate::{Event, Follower};
use remi::Tokenizer;
use score::{Note, Pedal, Score, write_midi};

use super::Args;
use super::play::Drawn;
use super::prompt::Prompt;
use crate::write;

/// A sample as music.
pub struct Result {
    pub score: Score,
    /// Notes of the prompt, and those that were generated.
    pub prompt: Vec<Note>,
    pub generated: Vec<Note>,
    /// Tokens that said nothing where they stood.
    pub senseless: usize,
}

/// The names of the files, one a sample.
pub fn files(args: &Args) -> Vec<PathBuf> {
    let file = args.output_file.clone().unwrap_or_else(|| {
        let now = jiff::Zoned::now().strftime("%Y-%m-%d_%H-%M-%S.mid");
        Path::new("generated_midis").join(now.to_string())
    });
    numbered(&file, args.num_samples)
}

/// A file for each sample; of several, each has a number in its name.
pub fn numbered(file: &Path, samples: u8) -> Vec<PathBuf> {
    if samples == 1 {
        return vec![file.to_owned()];
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().unwrap_or("mid".as_ref()).to_string_lossy();
    (1..=samples)
        .map(|number| file.with_file_name(format!("{stem}-{number}.{extension}")))
        .collect()
}

/// Finds out before the work whether its results can be kept.
pub fn check_writable(files: &[PathBuf]) -> anyhow::Result<()> {
    for file in files {
        let remedy = || {
            let file = file.display();
            format!("cannot write {file}; choose another place by --output-file FILE")
        };
        if file.is_dir() || file.file_name().is_none() {
            return Err(anyhow::anyhow!("it is a folder")).with_context(remedy);
        }
        // The nearest folder that is there has to take a file.
        let nearest = file.ancestors().skip(1).find(|path| path.exists());
        let nearest = nearest.unwrap_or(Path::new("."));
        tempfile::tempfile_in(nearest).with_context(remedy)?;
    }
    Ok(())
}

/// Writes a file whole, or not at all.
pub fn write(file: &Path, score: &Score) -> anyhow::Result<()> {
    write::atomically(file, &write_midi(score)?)
}

/// Decodes a sample: with its prompt, or from the bar of the first event that
/// was generated, with the prompt only to tell what notes mean.
pub fn result(tokenizer: &Tokenizer, prompt: &Prompt, drawn: &Drawn, only_new: bool) -> Result {
    let decoded = tokenizer.decode_base(std::slice::from_ref(&drawn.base));
    let mut score = decoded.score;
    if !prompt.tempos.is_empty() {
        score.tempos = prompt.tempos.clone();
    }
    let (follower, origin) = replay(tokenizer, drawn);
    if let (Some(onset), Some(track)) = (follower.open_pedal(), score.tracks.first_mut()) {
        // A pedal that is never lifted lasts as long as the notes.
        let end = track.notes.iter().map(Note::end).max().unwrap_or(onset);
        let duration = end.saturating_sub(onset);
        track.pedals.push(Pedal { onset, duration });
    }
    let notes = score.tracks.first().map_or(&[][..], |track| &track.notes);
    let (before, after) = notes.split_at(drawn.prompt_notes.min(notes.len()));
    let (prompt_notes, generated) = (before.to_vec(), after.to_vec());
    if only_new {
        if let Some(track) = score.tracks.first_mut() {
            track.notes.clone_from(&generated);
        }
        cut(&mut score, origin);
    }
    Result {
        score,
        prompt: prompt_notes,
        generated,
        senseless: decoded.senseless,
    }
}

/// Follows the sample to its end; with it comes the tick at which the bar of the
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
