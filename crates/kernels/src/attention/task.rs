//! Attention of one head: the softmax of the scores, and the values mixed by it.

use super::tile::{Part, Tile, piece};
use super::{Prefix, Span, row_length};
use crate::cache::{Cached, Head, HeadCache, Scales};
use crate::exp::exp_and_sum;
use crate::lanes::{Lanes, WIDTH};
use crate::shared::SharedMut;
use crate::tile::{BLOCK, Operands, ROWS, Sums, multiply};

/// One head of one sequence, or of several with one prefix and a row each.
pub(super) struct Task<'a> {
    pub(super) spans: &'a [Span],
    pub(super) head: usize,
    pub(super) heads: usize,
    pub(super) head_dim: usize,
    /// Only the caches of `head` of the sequences of `spans` are touched.
    pub(super) own: &'a SharedMut<'a, HeadCache>,
    pub(super) shared: &'a [HeadCache],
    /// Caches of a sequence, and the place of this layer's head among them.
    pub(super) stride: usize,
    pub(super) cache: usize,
    pub(super) qkv: &'a [f32],
    /// Only the columns of `head` in the rows of `spans` are written.
    pub(super) out: &'a SharedMut<'a, f32>,
}

/// Weights of the values, converted.
struct Weights<'a> {
    words: &'a mut [u32],
    /// Words of a row.
    stride: usize,
    /// See [`Element::excess`](crate::elements::Element::excess), of a row.
    excess: [i32; ROWS],
    /// What the mixed values of a row are multiplied with.
    factors: [f32; ROWS],
}

impl Task<'_> {
    #[inline(always)]
    pub(super) fn attend<S: Lanes, E: Cached>(&self, s: S, scores: &mut [f32], words: &mut [u32]) {
        for span in self.spans {
            // SAFETY: one task a cache, as no two spans share a sequence.
            let cache = unsafe { self.own.part(span.sequence * self.stride + self.cache, 1) };
            E::head(&cache[0]).ask(s, span.position);
            // Half of these are in another core's cache.
            for part in 0..3 {
                ask(s, self.part(span.row, part));
            }
        }
        let mut own = [None; ROWS];
        for (own, span) in own.iter_mut().zip(self.spans) {
            // SAFETY: as above, and from here on each has one reference.
            let cache = unsafe { self.own.part(span.sequence * self.stride + self.cache, 1) };
            let cache = E::head_mut(&mut cache[0]);
            for row in 0..span.rows {
                let (key, value) = (self.part(span.row + row, 1), self.part(span.row + row, 2));
                cache.append(s, span.position + row, key, value);
            }
            *own = Some(&*cache);
        }
        let rows = match self.spans {
            [span] => span.rows,
            spans => spans.len(),
        };
        for first in (0..rows).step_by(ROWS) {
            let tile = self.tile(&own, first, (rows - first).min(ROWS));
            let mut ahead = tile.pieces(self.head_dim);
            if E::SCALED {
                tile.runs().for_each(|run| ask(s, run.scales()));
            }
            let mut asked = 0;
            while asked < piece::<E>(self.head_dim) {
                let Some(lines) = ahead.next() else { break };
                ask(s, lines);
                asked += lines.len();
            }
            let weights = self.weigh(s, &tile, scores, &mut *words, &mut ahead);
            self.mix(s, &tile, &weights, &mut ahead);
        }
    }

    /// The tile of `rows` queries from `first` on.
    fn tile<'a, E: Cached>(
        &'a self,
        caches: &[Option<&'a Head<E>>; ROWS],
        first: usize,
        rows: usize,
    ) -> Tile<'a, E> {
        let Prefix { index, positions } = self.spans[0].prefix;
        let prefix = (positions > 0).then(|| Part {
            cache: E::head(&self.shared[index * self.stride + self.cache]),
            rows: 0..rows,
            positions: 0..positions,
        });
        let own = std::array::from_fn(|i| {
            let (cache, span) = (caches[i]?, self.spans.get(i)?);
            let (rows, end) = match self.spans {
                [_] => (0..rows, span.position + first + rows),
                _ => (i..i + 1, span.position + 1),
            };
            Some(Part {
                cache,
                rows,
                positions: positions..end,
            })
        });
        Tile {
            first,
            rows,
            prefix,
            own,
        }
    }

    /// The row of a tile's query among all rows, and its position.
    fn place<E: Cached>(&self, tile: &Tile<E>, row: usize) -> (usize, usize) {
        let (span, row) = match self.spans {
            [span] => (span, tile.first + row),
            spans => (&spans[row], 0),
        };
        (span.row + row, span.position + row)
    }

    /// The query (0), key (1) or value (2) of a row.
    fn part(&self, row: usize, part: usize) -> &[f32] {
        let start = (row * 3 + part) * self.heads + self.head;
        &self.qkv[start * self.head_dim..][..self.head_dim]
    }

    /// The softmax of the scores, but for the division.
    #[inline(always)]
    fn weigh<'a, 'b, S: Lanes, E: Cached>(
        &self,
        s: S,
        tile: &Tile<E>,
        scores: &mut [f32],
        words: &'a mut [u32],
        ahead: &mut impl Iterator<Item = &'b [[E::Line; 2]]>,
    ) -> Weights<'a> {
        let root = (self.head_dim as f32).sqrt();
        let groups = self.head_dim.div_ceil(E::GROUP);
        let query = &mut scores[..self.head_dim];
        let (mut excess, mut factors) = ([0; ROWS], [0.0; ROWS]);
        for (row, words) in (0..tile.rows).zip(words.chunks_mut(groups * E::WORDS)) {
            let (at, _) = self.place(tile, row);
            for (scaled, q) in query.iter_mut().zip(self.part(at, 0)) {
                *scaled = q / root;
            }
            factors[row] = E::convert(s, query, words);
            excess[row] = E::excess(s, words);
        }
        let (seen, x) = (tile.seen(), E::groups(words));
        let mut sums = [[E::zero(s); 2]; ROWS];
        let piece = piece::<E>(self.head_dim);
        for run in tile.runs() {
            let x = &x[run.rows.start * groups..];
            let (mut position, mut scales) = (run.all().start, run.scales());
            for piece in run.keys().chunks(piece) {
                let mut next = ahead.next().unwrap_or_default().chunks(groups);
                for lines in piece.chunks(groups) {
                    let sums = &mut sums[run.rows.clone()];
                    let operands = Operands::<E> {
                        lines,
                        next: next.next().map(<[_]>::as_ptr),
                        x,
                        stride: groups,
                    };
                    multiply(s, operands, false, sums);
                    for (row, halves) in run.rows.clone().zip(&*sums) {
                        let scores = &mut scores[row * row_length(seen)..][position..];
                        let from = (excess[row], factors[row]);
                        put_scores::<S, E>(s, halves, scales, from, scores);
                    }
                    position += BLOCK;
                    scales = scales.get(BLOCK / WIDTH..).unwrap_or_default();
                }
            }
        }
        let stride = row_length(seen.div_ceil(E::GROUP) * E::WORDS);
        for part in tile.own.iter().flatten() {
            for row in part.rows.clone() {
                let (_, position) = self.place(tile, row);
                let weights = &mut scores[row * row_length(seen)..][..part.positions.end];
                let (own, later) = weights.split_at_mut(position + 1);
                let sum = exp_and_sum(s, own, E::GROUP > 1);
                later.fill(0.0);
                let mut largest = 0.0_f32;
                if E::SCALED {
                    for run in tile.prefix.iter().chain([part]).flat_map(Part::runs) {
                        largest = largest.max(scale(s, &mut weights[run.all()], run.scales()));
                    }
                }
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

    /// The values, mixed by the weights.
    #[inline(always)]
    fn mix<'a, S: Lanes, E: Cached>(
        &self,
        s: S,
        tile: &Tile<E>,
        weights: &Weights,
        ahead: &mut impl Iterator<Item = &'a [[E::Line; 2]]>,
    ) {
        let (x, stride) = (E::groups(weights.words), weights.stride / E::WORDS);
        let mut sums = [[E::zero(s); 2]; ROWS];
        let piece = piece::<E>(self.head_dim);
        for block in 0..self.head_dim.div_ceil(BLOCK) {
            for run in tile.runs() {
                let mut group = run.all().start / E::GROUP;
                for piece in run.values(block).chunks(piece) {
                    let x = &x[run.rows.start * stride + group..];
                    let sums = &mut sums[run.rows.clone()];
                    let operands = Operands::<E> {
                        lines: piece,
                        next: ahead.next().map(<[_]>::as_ptr),
                        x,
                        stride,
                    };
                    multiply(s, operands, group > 0, sums);
                    group += piece.len();
                }
            }
            for (row, halves) in sums[..tile.rows].iter().enumerate() {
                let (at, _) = self.place(tile, row);
                let (excess, factor) = (weights.excess[row], s.splat(weights.factors[row]));
                for (half, sum) in halves.iter().enumerate() {
                    let column = block * BLOCK + half * WIDTH;
                    let columns = self.head_dim.saturating_sub(column).min(WIDTH);
                    let at = (at * self.heads + self.head) * self.head_dim;
                    let value = s.mul(E::value(s, *sum, &[0; WIDTH], excess), factor);
                    // SAFETY: columns of this head in a row of these spans.
                    let out = unsafe { self.out.part(at + column.min(self.head_dim), columns) };
                    store(s, value, out);
                }
            }
        }
    }
}

/// Asks for all cache lines of some values.
#[inline(always)]
fn ask<S: Lanes, T>(s: S, values: &[T]) {
    let start = values.as_ptr().cast::<u8>();
    for at in (0..size_of_val(values)).step_by(64) {
        s.prefetch(start.wrapping_add(at));
    }
}

/// Puts the scores of a query and the keys of a block in their places.
#[inline(always)]
fn put_scores<S: Lanes, E: Cached>(
    s: S,
    halves: &Sums<S, E>,
    scales: &[Scales],
    (excess, factor): (i32, f32),
    scores: &mut [f32],
) {
    let lines = scores.as_chunks_mut().0.iter_mut().zip(scales);
    for (sum, (scores, scales)) in halves.iter().zip(lines) {
        let mut value = E::value(s, *sum, &scales.middles, excess);
        if E::SCALED {
            value = s.mul(value, s.mul(s.load(&scales.keys), s.splat(factor)));
        }
        s.store(value, scores);
    }
}

/// Multiplies weights by the scales of their values, and gives the largest.
#[inline(always)]
fn scale<S: Lanes>(s: S, weights: &mut [f32], scales: &[Scales]) -> f32 {
    let (lines, rest) = weights.as_chunks_mut::<WIDTH>();
    let (whole, last) = scales.split_at(lines.len());
    let mut largest = s.splat(0.0);
    for (line, scales) in lines.iter_mut().zip(whole) {
        let scaled = s.mul(s.load(line), s.load(&scales.values));
        largest = s.max(largest, scaled);
        s.store(scaled, line);
    }
    let mut largest = s.largest(largest);
    for (weight, scale) in rest.iter_mut().zip(last.iter().flat_map(|l| l.values)) {
        *weight *= scale;
        largest = largest.max(*weight);
    }
    largest
}

/// Writes the first lanes, as many as `out` has room for.
#[inline(always)]
fn store<S: Lanes>(s: S, value: S::F, out: &mut [f32]) {
    if let Some(out) = out.first_chunk_mut() {
        s.store(value, out);
    } else {
        let mut lanes = [0.0; 16];
        s.store(value, &mut lanes);
        out.copy_from_slice(&lanes[..out.len()]);
    }
}
