//! `tchaikovsky inspect`: what a MIDI file holds.

use std::path::{Path, PathBuf};

use anyhow::Context;
use score::{Measures, Score, TempoMap, measure, read_midi};
use serde::Serialize;

/// Show what MIDI files hold: figures and a picture of the notes.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// MIDI files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print JSON, a line a file.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  tchaikovsky inspect piece.mid
  tchaikovsky inspect --json *.mid";

#[derive(Serialize)]
struct Line {
    file: String,
    notes: usize,
    seconds: f64,
    lowest: Option<u8>,
    highest: Option<u8>,
    polyphony: usize,
    mean_polyphony: f64,
    mean_velocity: f64,
    pedal_share: f64,
    tracks: usize,
    tempos: usize,
    time_signatures: Vec<String>,
    damage: String,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    for file in &args.files {
        let name = file.display().to_string();
        let (score, damage) = read(file).with_context(|| name.clone())?;
        let line = line(name, &score, damage);
        if args.json {
            println!("{}", serde_json::to_string(&line)?);
        } else {
            print(&line);
            print!("{}", picture(&score));
        }
    }
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<(Score, String)> {
    let reading = read_midi(&std::fs::read(file)?)?;
    Ok((reading.score, reading.damage.to_string()))
}

fn line(file: String, score: &Score, damage: String) -> Line {
    let Measures {
        notes,
        seconds,
        lowest,
        highest,
        polyphony,
        mean_polyphony,
        pedal_share,
        mean_velocity,
    } = measure(score);
    let signatures = score.time_signatures.iter();
    Line {
        file,
        notes,
        seconds,
        lowest,
        highest,
        polyphony,
        mean_polyphony,
        mean_velocity,
        pedal_share,
        tracks: score.tracks.len(),
        tempos: score.tempos.len(),
        time_signatures: signatures
            .map(|s| format!("{}/{}", s.numerator, s.denominator))
            .collect(),
        damage,
    }
}

fn print(line: &Line) {
    println!("{}", line.file);
    println!("  notes      {} in {} tracks", line.notes, line.tracks);
    println!("  seconds    {:.1}", line.seconds);
    if let (Some(lowest), Some(highest)) = (line.lowest, line.highest) {
        println!(
            "  range      {} to {}",
            pitch_name(lowest),
            pitch_name(highest)
        );
    }
    println!(
        "  polyphony  {} at most, {:.1} on average",
        line.polyphony, line.mean_polyphony
    );
    println!("  velocity   {:.0} on average", line.mean_velocity);
    println!("  pedal      {:.0} % of the time", 100.0 * line.pedal_share);
    println!("  tempos     {}", line.tempos);
    println!("  signatures {}", line.time_signatures.join(" "));
    if !line.damage.is_empty() {
        println!("  damage     {}", line.damage);
    }
}

fn pitch_name(pitch: u8) -> String {
    const NAMES: [&str; 12] = [
        "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B",
    ];
    format!(
        "{}{}",
        NAMES[usize::from(pitch % 12)],
        i16::from(pitch / 12) - 1
    )
}

const COLUMNS: usize = 96;
const ROWS: usize = 24;

/// The notes over time, pitch upwards; darker where more of the time is filled.
fn picture(score: &Score) -> String {
    let map = TempoMap::new(score);
    let end = map.seconds(score.end());
    let notes = || {
        score
            .tracks
            .iter()
            .filter(|track| !track.is_drum)
            .flat_map(|track| &track.notes)
    };
    let (Some(lowest), Some(highest)) = (
        notes().map(|note| note.pitch).min(),
        notes().map(|note| note.pitch).max(),
    ) else {
        return String::new();
    };
    let span = usize::from(highest - lowest) + 1;
    let rows = ROWS.min(span);
    let mut filled = vec![[0.0_f64; COLUMNS]; rows];
    let per_column = (end / COLUMNS as f64).max(1e-9);
    for note in notes() {
        let row = usize::from(note.pitch - lowest) * rows / span;
        let (from, to) = (
            map.seconds(note.onset) / per_column,
            map.seconds(note.end()) / per_column,
        );
        let last = (to.ceil() as usize).clamp(1, COLUMNS);
        for (column, cell) in filled[row]
            .iter_mut()
            .enumerate()
            .take(last)
            .skip(from as usize)
        {
            let column = column as f64;
            *cell += (to.min(column + 1.0) - from.max(column)).max(0.0);
        }
    }
    let shade = |share: &f64| match *share {
        share if share <= 0.0 => ' ',
        share if share < 0.25 => '\u{2591}',
        share if share < 0.5 => '\u{2592}',
        share if share < 0.75 => '\u{2593}',
        _ => '\u{2588}',
    };
    let mut text = String::new();
    for (index, row) in filled.iter().enumerate().rev() {
        let pitch = lowest + (index * span / rows) as u8;
        let cells: String = row.iter().map(shade).collect();
        text.push_str(&format!(
            "{:>4} \u{2502}{cells}\u{2502}\n",
            pitch_name(pitch)
        ));
    }
    text.push_str(&format!(
        "     0 s{:>width$}\n",
        format!("{end:.0} s"),
        width = COLUMNS - 2
    ));
    text
}
