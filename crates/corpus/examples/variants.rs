//! Makes a large corpus out of a small one: transposed and shifted variants of
//! the MIDI files below a folder, as many as asked for.
//!
//!     cargo run --release -p corpus --example variants -- FOLDER OUT FILES

use std::error::Error;
use std::path::Path;

use corpus::midi_files;
use score::{Score, read_midi, write_midi};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("name a folder of MIDI files")?;
    let out = args.next().ok_or("name the folder to write to")?;
    let wanted: usize = args.next().ok_or("say how many files")?.parse()?;
    let (folder, out) = (Path::new(&folder), Path::new(&out));
    let scores: Vec<Score> = midi_files(folder)?
        .iter()
        .map(|file| Ok(read_midi(&std::fs::read(folder.join(file))?)?.score))
        .collect::<Result<_, Box<dyn Error>>>()?;
    for index in 0..wanted {
        let round = index / scores.len();
        let variant = variant(&scores[index % scores.len()], round);
        let subfolder = out.join(format!("{:03}", index / 1000));
        std::fs::create_dir_all(&subfolder)?;
        std::fs::write(
            subfolder.join(format!("{index:06}.mid")),
            write_midi(&variant)?,
        )?;
    }
    println!("{wanted} files in {}", out.display());
    Ok(())
}

/// Eleven transpositions, then the same again, later by a sixteenth at a time.
fn variant(score: &Score, round: usize) -> Score {
    let shift = (round % 11) as i8 - 5;
    let later = (round / 11) as u32 * u32::from(score.ticks_per_quarter) / 4;
    let mut variant = score.clone();
    for track in &mut variant.tracks {
        for note in &mut track.notes {
            note.pitch = note.pitch.saturating_add_signed(shift).min(127);
            note.onset = note.onset.saturating_add(later);
        }
        for pedal in &mut track.pedals {
            pedal.onset = pedal.onset.saturating_add(later);
        }
    }
    variant
}
