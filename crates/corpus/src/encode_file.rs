//! One MIDI file to the base tokens of one piece.

use std::fs;
use std::path::Path;

use remi::{BaseTokens, Time, Tokenizer};
use score::{Merge, Note, Reading, Score, piano_track, read_midi, to_performance_time};

/// A piece as it is stored.
pub(crate) struct EncodedPiece {
    pub tokens: BaseTokens,
    /// Of the notes in real time: the same for files that sound the same.
    pub hash: blake3::Hash,
    pub notes: usize,
    pub seconds: f64,
    /// What the file lost in reading; empty for a sound one.
    pub damage: String,
}

/// The piano part of a score as a score of one track, its time as asked for;
/// `None` where it has no notes.
pub fn piano_score(score: &Score, merge: Merge, time: Time) -> Option<Score> {
    let track = piano_track(score, merge)?;
    let piano = Score {
        tracks: vec![track],
        ..without_tracks(score)
    };
    Some(match time {
        Time::Score => piano,
        Time::Performance => to_performance_time(&piano),
    })
}

fn without_tracks(score: &Score) -> Score {
    Score {
        ticks_per_quarter: score.ticks_per_quarter,
        tracks: Vec::new(),
        tempos: score.tempos.clone(),
        time_signatures: score.time_signatures.clone(),
        last_other_tick: score.last_other_tick,
    }
}

/// The largest file that is read; MIDI files of hours have a few megabytes.
const LARGEST_FILE: u64 = 256 << 20;

/// Reads a MIDI file.
///
/// # Errors
/// Why it cannot be used, in words: it cannot be read, is no MIDI file, or has
/// more than 256 MB.
pub fn read_file(path: &Path) -> Result<Reading, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > LARGEST_FILE {
        return Err(format!(
            "it has {} MB, more than a MIDI file can sensibly have",
            size >> 20
        ));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    read_midi(&bytes).map_err(|error| error.to_string())
}

/// Reads and encodes a file; the error says in words why it cannot be used.
pub(crate) fn encode_file(
    path: &Path,
    tokenizer: &Tokenizer,
    merge: Merge,
    strict: bool,
) -> Result<EncodedPiece, String> {
    let time = tokenizer.time();
    let reading = read_file(path)?;
    if strict && !reading.damage.is_sound() {
        return Err(reading.damage.to_string());
    }
    let piano = piano_score(&reading.score, merge, time).ok_or("it holds no piano notes")?;
    let tracks = tokenizer
        .encode_base(&piano)
        .map_err(|error| error.to_string())?;
    let tokens = tracks
        .into_iter()
        .next()
        .filter(|track| !track.ids.is_empty());
    let tokens = tokens.ok_or("all its notes are outside the tokenizer's pitch range")?;
    let performed = match time {
        Time::Score => to_performance_time(&piano),
        Time::Performance => piano,
    };
    let notes = &performed.tracks[0].notes;
    Ok(EncodedPiece {
        tokens,
        hash: hash(notes),
        notes: notes.len(),
        seconds: f64::from(performed.end()) / (2.0 * f64::from(performed.ticks_per_quarter)),
        damage: if reading.damage.is_sound() {
            String::new()
        } else {
            reading.damage.to_string()
        },
    })
}

fn hash(notes: &[Note]) -> blake3::Hash {
    let mut sorted = notes.to_vec();
    sorted.sort_unstable();
    let mut bytes = Vec::with_capacity(sorted.len() * 10);
    for note in sorted {
        bytes.extend_from_slice(&note.onset.to_le_bytes());
        bytes.extend_from_slice(&note.duration.to_le_bytes());
        bytes.extend_from_slice(&[note.pitch, note.velocity]);
    }
    blake3::hash(&bytes)
}
