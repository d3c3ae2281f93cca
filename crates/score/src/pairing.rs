//! From the messages of one MIDI track to the tracks of a score: which note-off
//! ends which note, and which program a note belongs to.
//!
//! The rules are symusic 0.6.0's:
//! - One score track for each (channel, program) that has notes, ordered by
//!   channel, then program.
//! - A note-off ends the earliest open note of its channel and pitch.
//! - Notes keep the order of their note-on messages; notes left open vanish.
//! - A pedal is down from a controller-64 value of 64 upwards until a value
//!   below 64; pedals left open vanish. On every channel but the first, symusic
//!   takes the pedal to be down from tick 0, so the first lift on such a
//!   channel closes a span that begins there.
//! - Events of a channel that come before the first note of its program belong
//!   to the track that this note begins.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::{Note, Pedal, Track};

const CHANNELS: usize = 16;
const PITCHES: usize = 128;
const DRUM_CHANNEL: u8 = 9;
/// Duration of a note that is still open.
const OPEN: u32 = u32::MAX;

/// Where an open note lies: which track, and its index there.
#[derive(Clone, Copy, Default)]
struct Place {
    track: usize,
    note: usize,
}

/// The open notes of one channel and pitch; most of the time there is one.
#[derive(Clone, Copy, Default)]
struct Slot {
    open: u32,
    first: Place,
}

/// Collects the messages of one MIDI track, in order, into score tracks.
pub(crate) struct TrackBuilder {
    slots: Vec<Slot>,
    overflow: HashMap<u16, VecDeque<Place>>,
    programs: [u8; CHANNELS],
    by_key: BTreeMap<(u8, u8), usize>,
    tracks: Vec<Track>,
    stragglers: [Track; CHANNELS],
    pedal_down: [Option<u32>; CHANNELS],
}

impl TrackBuilder {
    pub(crate) fn new() -> Self {
        let mut pedal_down = [Some(0); CHANNELS];
        pedal_down[0] = None;
        Self {
            slots: vec![Slot::default(); CHANNELS * PITCHES],
            overflow: HashMap::new(),
            programs: [0; CHANNELS],
            by_key: BTreeMap::new(),
            tracks: Vec::new(),
            stragglers: Default::default(),
            pedal_down,
        }
    }

    pub(crate) fn program(&mut self, channel: u8, program: u8) {
        self.programs[usize::from(channel)] = program;
    }

    pub(crate) fn note_on(&mut self, channel: u8, tick: u32, pitch: u8, velocity: u8) {
        let track = self.track_with_notes(channel);
        let notes = &mut self.tracks[track].notes;
        notes.push(Note {
            onset: tick,
            duration: OPEN,
            pitch,
            velocity,
        });
        let place = Place {
            track,
            note: notes.len() - 1,
        };
        let key = slot_key(channel, pitch);
        let slot = &mut self.slots[usize::from(key)];
        if slot.open == 0 {
            slot.first = place;
        } else {
            self.overflow.entry(key).or_default().push_back(place);
        }
        slot.open += 1;
    }

    pub(crate) fn note_off(&mut self, channel: u8, tick: u32, pitch: u8) {
        let key = slot_key(channel, pitch);
        let slot = &mut self.slots[usize::from(key)];
        if slot.open == 0 {
            return;
        }
        let note = &mut self.tracks[slot.first.track].notes[slot.first.note];
        note.duration = tick - note.onset;
        slot.open -= 1;
        if let Some(next) = self.overflow.get_mut(&key).and_then(VecDeque::pop_front) {
            slot.first = next;
        }
    }

    pub(crate) fn pedal(&mut self, channel: u8, tick: u32, value: u8) {
        let down = &mut self.pedal_down[usize::from(channel)];
        if value >= 64 {
            down.get_or_insert(tick);
        } else if let Some(onset) = down.take() {
            let pedal = Pedal {
                onset,
                duration: tick - onset,
            };
            self.track(channel).pedals.push(pedal);
        }
    }

    /// Any event of a channel that a score does not keep.
    pub(crate) fn other(&mut self, channel: u8, tick: u32) {
        let track = self.track(channel);
        track.last_other_tick = track.last_other_tick.max(tick);
    }

    /// A lyric, which symusic puts on the last channel and which, like a note,
    /// makes a track of its own where there is none.
    pub(crate) fn lyric(&mut self, tick: u32) {
        let track = self.track_with_notes(CHANNELS as u8 - 1);
        self.tracks[track].last_other_tick = self.tracks[track].last_other_tick.max(tick);
    }

    /// The finished tracks, and how many notes and pedals were left open.
    pub(crate) fn finish(mut self) -> (Vec<Track>, usize, usize) {
        let mut open_notes = 0;
        let mut finished = Vec::with_capacity(self.tracks.len());
        for index in self.by_key.values() {
            let mut track = std::mem::take(&mut self.tracks[*index]);
            let before = track.notes.len();
            track.notes.retain(|note| note.duration != OPEN);
            open_notes += before - track.notes.len();
            let empty =
                track.notes.is_empty() && track.pedals.is_empty() && track.last_other_tick == 0;
            if !empty {
                finished.push(track);
            }
        }
        let really_down = |tick: &&u32| **tick > 0;
        let open_pedals = self.pedal_down.iter().flatten().filter(really_down).count();
        (finished, open_notes, open_pedals)
    }

    /// The track that events of this channel go to at present.
    fn track(&mut self, channel: u8) -> &mut Track {
        let key = (channel, self.programs[usize::from(channel)]);
        match self.by_key.get(&key) {
            Some(index) => &mut self.tracks[*index],
            None => &mut self.stragglers[usize::from(channel)],
        }
    }

    /// The same for an event that makes a track where there is none.
    fn track_with_notes(&mut self, channel: u8) -> usize {
        let program = self.programs[usize::from(channel)];
        let (tracks, stragglers) = (&mut self.tracks, &mut self.stragglers);
        *self.by_key.entry((channel, program)).or_insert_with(|| {
            let mut track = std::mem::take(&mut stragglers[usize::from(channel)]);
            track.program = program;
            track.is_drum = channel == DRUM_CHANNEL;
            tracks.push(track);
            tracks.len() - 1
        })
    }
}

fn slot_key(channel: u8, pitch: u8) -> u16 {
    u16::from(channel) * PITCHES as u16 + u16::from(pitch)
}
