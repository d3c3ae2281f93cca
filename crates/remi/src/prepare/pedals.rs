//! Pedals onto the grid: MidiTok's `_preprocess_pedals`.

use score::Pedal;

use super::{Context, GridPedal};

impl Context<'_> {
    pub(super) fn pedals(&self, pedals: &[Pedal]) -> Vec<GridPedal> {
        let mut onsets: Vec<u32> = pedals.iter().map(|pedal| self.tick(pedal.onset)).collect();
        let durations = pedals.iter().map(|pedal| self.span(pedal.duration));
        let mut ends: Vec<u32> = onsets
            .iter()
            .zip(durations)
            .map(|(onset, length)| onset.saturating_add(length))
            .collect();
        self.move_onto_grid(&mut onsets, &mut ends);
        let mut merged = merge_overlaps(&onsets, &ends);
        if self.config.sustain_pedal_duration {
            for pedal in &mut merged {
                let table = self.durations_at(self.beats.at(pedal.onset));
                pedal.duration_value = table.nearest(pedal.duration);
                pedal.duration = table.ticks[usize::from(pedal.duration_value)];
            }
        }
        merged
    }

    fn move_onto_grid(&self, onsets: &mut [u32], ends: &mut [u32]) {
        let Some(resampling) = &self.resampling else {
            return;
        };
        if self.config.sustain_pedal_duration {
            let lengths: Vec<u32> = ends
                .iter()
                .zip(&*onsets)
                .map(|(end, onset)| end - onset)
                .collect();
            resampling.move_sorted(onsets);
            for ((end, onset), length) in ends.iter_mut().zip(&*onsets).zip(lengths) {
                *end = onset.saturating_add(length);
            }
            return;
        }
        resampling.move_sorted(onsets);
        for (end, onset) in ends.iter_mut().zip(&*onsets) {
            *end = resampling.moved(*end);
            if *end <= *onset {
                *end = onset.saturating_add(resampling.step_at(*onset));
            }
        }
    }
}

/// Pedals that touch or overlap become one. A run of them is found among
/// neighbours first, then swallows whatever begins before its end; a pedal that
/// was swallowed may begin a run of its own, as in MidiTok, and is dropped.
fn merge_overlaps(onsets: &[u32], ends: &[u32]) -> Vec<GridPedal> {
    let count = onsets.len();
    let mut ends = ends.to_vec();
    let touches: Vec<bool> = (1..count)
        .map(|next| ends[next - 1] >= onsets[next])
        .collect();
    let mut swallowed = vec![false; count];
    for first in 0..touches.len() {
        let begins_run = touches[first] && (first == 0 || !touches[first - 1]);
        if !begins_run {
            continue;
        }
        let mut next = first + 1;
        while next < count && ends[first] >= onsets[next] {
            ends[first] = ends[first].max(ends[next]);
            swallowed[next] = true;
            next += 1;
        }
    }
    let kept = (0..count).filter(|index| !swallowed[*index]);
    kept.map(|index| GridPedal {
        onset: onsets[index],
        duration: ends[index] - onsets[index],
        duration_value: 0,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_pedals_become_one() {
        let merged = merge_overlaps(&[0, 4, 10, 20, 21], &[4, 6, 12, 30, 25]);
        let spans: Vec<_> = merged
            .iter()
            .map(|pedal| (pedal.onset, pedal.duration))
            .collect();
        assert_eq!(spans, [(0, 6), (10, 2), (20, 10)]);
    }
}
