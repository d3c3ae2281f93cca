//! A score as messages at samples.

use score::{Score, TempoMap};

/// A message and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// Samples from the beginning.
    pub sample: u64,
    /// What happens. Within a sample, what ends comes before what begins.
    pub kind: EventKind,
    /// The track of the score, counted from 0.
    pub part: usize,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// A key is let go.
    NoteOff {
        /// MIDI number of the key.
        key: u8,
    },
    /// The sustain pedal is lifted.
    PedalUp,
    /// The sustain pedal is pressed.
    PedalDown,
    /// A key is struck.
    NoteOn {
        /// MIDI number of the key.
        key: u8,
        /// MIDI velocity, 1 to 127.
        velocity: u8,
    },
}

/// The messages of a score in their order, times by its tempos, with drum parts
/// or without. Notes and pedals last for a sample at least.
///
/// Times beyond the 64 bits of a sample's number saturate.
pub fn events(score: &Score, sample_rate: u32, drums: bool) -> Vec<Event> {
    let map = TempoMap::new(score);
    let sample = |tick: u32| (map.seconds(tick) * f64::from(sample_rate)).round() as u64;
    let mut events = Vec::with_capacity(2 * score.note_count());
    let parts = score.tracks.iter().enumerate();
    for (part, track) in parts.filter(|(_, track)| drums || !track.is_drum) {
        let mut span = |onset: u32, end: u32, begin, finish| {
            let from = sample(onset);
            let to = sample(end).max(from.saturating_add(1));
            let event = |sample, kind| Event { sample, kind, part };
            events.extend([event(from, begin), event(to, finish)]);
        };
        for note in &track.notes {
            let (key, velocity) = (note.pitch, note.velocity);
            let begin = EventKind::NoteOn { key, velocity };
            span(note.onset, note.end(), begin, EventKind::NoteOff { key });
        }
        for pedal in &track.pedals {
            let (begin, finish) = (EventKind::PedalDown, EventKind::PedalUp);
            span(pedal.onset, pedal.end(), begin, finish);
        }
    }
    events.sort_unstable();
    events
}
