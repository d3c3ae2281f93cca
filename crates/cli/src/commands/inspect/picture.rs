//! A picture of notes for the terminal.

use score::{Score, TempoMap};

const COLUMNS: usize = 96;
const ROWS: usize = 24;

/// The notes over time, pitch upwards; darker where more of the time is filled.
pub fn picture(score: &Score) -> String {
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

/// A pitch by its name; C4 is middle C.
pub fn pitch_name(pitch: u8) -> String {
    const NAMES: [&str; 12] = [
        "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B",
    ];
    format!(
        "{}{}",
        NAMES[usize::from(pitch % 12)],
        i16::from(pitch / 12) - 1
    )
}
