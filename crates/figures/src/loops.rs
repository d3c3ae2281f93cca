//! Exact loops: what a model that is stuck plays.
//!
//! A loop is a run of notes that comes again at once, note for note: the same
//! pitches at the same distances (to 2 ms), at least four times in all and for
//! at least two seconds. Ostinati under a melody are none, as the whole texture
//! has to return; nor are performances, where no distance is ever quite the
//! same. The definition is our own.

use crate::piece::{Piece, TICKS_PER_SECOND, share};

/// Times that a loop is heard.
const ROUNDS: usize = 4;

/// Its shortest length.
const TICKS: u32 = 2 * TICKS_PER_SECOND;

/// Most notes of one round.
const LONGEST: usize = 256;

/// How far apart equal distances may lie, for times rounded to ticks.
const TOLERANCE: u32 = 2;

/// Share of the time from the first onset to the last that lies in loops.
pub fn loop_share(piece: &Piece) -> f64 {
    let notes = piece.notes();
    let mut spans: Vec<(u32, u32)> = (1..=LONGEST.min(notes.len() / ROUNDS))
        .flat_map(|period| loops(piece, period))
        .collect();
    spans.sort_unstable();
    let (mut covered, mut until) = (0.0, 0);
    for (start, end) in spans {
        covered += f64::from(end.saturating_sub(start.max(until)));
        until = until.max(end);
    }
    let last = notes.last().map_or(0, |note| note.onset);
    share(covered, f64::from(last)).unwrap_or(0.0)
}

/// From the first onset to the last of each loop with so many notes a round.
fn loops(piece: &Piece, period: usize) -> Vec<(u32, u32)> {
    let notes = piece.notes();
    let mut found = Vec::new();
    let mut start = 0;
    while start + period < notes.len() {
        let distance = notes[start + period].onset - notes[start].onset;
        let returns = |index: &usize| {
            let (note, again) = (notes[*index], notes[index + period]);
            note.pitch == again.pitch && (again.onset - note.onset).abs_diff(distance) <= TOLERANCE
        };
        let run = (start..notes.len() - period).take_while(returns).count();
        let last = notes[start + run + period - 1].onset;
        let long = last - notes[start].onset >= TICKS;
        if run >= (ROUNDS - 1) * period && long && distance > 0 {
            found.push((notes[start].onset, last));
        }
        start += run.max(1);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, melody, note, piece};

    #[test]
    fn a_figure_that_returns_is_a_loop_and_what_surrounds_it_is_not() {
        // 100 ms a note: 14 that do not return, 10 rounds of three, 11 others.
        let ahead = (30..44).collect::<Vec<u8>>();
        let figure = [60, 64, 67].repeat(10);
        let behind = (80..91).collect::<Vec<u8>>();
        let whole = melody(&[ahead.clone(), figure, behind].concat());
        close(loop_share(&whole), 29.0 / 54.0);
        // Three rounds are music, four are not.
        let round = [60, 64, 67, 71, 74, 77, 79];
        let rounds = |count| melody(&[ahead.clone(), round.repeat(count)].concat());
        close(loop_share(&rounds(3)), 0.0);
        close(loop_share(&rounds(4)), 27.0 / 41.0);
        // So is a tone that is repeated for less than two seconds.
        close(loop_share(&melody(&[60; 20])), 0.0);
        close(loop_share(&melody(&[60; 22])), 1.0);
        close(loop_share(&melody(&[60])), 0.0);
    }

    #[test]
    fn chords_loop_and_uneven_distances_do_not() {
        let chord = |onset| [48, 55, 64].map(|pitch| note(onset, 96, pitch));
        let even: Vec<_> = (0..8)
            .flat_map(|index| chord(960 * index + index % 2))
            .collect();
        close(loop_share(&piece(&even)), 1.0);
        for apart in [
            |index: u32| [0, 3, 0, 0, 3, 3, 0, 3][index as usize],
            |index| index * index * 4,
        ] {
            let uneven: Vec<_> = (0..8)
                .flat_map(|index| chord(960 * index + apart(index)))
                .collect();
            close(loop_share(&piece(&uneven)), 0.0);
        }
        close(loop_share(&piece(&[note(0, 10, 60); 50])), 0.0);
    }
}
