//! A score made ready for tokens: times on the tokenizer's grid, velocities,
//! durations and tempos in its bins. This is MidiTok's `preprocess_score`.

mod grid;
mod notes;
mod pedals;
mod signatures;
mod tempos;

use score::{Score, TimeSignature, Track};

pub(crate) use grid::{Sections, ticks_per_beat};

use crate::config::Config;
use crate::tables::Tables;
use crate::time_values::TickTable;
use grid::{Resampling, resample, resampling};

/// A note on the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GridNote {
    pub onset: u32,
    pub duration: u32,
    pub pitch: u8,
    pub velocity: u8,
    /// Index of the duration among the tokenizer's.
    pub duration_value: u16,
}

impl GridNote {
    pub fn end(&self) -> u32 {
        self.onset.saturating_add(self.duration)
    }
}

/// A pedal on the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GridPedal {
    pub onset: u32,
    pub duration: u32,
    pub duration_value: u16,
}

#[derive(Clone, Debug)]
pub(crate) struct GridTrack {
    /// The program; drums are -1.
    pub program: i16,
    pub notes: Vec<GridNote>,
    pub pedals: Vec<GridPedal>,
}

/// A score on the grid.
#[derive(Clone, Debug)]
pub(crate) struct GridScore {
    pub ticks_per_quarter: u32,
    pub tracks: Vec<GridTrack>,
    /// Onset and index among the tokenizer's tempos.
    pub tempos: Vec<(u32, usize)>,
    /// Never empty; the first is at tick 0.
    pub signatures: Vec<TimeSignature>,
    /// Ticks per beat, by section.
    pub beats: Sections,
    /// The last tick up to which MidiTok counts bars and beats.
    pub last_tick: u32,
}

pub(crate) fn prepare(score: &Score, config: &Config, tables: &Tables) -> GridScore {
    let finest = u32::from(config.max_positions_per_beat());
    let old = u32::from(score.ticks_per_quarter);
    let (mut signatures, new) = signatures::supported(score, config, tables, finest);
    let scale = f64::from(new) / f64::from(old);
    if new != old {
        for signature in &mut signatures {
            // Cut, where everything else is rounded: as MidiTok has it.
            signature.onset = (f64::from(signature.onset) * scale) as u32;
        }
    }
    if config.use_time_signatures {
        signatures::place(&mut signatures, config, new);
    }
    let beats = Sections::ticks_per_beat(&signatures, new);
    let resampling = match config.use_time_signatures {
        true => resampling(&signatures, new, finest),
        false => None,
    };
    let context = Context {
        config,
        tables,
        scale: (new != old).then_some(scale),
        beats: &beats,
        resampling,
    };
    let mut tracks: Vec<GridTrack> = Vec::new();
    let mut last_tick = 0;
    for track in &score.tracks {
        let grid = context.track(track);
        if grid.notes.is_empty() && (grid.pedals.is_empty() || !config.use_sustain_pedals) {
            continue;
        }
        let other = context.tick(track.last_other_tick);
        let last_onset = grid.notes.last().map_or(0, |note| note.onset);
        last_tick = last_tick.max(other).max(last_onset);
        tracks.push(grid);
    }
    let tempos = match config.use_tempos {
        true => context.tempos(&score.tempos),
        false => Vec::new(),
    };
    let last_tempo = match config.use_tempos {
        true => tempos.last().map_or(0, |tempo| tempo.0),
        false => score
            .tempos
            .last()
            .map_or(0, |tempo| context.tick(tempo.onset)),
    };
    let last_signature = signatures.last().map_or(0, |signature| signature.onset);
    let last_tick = last_tick
        .max(last_tempo)
        .max(last_signature)
        .max(context.tick(score.last_other_tick));
    GridScore {
        ticks_per_quarter: new,
        tracks,
        tempos,
        signatures,
        beats,
        last_tick,
    }
}

/// What all parts of the preparation need.
struct Context<'a> {
    config: &'a Config,
    tables: &'a Tables,
    /// New ticks per old tick, unless they are the same.
    scale: Option<f64>,
    beats: &'a Sections,
    resampling: Option<Resampling>,
}

impl Context<'_> {
    fn tick(&self, old: u32) -> u32 {
        self.scale.map_or(old, |scale| resample(old, scale))
    }

    /// A duration; resampled ones last at least a tick.
    fn span(&self, old: u32) -> u32 {
        self.scale.map_or(old, |scale| resample(old, scale).max(1))
    }

    fn track(&self, track: &Track) -> GridTrack {
        let program = if track.is_drum {
            -1
        } else {
            i16::from(track.program)
        };
        let pedals = match self.config.use_sustain_pedals {
            true => self.pedals(&track.pedals),
            false => Vec::new(),
        };
        GridTrack {
            program,
            notes: self.notes(track, program),
            pedals,
        }
    }

    fn durations_at(&self, ticks_per_beat: u32) -> &TickTable {
        self.tables.durations(ticks_per_beat)
    }
}
