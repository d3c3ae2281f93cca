//! What ids need of the place where they come.
//!
//! A model draws each id from all of the vocabulary, so all ids are compared with
//! a place at once: each need is a column of its own, and the comparison has no
//! branch. (Ten thousand ids take some microseconds; summaries looked at one by
//! one took longer than a step of the model's layers.)

use super::summary::Summary;

/// The needs of all ids.
#[derive(Clone, Debug)]
pub(super) struct Needs {
    /// The place's position must be below it.
    position_below: Vec<i32>,
    /// The bar must have more positions.
    bar_over: Vec<i32>,
    /// A bit for each state of the pedal in which it may come.
    pedals: Vec<u8>,
    /// So many bars and rests must still be allowed.
    silence: Vec<u8>,
    /// For each pitch, the ids that begin it at the place's tick.
    strikes: Vec<Vec<u32>>,
}

/// A place, as far as ids need something of it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub position: i32,
    pub bar_positions: i32,
    pub pedal_down: bool,
    /// Bars and rests that may come before a note must.
    pub silence_left: u8,
}

impl Place {
    /// Whether it has what an id needs. Without branches, so that many are
    /// compared at once.
    #[inline(always)]
    fn has(self, position_below: i32, bar_over: i32, pedals: u8, silence: u8) -> bool {
        let pedal = pedals & (1 << u8::from(self.pedal_down)) != 0;
        (position_below > self.position)
            & (bar_over < self.bar_positions)
            & pedal
            & (silence <= self.silence_left)
    }
}

impl Needs {
    pub fn new(summaries: &[Summary]) -> Self {
        let mut strikes = vec![Vec::new(); 128];
        for (id, summary) in (0..).zip(summaries) {
            for pitch in pitches(summary.pitches_before_time) {
                strikes[pitch].push(id);
            }
        }
        let pedals = |summary: &Summary| match summary.needs_pedal {
            None => 0b11,
            Some(down) => 1 << u8::from(down),
        };
        let silence = |summary: &Summary| summary.silence_before.min(254) as u8;
        let all = summaries.iter();
        Self {
            position_below: (all.clone())
                .map(|summary| summary.first_position.unwrap_or(i32::MAX))
                .collect(),
            bar_over: (all.clone())
                .map(|summary| summary.last_in_first_bar.unwrap_or(i32::MIN))
                .collect(),
            pedals: all.clone().map(pedals).collect(),
            silence: all.map(silence).collect(),
            strikes,
        }
    }

    /// Whether `place` has what the id needs.
    pub fn are_met(&self, id: usize, place: Place) -> bool {
        place.has(
            self.position_below[id],
            self.bar_over[id],
            self.pedals[id],
            self.silence[id],
        )
    }

    /// Clears the entries of `mask` whose id needs what `place` has not, and those
    /// that are not in `by_type`.
    pub fn restrict(&self, place: Place, by_type: &[bool], mask: &mut [bool]) {
        let columns = (self.position_below.iter().zip(&self.bar_over))
            .zip(self.pedals.iter().zip(&self.silence));
        for ((entry, by_type), ((below, over), (pedals, silence))) in
            mask.iter_mut().zip(by_type).zip(columns)
        {
            *entry &= *by_type & place.has(*below, *over, *pedals, *silence);
        }
    }

    /// Clears the entries of ids that begin one of `held`, a bit a pitch, at the
    /// place's tick.
    pub fn forbid(&self, held: u128, mask: &mut [bool]) {
        for id in pitches(held).flat_map(|pitch| &self.strikes[pitch]) {
            if let Some(entry) = mask.get_mut(*id as usize) {
                *entry = false;
            }
        }
    }
}

/// The pitches whose bits are set.
fn pitches(bits: u128) -> impl Iterator<Item = usize> {
    let rest = |bits: &u128| Some(bits & bits.wrapping_sub(1));
    std::iter::successors(Some(bits), rest)
        .take_while(|bits| *bits != 0)
        .map(|bits| bits.trailing_zeros() as usize)
}
