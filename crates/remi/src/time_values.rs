//! The values of `Duration` and `Rest` tokens, and beats in ticks.
//!
//! A value `beat.position.resolution` lasts
//! `(beat * resolution + position) * ticks_per_beat / resolution` ticks, in
//! whole numbers (MidiTok's `_time_token_to_ticks`).

use crate::config::{BeatResolution, Config};

/// One value of a `Duration` or `Rest` token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeValue {
    /// Whole beats.
    pub beat: u16,
    /// Positions beyond them.
    pub position: u16,
    /// Positions a beat.
    pub resolution: u16,
}

impl TimeValue {
    /// Length in ticks where a beat has that many.
    pub fn ticks(&self, ticks_per_beat: u32) -> u32 {
        let resolution = u32::from(self.resolution);
        (u32::from(self.beat) * resolution + u32::from(self.position)) * ticks_per_beat / resolution
    }

    /// The name in a token: `2.5.8` is two beats and five eighths of one.
    pub fn name(&self) -> String {
        format!("{}.{}.{}", self.beat, self.position, self.resolution)
    }
}

/// The values of a resolution table, without zero, with the end of the table.
pub(crate) fn time_values(table: &[BeatResolution]) -> Vec<TimeValue> {
    let mut values: Vec<TimeValue> = table
        .iter()
        .flat_map(|range| {
            let value = |beat, position| TimeValue {
                beat,
                position,
                resolution: range.positions,
            };
            (range.from..range.to).flat_map(move |beat| {
                (0..range.positions).map(move |position| value(beat, position))
            })
        })
        .collect();
    if let Some(last) = table.iter().max_by_key(|range| (range.from, range.to)) {
        values.push(TimeValue {
            beat: last.to,
            position: 0,
            resolution: last.positions,
        });
    }
    if !values.is_empty() {
        values.remove(0);
    }
    values
}

/// The values as ticks, for one number of ticks per beat.
#[derive(Clone, Debug)]
pub(crate) struct TickTable {
    pub ticks_per_beat: u32,
    /// Ticks of each value, in the order of the values.
    pub ticks: Vec<u32>,
    /// For each value, the last value with the same ticks: that is the one
    /// MidiTok writes.
    written: Vec<u16>,
    /// The nearest value of each length up to the longest.
    nearest: Vec<u16>,
}

impl TickTable {
    pub fn new(values: &[TimeValue], ticks_per_beat: u32) -> Self {
        let ticks: Vec<u32> = values
            .iter()
            .map(|value| value.ticks(ticks_per_beat))
            .collect();
        let last_alike =
            |tick: &u32| ticks.iter().rposition(|other| other == tick).unwrap_or(0) as u16;
        let written = ticks.iter().map(last_alike).collect();
        let longest = ticks.iter().copied().max().unwrap_or(0);
        let nearest = (0..=longest)
            .map(|length| nearest_index(&ticks, length) as u16)
            .collect();
        Self {
            ticks_per_beat,
            ticks,
            written,
            nearest,
        }
    }

    /// The value nearest to a length in ticks; of two equally near the longer
    /// (MidiTok's `np_get_closest`).
    pub fn nearest(&self, length: u32) -> u16 {
        let longest = self.nearest.len() as u32 - 1;
        let index = self.nearest[length.min(longest) as usize];
        self.written[usize::from(index)]
    }
}

/// Index of the nearest of sorted values; of two equally near the greater.
pub(crate) fn nearest_index<T>(values: &[T], wanted: T) -> usize
where
    T: Copy + PartialOrd + Into<f64>,
{
    let index = values.partition_point(|value| *value < wanted);
    if index == 0 {
        return 0;
    }
    let Some(&above) = values.get(index) else {
        return values.len() - 1;
    };
    let wanted: f64 = wanted.into();
    let below: f64 = values[index - 1].into();
    if (wanted - below).abs() < (wanted - above.into()).abs() {
        index - 1
    } else {
        index
    }
}

/// Ticks per beat for each denominator when decoding, MidiTok's `_tpb_per_ts`.
/// The division is in whole numbers, as there.
pub(crate) fn decoding_ticks_per_beat(config: &Config, denominator: u8) -> u32 {
    let finest = match config.use_time_signatures {
        true => config
            .time_signature_range
            .keys()
            .copied()
            .max()
            .unwrap_or(4),
        false => 4,
    };
    u32::from(config.max_positions_per_beat()) * u32::from(finest / denominator.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_miditok() {
        let names: Vec<String> = time_values(&Config::default().beat_res)
            .iter()
            .map(TimeValue::name)
            .collect();
        assert_eq!(names.len(), 64);
        assert_eq!((names[0].as_str(), names[63].as_str()), ("0.1.8", "12.0.4"));
    }

    #[test]
    fn of_two_equally_near_the_longer_is_taken() {
        let table = TickTable::new(&time_values(&Config::default().beat_res), 8);
        assert_eq!(table.ticks[usize::from(table.nearest(33))], 34);
        assert_eq!(table.ticks[usize::from(table.nearest(0))], 1);
        assert_eq!(table.ticks[usize::from(table.nearest(100_000))], 96);
    }
}
