//! Bytes of MIDI files.

use score::{Note, Pedal, Reading, Score, read_midi};

/// A MIDI file of these tracks, to each of which an end is added.
pub fn file(format: u8, division: u16, tracks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = header(format, division, tracks.len() as u16);
    for track in tracks {
        bytes.extend(chunk(&[track, &[0, 0xff, 0x2f, 0][..]].concat()));
    }
    bytes
}

/// The header chunk alone.
pub fn header(format: u8, division: u16, tracks: u16) -> Vec<u8> {
    let mut bytes = b"MThd\0\0\0\x06\0".to_vec();
    bytes.push(format);
    bytes.extend(tracks.to_be_bytes());
    bytes.extend(division.to_be_bytes());
    bytes
}

/// A track chunk of these events.
pub fn chunk(events: &[u8]) -> Vec<u8> {
    let mut bytes = b"MTrk".to_vec();
    bytes.extend((events.len() as u32).to_be_bytes());
    bytes.extend(events);
    bytes
}

/// Reads a sound file.
pub fn sound(bytes: &[u8]) -> Score {
    let Reading { score, damage } = read_midi(bytes).unwrap();
    assert!(damage.is_sound(), "{damage}");
    score
}

/// Reads a file of one track of 96 ticks a quarter note.
pub fn one(events: &[u8]) -> Score {
    sound(&file(0, 96, &[events]))
}

/// Onset, duration, pitch, velocity of the notes of each track.
pub fn notes(score: &Score) -> Vec<Vec<(u32, u32, u8, u8)>> {
    let note = |note: &Note| (note.onset, note.duration, note.pitch, note.velocity);
    let tracks = score.tracks.iter();
    tracks
        .map(|track| track.notes.iter().map(note).collect())
        .collect()
}

/// Onset and duration of the pedals of the first track.
pub fn pedals(score: &Score) -> Vec<(u32, u32)> {
    let pedal = |pedal: &Pedal| (pedal.onset, pedal.duration);
    score.tracks[0].pedals.iter().map(pedal).collect()
}
