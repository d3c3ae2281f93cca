//! MIDI file to score.
//!
//! Types 0, 1 and 2 (all tracks lie over one another, as symusic has it),
//! running status (which here survives meta events, as in most readers), RMID
//! wrappers, SMPTE divisions. What a damaged file still holds is read; what it
//! lost is told in [`Damage`].

use midly::{EventIter, Fps, MetaMessage, MidiMessage, Timing, TrackEventKind};
use thiserror::Error;

use crate::pairing::TrackBuilder;
use crate::{Damage, Loss, Score, Tempo, TimeSignature};

/// symusic keeps ticks in 32 signed bits.
const LAST_TICK: u32 = i32::MAX as u32;

/// Ticks per quarter assumed where a header states none.
const DEFAULT_TICKS_PER_QUARTER: u16 = 480;

/// A score and what was lost on the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The score.
    pub score: Score,
    /// What could not be read; empty for a sound file.
    pub damage: Damage,
}

/// Why nothing could be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The bytes are no MIDI file, or its header is damaged.
    #[error("not a MIDI file ({0}); is it a complete .mid file?")]
    NotMidi(String),
    /// There is a header but no track behind it.
    #[error("the MIDI file holds no track; it is empty or cut off behind its header")]
    NoTracks,
}

/// Reads the bytes of a MIDI file.
///
/// # Errors
/// [`ReadError`] where there is no readable header or no track at all; anything
/// less is reported in [`Reading::damage`].
pub fn read_midi(bytes: &[u8]) -> Result<Reading, ReadError> {
    check_frame_rate(bytes)?;
    let (header, tracks) =
        midly::parse(bytes).map_err(|error| ReadError::NotMidi(error.to_string()))?;
    let declared = tracks.size_hint().0;
    let mut damage = Damage::default();
    let mut score = new_score(header.timing, &mut damage);
    let (mut found, mut open_notes, mut open_pedals) = (0, 0, 0);
    let fixed_tempo = !score.tempos.is_empty();
    for events in tracks.flatten() {
        found += 1;
        if found > declared {
            continue;
        }
        let builder = read_track(events, found - 1, &mut score, &mut damage);
        let (tracks, notes, pedals) = builder.finish();
        score.tracks.extend(tracks);
        open_notes += notes;
        open_pedals += pedals;
    }
    if found == 0 {
        return Err(ReadError::NoTracks);
    }
    if found != declared {
        damage.losses.push(Loss::TrackCount { declared, found });
    }
    if open_notes > 0 {
        damage.losses.push(Loss::OpenNotes(open_notes));
    }
    if open_pedals > 0 {
        damage.losses.push(Loss::OpenPedals(open_pedals));
    }
    if fixed_tempo {
        // SMPTE ticks are fractions of a second: tempo events do not bend them.
        score.tempos.truncate(1);
    }
    score.tempos.sort_by_key(|tempo| tempo.onset);
    score
        .time_signatures
        .sort_by_key(|signature| signature.onset);
    Ok(Reading { score, damage })
}

/// Refuses a division of -128 frames a second, a number that midly negates
/// although its type holds no 128.
fn check_frame_rate(bytes: &[u8]) -> Result<(), ReadError> {
    let header = bytes.windows(14).find(|window| window.starts_with(b"MThd"));
    match header {
        Some(header) if header[12] == 0x80 => Err(ReadError::NotMidi(
            "its time division is 128 frames a second".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// An empty score with the header's division. In an SMPTE division a tick is a
/// fraction of a second: a quarter note is half a second then, or a second where
/// that many ticks are odd, with the tempo that makes it so. The frame rate that
/// files call 29 is 30 frames in 1.001 seconds.
fn new_score(timing: Timing, damage: &mut Damage) -> Score {
    match timing {
        Timing::Metrical(ticks) if ticks.as_int() == 0 => {
            damage.losses.push(Loss::ZeroDivision);
            Score::new(DEFAULT_TICKS_PER_QUARTER)
        }
        Timing::Metrical(ticks) => Score::new(ticks.as_int()),
        Timing::Timecode(frames, ticks_per_frame) => {
            let (per_second, stretch) = match frames {
                Fps::Fps29 => (30, 1.001),
                other => (u16::from(other.as_int()), 1.0),
            };
            let ticks_per_second = per_second * u16::from(ticks_per_frame);
            if ticks_per_second == 0 {
                damage.losses.push(Loss::ZeroDivision);
                return Score::new(DEFAULT_TICKS_PER_QUARTER);
            }
            let quarters_per_second = if ticks_per_second.is_multiple_of(2) {
                2
            } else {
                1
            };
            let ticks_per_quarter = ticks_per_second / quarters_per_second;
            let quarter = stretch * 1_000_000.0 / f64::from(quarters_per_second);
            let mut score = Score::new(ticks_per_quarter);
            score.tempos.push(Tempo {
                onset: 0,
                microseconds_per_quarter: quarter.round() as u32,
            });
            score
        }
    }
}

fn read_track(
    mut events: EventIter<'_>,
    index: usize,
    score: &mut Score,
    damage: &mut Damage,
) -> TrackBuilder {
    let mut builder = TrackBuilder::new();
    let mut tick = 0_u32;
    loop {
        let status = events.running_status();
        let unread = events.unread();
        let Some(Ok(event)) = events.next() else {
            if let Some((delta, rest)) = system_message(unread) {
                tick = tick.saturating_add(delta);
                events = EventIter::new(rest);
                *events.running_status_mut() = status;
                continue;
            }
            damage.losses.push(match unread.len() {
                0 => Loss::TrackUnfinished { track: index },
                unread_bytes => Loss::TrackBroken {
                    track: index,
                    unread_bytes,
                },
            });
            return builder;
        };
        tick = tick.saturating_add(event.delta.as_int());
        if tick > LAST_TICK {
            damage.losses.push(Loss::BeyondLastTick { track: index });
            return builder;
        }
        match event.kind {
            TrackEventKind::Midi { channel, message } => {
                read_message(&mut builder, channel.as_int(), tick, message);
            }
            TrackEventKind::Meta(MetaMessage::EndOfTrack) => return builder,
            TrackEventKind::Meta(message) => {
                *events.running_status_mut() = status;
                read_meta(&mut builder, score, tick, message);
            }
            TrackEventKind::SysEx(_) | TrackEventKind::Escape(_) => {}
        }
    }
}

/// A clock tick or another system message, which recordings of a live stream
/// hold although files must not: its delta time, and the bytes behind it.
fn system_message(mut bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut delta = 0;
    for _ in 0..4 {
        let byte = *bytes.split_off_first()?;
        delta = delta << 7 | u32::from(byte & 127);
        if byte < 128 {
            break;
        }
    }
    let data_bytes = match bytes.split_off_first()? {
        0xf2 => 2,
        0xf1 | 0xf3 => 1,
        0xf6 | 0xf8..=0xfe => 0,
        _ => return None,
    };
    Some((delta, bytes.get(data_bytes..)?))
}

fn read_message(builder: &mut TrackBuilder, channel: u8, tick: u32, message: MidiMessage) {
    match message {
        MidiMessage::NoteOn { key, vel } if vel.as_int() > 0 => {
            builder.note_on(channel, tick, key.as_int(), vel.as_int());
        }
        MidiMessage::NoteOn { key, .. } | MidiMessage::NoteOff { key, .. } => {
            builder.note_off(channel, tick, key.as_int());
        }
        MidiMessage::Controller { controller, value } => {
            if controller.as_int() == 64 {
                builder.pedal(channel, tick, value.as_int());
            }
            builder.other(channel, tick);
        }
        MidiMessage::ProgramChange { program } => builder.program(channel, program.as_int()),
        MidiMessage::PitchBend { .. } => builder.other(channel, tick),
        MidiMessage::Aftertouch { .. } | MidiMessage::ChannelAftertouch { .. } => {}
    }
}

fn read_meta(builder: &mut TrackBuilder, score: &mut Score, tick: u32, message: MetaMessage<'_>) {
    match message {
        MetaMessage::Tempo(microseconds) => score.tempos.push(Tempo {
            onset: tick,
            microseconds_per_quarter: microseconds.as_int(),
        }),
        MetaMessage::TimeSignature(numerator, power, ..) => {
            score.time_signatures.push(TimeSignature {
                onset: tick,
                numerator,
                denominator: 1_u8.checked_shl(u32::from(power)).unwrap_or(0),
            });
        }
        MetaMessage::KeySignature(..) => {
            score.last_other_tick = score.last_other_tick.max(tick);
        }
        MetaMessage::Marker(text) if !text.is_empty() => {
            score.last_other_tick = score.last_other_tick.max(tick);
        }
        MetaMessage::Lyric(text) if !text.is_empty() => builder.lyric(tick),
        _ => {}
    }
}
