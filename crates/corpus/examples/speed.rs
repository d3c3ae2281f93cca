//! How fast MIDI files are read and encoded, on one thread, in seconds of work:
//! files are in memory before the clock starts.
//!
//!     cargo run --release -p corpus --example speed -- TOKENIZER.json FOLDER
//!
//! Prints one JSON line: files, notes, base tokens, ids, and the seconds that
//! reading, encoding and BPE took.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use corpus::{midi_files, open_tokenizer};
use remi::Scratch;
use score::read_midi;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (tokenizer, folder) = args
        .next()
        .zip(args.next())
        .ok_or("name a tokenizer and a folder")?;
    let tokenizer = open_tokenizer(Path::new(&tokenizer))?;
    let folder = Path::new(&folder);
    let files: Vec<Vec<u8>> = midi_files(folder)?
        .iter()
        .map(|file| std::fs::read(folder.join(file)))
        .collect::<Result<_, _>>()?;

    let clock = Instant::now();
    let scores: Vec<_> = files
        .iter()
        .map(|bytes| Ok(read_midi(bytes)?.score))
        .collect::<Result<_, score::ReadError>>()?;
    let read_seconds = clock.elapsed().as_secs_f64();

    let clock = Instant::now();
    let tracks: Vec<_> = scores
        .iter()
        .map(|score| tokenizer.encode_base(score))
        .collect::<Result<_, _>>()?;
    let encode_seconds = clock.elapsed().as_secs_f64();

    let clock = Instant::now();
    let mut scratch = Scratch::default();
    let ids: usize = tracks
        .iter()
        .flatten()
        .map(|track| tokenizer.apply_bpe(track, &mut scratch).len())
        .sum();
    let bpe_seconds = clock.elapsed().as_secs_f64();

    let line = json!({
        "files": files.len(),
        "notes": scores.iter().map(|score| score.note_count()).sum::<usize>(),
        "base_tokens": tracks.iter().flatten().map(|track| track.ids.len()).sum::<usize>(),
        "ids": ids,
        "read_seconds": read_seconds,
        "encode_seconds": encode_seconds,
        "bpe_seconds": bpe_seconds,
    });
    println!("{line}");
    Ok(())
}
