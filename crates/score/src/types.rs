//! The score itself: plain data, times in ticks.

/// A note that sounds from `onset` for `duration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Note {
    /// Start, in ticks from the beginning of the piece.
    pub onset: u32,
    /// Length in ticks; zero is possible in files, as symusic keeps it.
    pub duration: u32,
    /// MIDI key number, 0 to 127; 60 is middle C.
    pub pitch: u8,
    /// MIDI velocity, 1 to 127.
    pub velocity: u8,
}

impl Note {
    /// The tick at which the note ends; saturates at the largest tick.
    pub fn end(&self) -> u32 {
        self.onset.saturating_add(self.duration)
    }
}

/// A span of time during which the sustain pedal is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pedal {
    /// When the pedal goes down, in ticks.
    pub onset: u32,
    /// How long it stays down, in ticks.
    pub duration: u32,
}

impl Pedal {
    /// The tick at which the pedal is lifted; saturates at the largest tick.
    pub fn end(&self) -> u32 {
        self.onset.saturating_add(self.duration)
    }
}

/// A tempo that holds from `onset` until the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tempo {
    /// When it begins, in ticks.
    pub onset: u32,
    /// Microseconds per quarter note, as MIDI files store tempo (24 bits).
    pub microseconds_per_quarter: u32,
}

impl Tempo {
    /// MIDI's default tempo, 120 quarter notes a minute.
    pub const DEFAULT_MICROSECONDS: u32 = 500_000;

    /// Quarter notes a minute; infinite for a tempo of zero microseconds.
    pub fn quarters_per_minute(&self) -> f64 {
        60_000_000.0 / f64::from(self.microseconds_per_quarter)
    }
}

/// A time signature that holds from `onset` until the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeSignature {
    /// When it begins, in ticks.
    pub onset: u32,
    /// Beats in a bar.
    pub numerator: u8,
    /// The note value of a beat: 4 is a quarter note. A power of two, or zero
    /// where a file states a power beyond 128 (as symusic reads it).
    pub denominator: u8,
}

/// One instrument's part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// Notes in the order of their onsets; within a tick, in the order of the
    /// file's note-on messages.
    pub notes: Vec<Note>,
    /// Sustain pedal spans (controller 64, down from 64 upwards).
    pub pedals: Vec<Pedal>,
    /// General MIDI program, 0 to 127; 0 is a grand piano.
    pub program: u8,
    /// Whether the track is on the drum channel.
    pub is_drum: bool,
    /// The last tick of an event that a score does not keep (controllers,
    /// pitch bends, lyrics). MidiTok counts bars up to the last of these.
    pub last_other_tick: u32,
}

impl Track {
    /// An empty piano track.
    pub fn piano() -> Self {
        Self::default()
    }
}

/// A piece of music: tracks, tempos and time signatures, all times in ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// Ticks per quarter note, at least 1.
    pub ticks_per_quarter: u16,
    /// The tracks, in the file's order.
    pub tracks: Vec<Track>,
    /// Tempo changes by onset. Before the first, MIDI's default of 120 holds.
    pub tempos: Vec<Tempo>,
    /// Time signatures by onset. Before the first, 4/4 holds.
    pub time_signatures: Vec<TimeSignature>,
    /// The last tick of a key signature or marker: see
    /// [`Track::last_other_tick`].
    pub last_other_tick: u32,
}

impl Score {
    /// An empty score with that many ticks per quarter note (zero becomes 1).
    pub fn new(ticks_per_quarter: u16) -> Self {
        Self {
            ticks_per_quarter: ticks_per_quarter.max(1),
            tracks: Vec::new(),
            tempos: Vec::new(),
            time_signatures: Vec::new(),
            last_other_tick: 0,
        }
    }

    /// Notes of all tracks.
    pub fn note_count(&self) -> usize {
        self.tracks.iter().map(|track| track.notes.len()).sum()
    }

    /// The tick at which the last note ends.
    pub fn end(&self) -> u32 {
        let notes = self.tracks.iter().flat_map(|track| &track.notes);
        notes.map(Note::end).max().unwrap_or(0)
    }
}
