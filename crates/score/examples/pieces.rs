//! Writes a small corpus of piano pieces into a folder: old music in the public
//! domain, written as notes in code, in several keys, tempos and touches.
//!
//!     cargo run --release -p score --example pieces -- FOLDER

use std::error::Error;
use std::path::Path;

use score::{Note, Pedal, Score, Tempo, TimeSignature, Track, write_midi};

const QUARTER: u32 = 480;

/// A melody: pitch and length in eighths, and the chord roots of each bar.
struct Tune {
    name: &'static str,
    eighths_a_bar: u32,
    melody: &'static [(u8, u32)],
    /// Lowest note and intervals of the chord under each bar.
    chords: &'static [(u8, [u8; 3])],
}

const MAJOR: [u8; 3] = [0, 4, 7];
const MINOR: [u8; 3] = [0, 3, 7];

const TUNES: [Tune; 4] = [
    // Beethoven, Ninth Symphony (1824).
    Tune {
        name: "ode-to-joy",
        eighths_a_bar: 8,
        melody: &[
            (64, 2),
            (64, 2),
            (65, 2),
            (67, 2),
            (67, 2),
            (65, 2),
            (64, 2),
            (62, 2),
            (60, 2),
            (60, 2),
            (62, 2),
            (64, 2),
            (64, 3),
            (62, 1),
            (62, 4),
            (64, 2),
            (64, 2),
            (65, 2),
            (67, 2),
            (67, 2),
            (65, 2),
            (64, 2),
            (62, 2),
            (60, 2),
            (60, 2),
            (62, 2),
            (64, 2),
            (62, 3),
            (60, 1),
            (60, 4),
        ],
        chords: &[
            (48, MAJOR),
            (43, MAJOR),
            (48, MAJOR),
            (43, MAJOR),
            (48, MAJOR),
            (43, MAJOR),
            (48, MAJOR),
            (48, MAJOR),
        ],
    },
    // English, sixteenth century.
    Tune {
        name: "greensleeves",
        eighths_a_bar: 6,
        melody: &[
            (69, 2),
            (72, 4),
            (74, 2),
            (76, 3),
            (77, 1),
            (76, 2),
            (74, 4),
            (71, 2),
            (67, 3),
            (69, 1),
            (71, 2),
            (72, 4),
            (69, 2),
            (69, 3),
            (68, 1),
            (69, 2),
            (71, 4),
            (68, 2),
            (64, 4),
        ],
        chords: &[
            (45, MINOR),
            (45, MINOR),
            (43, MAJOR),
            (43, MAJOR),
            (45, MINOR),
            (45, MINOR),
            (40, MAJOR),
            (40, MAJOR),
        ],
    },
    // French, eighteenth century.
    Tune {
        name: "ah-vous-dirai-je",
        eighths_a_bar: 8,
        melody: &[
            (60, 2),
            (60, 2),
            (67, 2),
            (67, 2),
            (69, 2),
            (69, 2),
            (67, 4),
            (65, 2),
            (65, 2),
            (64, 2),
            (64, 2),
            (62, 2),
            (62, 2),
            (60, 4),
            (67, 2),
            (67, 2),
            (65, 2),
            (65, 2),
            (64, 2),
            (64, 2),
            (62, 4),
            (67, 2),
            (67, 2),
            (65, 2),
            (65, 2),
            (64, 2),
            (64, 2),
            (62, 4),
        ],
        chords: &[
            (48, MAJOR),
            (41, MAJOR),
            (41, MAJOR),
            (43, MAJOR),
            (48, MAJOR),
            (43, MAJOR),
            (48, MAJOR),
            (43, MAJOR),
        ],
    },
    // Pachelbel, Canon (about 1680): the bass and its first voice.
    Tune {
        name: "canon",
        eighths_a_bar: 8,
        melody: &[
            (78, 4),
            (76, 4),
            (74, 4),
            (73, 4),
            (71, 4),
            (69, 4),
            (71, 4),
            (73, 4),
            (74, 2),
            (78, 2),
            (81, 2),
            (79, 2),
            (78, 2),
            (74, 2),
            (78, 2),
            (76, 2),
            (74, 2),
            (71, 2),
            (74, 2),
            (81, 2),
            (79, 2),
            (83, 2),
            (81, 2),
            (79, 2),
        ],
        chords: &[
            (50, MAJOR),
            (47, MINOR),
            (43, MAJOR),
            (43, MAJOR),
            (50, MAJOR),
            (47, MINOR),
            (43, MAJOR),
            (45, MAJOR),
        ],
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("name the folder to write to")?;
    std::fs::create_dir_all(&folder)?;
    let mut files = 0;
    for tune in &TUNES {
        for (touch, shift) in [-5_i8, -3, -1, 0, 2, 4].into_iter().enumerate() {
            let bytes = write_midi(&perform(tune, shift, touch as u32))?;
            std::fs::write(
                Path::new(&folder).join(format!("{}-{touch}.mid", tune.name)),
                bytes,
            )?;
            files += 1;
        }
    }
    println!("{files} pieces in {folder}");
    Ok(())
}

/// The tune in another key, four times with a growing accompaniment; `touch`
/// changes tempo and loudness.
fn perform(tune: &Tune, shift: i8, touch: u32) -> Score {
    let eighth = QUARTER / 2;
    let bar = tune.eighths_a_bar * eighth;
    let length = tune
        .melody
        .iter()
        .map(|(_, eighths)| eighths * eighth)
        .sum::<u32>()
        .div_ceil(bar)
        * bar;
    let mut track = Track::piano();
    for round in 0..4 {
        let start = round * length;
        let mut onset = start;
        for (index, (pitch, eighths)) in tune.melody.iter().enumerate() {
            let swell = (index as u32 * 7 + touch * 5) % 20;
            let velocity = (62 + swell + 4 * round) as u8;
            let duration = eighths * eighth * 9 / 10;
            track.notes.push(Note {
                onset,
                duration,
                pitch: moved(*pitch, shift),
                velocity,
            });
            onset += eighths * eighth;
        }
        for index in 0..length / bar {
            let chord = tune.chords[index as usize % tune.chords.len()];
            accompany(&mut track, chord, shift, (start + index * bar, bar), round);
        }
    }
    track.notes.sort_by_key(|note| note.onset);
    let mut score = Score::new(QUARTER as u16);
    let numerator = (tune.eighths_a_bar / 2) as u8;
    score.time_signatures = vec![TimeSignature {
        onset: 0,
        numerator,
        denominator: 4,
    }];
    let microseconds_per_quarter = 450_000 + 30_000 * touch;
    score.tempos = vec![Tempo {
        onset: 0,
        microseconds_per_quarter,
    }];
    score.tracks.push(track);
    score
}

/// A bar of accompaniment: held, broken, or repeated chords; and its pedal.
fn accompany(
    track: &mut Track,
    chord: (u8, [u8; 3]),
    shift: i8,
    (start, bar): (u32, u32),
    round: u32,
) {
    let (root, intervals) = chord;
    let eighths = bar / (QUARTER / 2);
    for eighth in 0..eighths {
        let onset = start + eighth * QUARTER / 2;
        let tones: &[usize] = match round {
            0 if eighth == 0 => &[0],
            1 if eighth == 0 => &[0, 1, 2],
            2 => &[[0, 2, 1, 2][eighth as usize % 4]],
            3 if eighth % 2 == 0 => &[0, 1, 2],
            _ => &[],
        };
        let duration = if round < 2 { bar * 9 / 10 } else { QUARTER / 2 };
        for tone in tones {
            let pitch = moved(root + intervals[*tone], shift);
            track.notes.push(Note {
                onset,
                duration,
                pitch,
                velocity: (48 + 3 * round) as u8,
            });
        }
    }
    track.pedals.push(Pedal {
        onset: start,
        duration: bar * 19 / 20,
    });
}

fn moved(pitch: u8, shift: i8) -> u8 {
    pitch.saturating_add_signed(shift)
}
