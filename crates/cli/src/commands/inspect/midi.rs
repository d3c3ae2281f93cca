//! What a MIDI file holds.

use std::path::Path;

use anyhow::Context;
use score::{Measures, Score, measure, read_midi};
use serde::Serialize;

use super::picture::{picture, pitch_name};
use crate::say;

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

/// Shows a MIDI file.
///
/// # Errors
/// Where it cannot be read.
pub fn show(file: &Path, json: bool) -> anyhow::Result<()> {
    let name = file.display().to_string();
    let (score, damage) = read(file).with_context(|| name.clone())?;
    let line = line(name, &score, damage);
    if json {
        say!("{}", serde_json::to_string(&line)?);
    } else {
        print(&line);
        say!("{}", picture(&score).trim_end());
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
    say!("{}", line.file);
    say!("  notes      {} in {} tracks", line.notes, line.tracks);
    say!("  seconds    {:.1}", line.seconds);
    if let (Some(lowest), Some(highest)) = (line.lowest, line.highest) {
        say!(
            "  range      {} to {}",
            pitch_name(lowest),
            pitch_name(highest)
        );
    }
    say!(
        "  polyphony  {} at most, {:.1} on average",
        line.polyphony,
        line.mean_polyphony
    );
    say!("  velocity   {:.0} on average", line.mean_velocity);
    say!("  pedal      {:.0} % of the time", 100.0 * line.pedal_share);
    say!("  tempos     {}", line.tempos);
    say!("  signatures {}", line.time_signatures.join(" "));
    if !line.damage.is_empty() {
        say!("  damage     {}", line.damage);
    }
}
