//! How alike the rhythms of bars are.
//!
//! A bar's rhythm is a row of cells, each with or without an onset. Two bars are
//! alike in the share of cells that are equal: GS of Wu and Yang 2020, *The Jazz
//! Transformer on the Front Line* (MusDr). There is a bar more than the last
//! note's end holds whole ones, as in MusPy.

use std::collections::{BTreeMap, BTreeSet};

use score::Note;

/// How time is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bars {
    /// Ticks of a bar.
    pub ticks: u32,
    /// Cells of a bar.
    pub cells: u32,
}

impl Bars {
    /// Bars for real time: two seconds, four beats at 120 a minute, in 64 cells
    /// of 31 ms (MusDr's number). What a player takes for a bar is not known
    /// there, so this is a clock.
    pub const CLOCK: Self = Self {
        ticks: 2 * crate::TICKS_PER_SECOND,
        cells: 64,
    };

    /// The bars of notes and their cells that hold an onset, as (bar, cell).
    fn of(self, notes: &[Note]) -> (u64, BTreeSet<(u32, u32)>) {
        let ticks = self.ticks.max(1);
        let cell =
            |tick: u32| (u64::from(tick % ticks) * u64::from(self.cells) / u64::from(ticks)) as u32;
        let onsets = notes
            .iter()
            .map(|note| (note.onset / ticks, cell(note.onset)));
        let end = notes.iter().map(Note::end).max().unwrap_or(0);
        (u64::from(end / ticks) + 1, onsets.collect())
    }
}

/// Likeness averaged over all pairs of bars (MusDr draws 1,000 pairs of them);
/// `None` where there is one bar only.
pub fn groove_similarity(notes: &[Note], bars: Bars) -> Option<f64> {
    let (count, onsets) = bars.of(notes);
    let mut filled: BTreeMap<u32, u64> = BTreeMap::new();
    onsets
        .iter()
        .for_each(|(_, cell)| *filled.entry(*cell).or_default() += 1);
    // A cell differs between every bar that fills it and every bar that does not.
    let differing = filled
        .values()
        .map(|filled| filled * (count - filled))
        .sum::<u64>() as f64;
    let pairs = count as f64 * (count as f64 - 1.0) / 2.0;
    (count > 1).then(|| 1.0 - differing / (pairs * f64::from(bars.cells)))
}

/// Likeness averaged over neighbouring bars (`muspy.groove_consistency`, whose
/// cells are ticks); `None` where there is one bar only.
pub fn groove_consistency(notes: &[Note], bars: Bars) -> Option<f64> {
    let (count, onsets) = bars.of(notes);
    let alone = |(bar, cell): &(u32, u32)| {
        let before = *bar > 0 && !onsets.contains(&(bar - 1, *cell));
        let after = u64::from(*bar) + 1 < count && !onsets.contains(&(bar + 1, *cell));
        u64::from(before) + u64::from(after)
    };
    let differing = onsets.iter().map(alone).sum::<u64>() as f64;
    let pairs = (count - 1) as f64;
    (count > 1).then(|| 1.0 - differing / (pairs * f64::from(bars.cells)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, note};

    const BARS: Bars = Bars {
        ticks: 40,
        cells: 4,
    };

    #[test]
    fn three_bars_by_hand() {
        // Cells 0 and 2; 0 and 3; 0 and 2.
        let onsets = [0, 25, 40, 41, 79, 80, 100];
        let notes = onsets.map(|onset| note(onset, 5, 60));
        // Bars 1 and 2, and 2 and 3, differ in two of four cells, 1 and 3 in none.
        close(
            groove_similarity(&notes, BARS),
            1.0 - (0.5 + 0.5 + 0.0) / 3.0,
        );
        close(groove_consistency(&notes, BARS), 0.5);
    }

    #[test]
    fn a_single_bar_resembles_nothing() {
        assert_eq!(groove_similarity(&[note(0, 39, 60)], BARS), None);
        assert_eq!(groove_consistency(&[note(0, 39, 60)], BARS), None);
        // An empty last bar counts, as in MusPy.
        close(groove_consistency(&[note(0, 40, 60)], BARS), 0.75);
        close(
            groove_similarity(&[note(0, u32::MAX, 60)], BARS),
            1.0 - 2.0 / (f64::from(u32::MAX / 40) + 1.0) / 4.0,
        );
    }
}
