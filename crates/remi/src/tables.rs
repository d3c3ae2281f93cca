//! What encoding looks up, worked out once for each tokenizer.

use score::TimeSignature;

use crate::config::Config;
use crate::prepare::ticks_per_beat;
use crate::time_values::{TickTable, TimeValue, nearest_index, time_values};
use crate::vocabulary::{tempos, time_signatures, velocities};

#[derive(Clone, Debug)]
pub(crate) struct Tables {
    /// The kept velocity for each of MIDI's.
    velocity: [u8; 128],
    signatures: Vec<(u8, u8)>,
    /// Quarter notes a minute, in the order of the tokens.
    pub tempos: Vec<f64>,
    /// Microseconds per quarter of each tempo, rising.
    microseconds: Vec<f64>,
    /// The tempo that each of these is.
    by_microseconds: Vec<usize>,
    /// Index of the tempo nearest to 120.
    pub default_tempo: usize,
    durations: Vec<TickTable>,
    rests: Vec<TickTable>,
    pub rest_values: Vec<TimeValue>,
}

impl Tables {
    pub fn new(config: &Config) -> Self {
        let kept = velocities(config);
        let velocity = std::array::from_fn(|velocity| {
            let velocity = velocity as u8;
            if kept.is_empty() {
                velocity
            } else {
                kept[nearest_index(&kept, velocity)]
            }
        });
        let tempos = tempos(config);
        let mut by_microseconds: Vec<usize> = (0..tempos.len()).collect();
        by_microseconds.sort_by(|a, b| tempos[*b].total_cmp(&tempos[*a]));
        let microseconds = by_microseconds
            .iter()
            .map(|index| 60_000_000.0 / tempos[*index])
            .collect();
        let distance = |index: &usize| (tempos[*index] - 120.0).abs();
        let default_tempo = (0..tempos.len())
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .unwrap_or(0);
        let duration_values = time_values(&config.beat_res);
        let rest_values = match config.use_rests {
            true => time_values(&config.beat_res_rest),
            false => Vec::new(),
        };
        let beats = possible_beats(config);
        let table = |values: &[TimeValue]| {
            beats
                .iter()
                .map(|beat| TickTable::new(values, *beat))
                .collect()
        };
        Self {
            velocity,
            signatures: time_signatures(config),
            microseconds,
            by_microseconds,
            default_tempo,
            durations: table(&duration_values),
            rests: table(&rest_values),
            rest_values,
            tempos,
        }
    }

    pub fn velocity(&self, velocity: u8) -> u8 {
        self.velocity[usize::from(velocity & 127)]
    }

    pub fn knows_signature(&self, signature: &TimeSignature) -> bool {
        self.signatures
            .contains(&(signature.numerator, signature.denominator))
    }

    /// Index of the tempo nearest to this one, in microseconds per quarter.
    pub fn tempo(&self, microseconds_per_quarter: u32) -> usize {
        let nearest = nearest_index(&self.microseconds, f64::from(microseconds_per_quarter));
        self.by_microseconds[nearest]
    }

    /// Whether a tempo, once kept in whole microseconds (cut, as symusic reads
    /// arrays), still is the default to the last digit. MidiTok asks just that.
    pub fn reads_as_default(&self, index: usize) -> bool {
        let (tempo, default) = (self.tempos[index], self.tempos[self.default_tempo]);
        60_000_000.0 / (60_000_000.0 / tempo).trunc() == default
    }

    pub fn durations(&self, ticks_per_beat: u32) -> &TickTable {
        lookup(&self.durations, ticks_per_beat)
    }

    /// Rests of a beat's length, where there are any and they take time.
    pub fn rests(&self, ticks_per_beat: u32) -> Option<&TickTable> {
        let table = lookup(&self.rests, ticks_per_beat);
        table
            .ticks
            .first()
            .is_some_and(|shortest| *shortest > 0)
            .then_some(table)
    }
}

/// Every number of ticks that a beat can have on the grid: it is the finest
/// resolution times a power of two, down to where whole numbers end.
fn possible_beats(config: &Config) -> Vec<u32> {
    let finest = u32::from(config.max_positions_per_beat());
    let denominators = || {
        time_signatures(config)
            .into_iter()
            .map(|(_, value)| value)
            .chain([4])
    };
    let mut beats: Vec<u32> = denominators()
        .flat_map(|longest| {
            denominators().map(move |value| {
                let ticks_per_quarter = (finest * u32::from(longest) / 4).max(1);
                ticks_per_beat(value, ticks_per_quarter)
            })
        })
        .collect();
    beats.sort_unstable();
    beats.dedup();
    beats
}

fn lookup(tables: &[TickTable], ticks_per_beat: u32) -> &TickTable {
    let index = tables.partition_point(|table| table.ticks_per_beat < ticks_per_beat);
    &tables[index.min(tables.len() - 1)]
}
