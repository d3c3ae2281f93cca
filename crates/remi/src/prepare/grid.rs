//! Sections of different beats, and times moved onto the grid.

use score::TimeSignature;

/// A tick on another number of ticks per quarter: symusic rounds halves away
/// from zero.
pub(crate) fn resample(tick: u32, scale: f64) -> u32 {
    (scale * f64::from(tick)).round().min(f64::from(i32::MAX)) as u32
}

/// Ticks in a beat of this denominator, MidiTok's `compute_ticks_per_beat`.
pub(crate) fn ticks_per_beat(denominator: u8, ticks_per_quarter: u32) -> u32 {
    ticks_per_quarter * 4 / u32::from(denominator.max(1))
}

/// Ticks in a bar; at least 1.
pub(crate) fn ticks_per_bar(signature: &TimeSignature, ticks_per_quarter: u32) -> u32 {
    let beat = ticks_per_beat(signature.denominator, ticks_per_quarter);
    (beat * u32::from(signature.numerator)).max(1)
}

/// Stretches of the piece with a value each. The last reaches to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sections {
    /// (tick behind the section, value); equal neighbours are one.
    sections: Vec<(u32, u32)>,
}

impl Sections {
    /// Ticks per beat by time signature, MidiTok's `get_score_ticks_per_beat`.
    pub fn ticks_per_beat(signatures: &[TimeSignature], ticks_per_quarter: u32) -> Self {
        Self::by(signatures, |signature| {
            ticks_per_beat(signature.denominator, ticks_per_quarter)
        })
    }

    fn by(signatures: &[TimeSignature], value: impl Fn(&TimeSignature) -> u32) -> Self {
        let mut sections: Vec<(u32, u32)> = Vec::with_capacity(signatures.len());
        for (index, signature) in signatures.iter().enumerate() {
            let end = signatures
                .get(index + 1)
                .map_or(u32::MAX, |next| next.onset);
            match sections.last_mut() {
                Some(last) if last.1 == value(signature) => last.0 = end,
                _ => sections.push((end, value(signature))),
            }
        }
        Self { sections }
    }

    /// The value at a tick.
    pub fn at(&self, tick: u32) -> u32 {
        let behind = self.sections.partition_point(|(end, _)| *end <= tick);
        let section = self.sections.get(behind).or(self.sections.last());
        section.map_or(1, |(_, value)| *value)
    }

    fn starts(&self) -> impl Iterator<Item = u32> {
        std::iter::once(0).chain(self.sections.iter().map(|(end, _)| *end))
    }
}

/// Ticks per grid step, by section, where the denominators differ.
pub(crate) struct Resampling(Sections);

/// The grid steps of a score with several denominators, MidiTok's
/// `_get_score_resampling_factor`; `None` where one denominator holds.
pub(crate) fn resampling(
    signatures: &[TimeSignature],
    ticks_per_quarter: u32,
    finest: u32,
) -> Option<Resampling> {
    let first = signatures.first()?.denominator;
    if signatures
        .iter()
        .all(|signature| signature.denominator == first)
    {
        return None;
    }
    let step = |signature: &TimeSignature| {
        let positions = f64::from(finest) * (f64::from(signature.denominator) / 4.0);
        (f64::from(ticks_per_quarter) / positions).floor().max(1.0) as u32
    };
    Some(Resampling(Sections::by(signatures, step)))
}

impl Resampling {
    /// Moves rising times onto the grid of their sections; halves go to even
    /// steps, as numpy rounds.
    pub fn move_sorted(&self, times: &mut [u32]) {
        // Sections are found before any time of theirs moves.
        let mut first = 0;
        for ((end, step), start) in self.0.sections.iter().zip(self.0.starts()) {
            let behind = first + times[first..].partition_point(|time| time < end);
            for time in &mut times[first..behind] {
                *time = round_to(*time, start, *step);
            }
            first = behind;
        }
    }

    /// The same for times in any order.
    pub fn moved(&self, time: u32) -> u32 {
        let (start, step) = self.section(time);
        round_to(time, start, step)
    }

    /// Ticks of a grid step at a tick.
    pub fn step_at(&self, tick: u32) -> u32 {
        self.section(tick).1
    }

    fn section(&self, tick: u32) -> (u32, u32) {
        let sections = self.0.sections.iter().zip(self.0.starts());
        let found = sections.filter(|(_, start)| *start <= tick).last();
        found.map_or((0, 1), |((_, step), start)| (start, *step))
    }
}

fn round_to(time: u32, start: u32, step: u32) -> u32 {
    if step == 1 {
        return time;
    }
    let steps = (f64::from(time) - f64::from(start)) / f64::from(step);
    (steps.round_ties_even() * f64::from(step) + f64::from(start)) as u32
}
