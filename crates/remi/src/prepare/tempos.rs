//! Tempos into their bins: MidiTok's `_preprocess_tempos`.

use score::Tempo;

use super::Context;

impl Context<'_> {
    /// Onsets and indices among the tokenizer's tempos; the first at tick 0.
    pub(super) fn tempos(&self, tempos: &[Tempo]) -> Vec<(u32, usize)> {
        let default = (0, self.tables.default_tempo);
        if tempos.is_empty() {
            return vec![default];
        }
        let mut onsets: Vec<u32> = tempos.iter().map(|tempo| self.tick(tempo.onset)).collect();
        if let Some(resampling) = &self.resampling {
            resampling.move_sorted(&mut onsets);
        }
        let bins = tempos
            .iter()
            .map(|tempo| self.tables.tempo(tempo.microseconds_per_quarter));
        let mut kept: Vec<(u32, usize)> = Vec::with_capacity(tempos.len());
        for (onset, bin) in onsets.into_iter().zip(bins) {
            // Of several at one tick the last holds.
            match kept.last_mut() {
                Some(previous) if previous.0 == onset => previous.1 = bin,
                _ => kept.push((onset, bin)),
            }
        }
        if self.config.delete_equal_successive_tempo_changes {
            kept.dedup_by_key(|tempo| tempo.1);
        }
        let delete = self.config.delete_equal_successive_tempo_changes;
        match kept.first_mut() {
            Some(first) if delete && self.tables.reads_as_default(first.1) => first.0 = 0,
            Some(first) if first.0 == 0 => {}
            _ => kept.insert(0, default),
        }
        kept
    }
}
