//! The softmax of the scores of some queries, converted to meet the values.

use super::task::Task;
use super::tile::{Run, Tile};
use super::{QUERIES, row_length};
use crate::cache::Cached;
use crate::elements::Element;
use crate::exp::{exp, exp_coarse};
use crate::lanes::{Lanes, WIDTH};
use std::ops::Range;

/// Weights of the values, converted.
pub(super) struct Weights<'a> {
    pub(super) words: &'a mut [u32],
    /// Words of a row.
    pub(super) stride: usize,
    /// See [`Element::excess`], of a row.
    pub(super) excess: [i32; QUERIES],
    /// What the mixed values of a row are multiplied with.
    pub(super) factors: [f32; QUERIES],
}

impl Task<'_> {
    /// The softmax of the scores, but for the division.
    #[inline(always)]
    pub(super) fn weigh<'a, S: Lanes, E: Element, C: Cached>(
        &self,
        s: S,
        tile: &Tile<C>,
        scores: &mut [f32],
        words: &'a mut [u32],
    ) -> Weights<'a> {
        let (mut excess, mut factors) = ([0; QUERIES], [0.0; QUERIES]);
        let seen = tile.seen();
        let stride = row_length(seen.div_ceil(E::GROUP) * E::WORDS);
        for part in tile.own.iter().flatten() {
            for row in part.rows.clone() {
                let (_, position) = self.place(tile, row);
                let weights = &mut scores[row * row_length(seen)..];
                let weights = &mut weights[..part.positions.end.next_multiple_of(WIDTH)];
                weights[position + 1..].fill(f32::NEG_INFINITY);
                let runs = tile.prefix_runs().chain(part.runs());
                let (sum, largest) = exponentials::<S, E, C>(s, weights, runs);
                let count = weights.len().div_ceil(E::GROUP) * E::WORDS;
                let words = &mut words[row * stride..][..count];
                factors[row] = E::convert_positive(s, weights, largest, words) / sum;
                excess[row] = E::excess(s, words);
            }
        }
        Weights {
            words,
            stride,
            excess,
            factors,
        }
    }
}

/// Replaces each score by `exp(score - largest)`, times the scale of its value where there
/// are such; scores of whole lines, those after the last minus infinity. Gives the sum of the
/// exponentials and the largest product. Sixteen running sums, one a lane, joined pairwise.
#[inline(always)]
fn exponentials<'a, S: Lanes, E: Element, C: Cached>(
    s: S,
    scores: &mut [f32],
    runs: impl Iterator<Item = Run<'a, C>>,
) -> (f32, f32) {
    let lines = scores.as_chunks_mut::<WIDTH>().0;
    let mut largest = s.splat(f32::MIN);
    for line in &*lines {
        largest = s.max(largest, s.load(line));
    }
    let most = s.splat(s.largest(largest));
    let (mut sum, mut largest) = (s.splat(0.0), s.splat(0.0));
    for run in runs {
        let Range { start, end } = run.all();
        let lines = &mut lines[start / WIDTH..end.div_ceil(WIDTH)];
        for (line, scales) in lines.iter_mut().zip(run.scales()) {
            let x = s.sub(s.load(line), most);
            let mut e = if E::GROUP > 1 {
                exp_coarse(s, x)
            } else {
                exp(s, x)
            };
            sum = s.add(sum, e);
            if E::SCALED {
                // Scales are finite, also those that another sequence has left behind.
                e = s.mul(e, s.widen_line(&scales.values));
                largest = s.max(largest, e);
            }
            s.store(e, line);
        }
    }
    (s.sum(sum), s.largest(largest))
}
