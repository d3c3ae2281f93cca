//! Score to MIDI file: type 1, one track of tempos and time signatures, then
//! one track for each of the score's. The same score gives the same bytes.
//!
//! Within a tick, notes end before others begin, so that a note repeated
//! without a gap is read back as two. Where two notes of one pitch overlap in
//! one track, readers end the earlier one first (so does [`crate::read_midi`]):
//! MIDI cannot say otherwise within a channel. So of notes that begin together
//! the shorter is written first.

use midly::num::{u4, u7, u15, u24, u28};
use midly::{Format, Header, MetaMessage, MidiMessage, Timing, TrackEvent, TrackEventKind};
use thiserror::Error;

use crate::{Note, Score, Track};

const LARGEST_DELTA: u32 = 0x0fff_ffff;
const PIANO_CHANNELS: [u8; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15];
const DRUM_CHANNEL: u8 = 9;
const SUSTAIN: u8 = 64;

/// Why a score cannot be written as a MIDI file.
#[derive(Debug, Error)]
pub enum WriteError {
    /// A limit of the file format is exceeded.
    #[error("the score does not fit into a MIDI file: {0}; split it")]
    TooLarge(String),
}

/// An event at an absolute tick. The second field orders events of one tick.
type Timed = (u32, u8, TrackEventKind<'static>);

const SETUP: u8 = 0;
const ENDS: u8 = 1;
const BEGINS: u8 = 2;

/// The bytes of a MIDI file with this score.
///
/// # Errors
/// [`WriteError::TooLarge`] beyond 65,534 tracks, 4 GiB a track, or 32,767
/// ticks per quarter note.
pub fn write_midi(score: &Score) -> Result<Vec<u8>, WriteError> {
    if score.ticks_per_quarter > u15::max_value().as_int() {
        let limit = format!("{} ticks per quarter note", score.ticks_per_quarter);
        return Err(WriteError::TooLarge(limit));
    }
    let timing = Timing::Metrical(u15::new(score.ticks_per_quarter));
    let mut tracks = vec![with_deltas(conductor(score))];
    let mut next_channel = PIANO_CHANNELS.iter().cycle();
    for track in &score.tracks {
        let channel = match track.is_drum {
            true => DRUM_CHANNEL,
            false => *next_channel.next().unwrap_or(&0),
        };
        tracks.push(with_deltas(messages(track, channel)));
    }
    let mut bytes = Vec::new();
    midly::write(&Header::new(Format::Parallel, timing), &tracks, &mut bytes)
        .map_err(|error| WriteError::TooLarge(error.to_string()))?;
    Ok(bytes)
}

fn conductor(score: &Score) -> Vec<Timed> {
    let signatures = score.time_signatures.iter().map(|signature| {
        let power = signature.denominator.max(1).ilog2() as u8;
        let message = MetaMessage::TimeSignature(signature.numerator, power, 24, 8);
        (signature.onset, SETUP, TrackEventKind::Meta(message))
    });
    let tempos = score.tempos.iter().map(|tempo| {
        let microseconds = tempo
            .microseconds_per_quarter
            .min(u24::max_value().as_int());
        (
            tempo.onset,
            SETUP,
            TrackEventKind::Meta(MetaMessage::Tempo(u24::new(microseconds))),
        )
    });
    signatures.chain(tempos).collect()
}

fn messages(track: &Track, channel: u8) -> Vec<Timed> {
    let midi = |message| TrackEventKind::Midi {
        channel: u4::new(channel & 15),
        message,
    };
    let mut events = Vec::with_capacity(2 * (track.notes.len() + track.pedals.len()) + 1);
    let program = u7::new(track.program & 127);
    events.push((0, SETUP, midi(MidiMessage::ProgramChange { program })));
    let mut span = |onset, end, begin, finish| {
        // A span of no length ends after it begins.
        let order = if end > onset { ENDS } else { BEGINS };
        events.push((onset, BEGINS, midi(begin)));
        events.push((end, order, midi(finish)));
    };
    for pedal in &track.pedals {
        let press = |value| MidiMessage::Controller {
            controller: u7::new(SUSTAIN),
            value: u7::new(value),
        };
        span(pedal.onset, pedal.end(), press(127), press(0));
    }
    for note in shorter_first(&track.notes) {
        let key = u7::new(note.pitch & 127);
        let vel = u7::new(note.velocity.clamp(1, 127));
        let (begin, finish) = (
            MidiMessage::NoteOn { key, vel },
            MidiMessage::NoteOff {
                key,
                vel: u7::new(64),
            },
        );
        span(note.onset, note.end(), begin, finish);
    }
    events
}

/// The notes in their order, but those of one onset and pitch by duration.
fn shorter_first(notes: &[Note]) -> Vec<Note> {
    let mut places: Vec<usize> = (0..notes.len()).collect();
    places.sort_by_key(|place| (notes[*place].onset, notes[*place].pitch));
    let mut sorted = notes.to_vec();
    sorted.sort_by_key(|note| (note.onset, note.pitch, note.duration));
    let mut ordered = notes.to_vec();
    for (place, note) in places.into_iter().zip(sorted) {
        ordered[place] = note;
    }
    ordered
}

/// Absolute ticks to delta times, in order, with the end of the track. A gap
/// too long for one delta is bridged by empty texts.
fn with_deltas(mut events: Vec<Timed>) -> Vec<TrackEvent<'static>> {
    events.sort_by_key(|(tick, order, _)| (*tick, *order));
    let mut track = Vec::with_capacity(events.len() + 1);
    let mut now = 0;
    for (tick, _, kind) in events {
        while tick - now > LARGEST_DELTA {
            let text = TrackEventKind::Meta(MetaMessage::Text(b""));
            track.push(TrackEvent {
                delta: u28::new(LARGEST_DELTA),
                kind: text,
            });
            now += LARGEST_DELTA;
        }
        track.push(TrackEvent {
            delta: u28::new(tick - now),
            kind,
        });
        now = tick;
    }
    let end = TrackEventKind::Meta(MetaMessage::EndOfTrack);
    track.push(TrackEvent {
        delta: u28::new(0),
        kind: end,
    });
    track
}
