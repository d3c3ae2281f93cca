//! Attention of one head: what is appended, the scores of queries and keys, and the values
//! mixed by their softmax.

use super::softmax::Weights;
use super::tile::{Part, Run, Tile, piece};
use super::{Prefix, QUERIES, Span, row_length};
use crate::cache::{Cached, HeadCache, Middles, Scales};
use crate::elements::Element;
use crate::lanes::{Lanes, Next, WIDTH};
use crate::shared::SharedMut;
use crate::tile::{BLOCK, Operands, Sums, most, multiply};

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

/// Queries of a tile, converted.
struct Queries<'a, E: Element> {
    groups: &'a [E::Group],
    /// Groups of a row.
    stride: usize,
    /// See [`Element::excess`], of a row.
    excess: [i32; QUERIES],
    /// What the scores of a row are multiplied with.
    factors: [f32; QUERIES],
}

impl Task<'_> {
    /// Queries.
    pub(super) fn rows(&self) -> usize {
        match self.spans {
            [span] => span.rows,
            spans => spans.len(),
        }
    }

    #[inline(always)]
    pub(super) fn attend<S: Lanes, E: Element, C: Cached<Line = E::Line>>(
        &self,
        s: S,
        scores: &mut [f32],
        words: &mut [u32],
    ) {
        let rows = self.rows();
        // What is appended to and what is appended come from memory and from another core, so
        // they are asked for while the scores of the prefix are computed.
        let mut to_ask = self.spans.iter();
        let most = most::<S, E>();
        for first in (0..rows).step_by(most) {
            let rows = (rows - first).min(most);
            let tile = self.tile::<C>(first, rows);
            for row in 0..rows {
                ask(s, self.part(self.place(&tile, row).0, 0));
            }
            let piece = piece::<C>(self.head_dim);
            let keys = tile.prefix_runs().flat_map(|run| run.keys().chunks(piece));
            let mut ahead = keys.chain(tile.pieces(self.head_dim).take(1));
            if let Some(lines) = ahead.next() {
                ask(s, lines);
            }
            for run in tile.prefix_runs() {
                self.ask_scales(s, &run);
            }
            let queries = self.queries::<S, E, C>(s, &tile, scores, &mut *words);
            let seen = tile.seen();
            let put = (&queries, &mut *scores, row_length(seen));
            self.score::<S, E, C>(s, tile.prefix_runs(), &mut ahead, put, &mut to_ask);
            for span in &mut to_ask {
                self.ask_span::<S, C>(s, span);
            }
            if first == 0 {
                self.append::<S, C>(s);
            }
            let tile = self.tile::<C>(first, rows);
            let mut ahead = tile.pieces(self.head_dim);
            ahead.next();
            let put = (&queries, &mut *scores, row_length(seen));
            self.score::<S, E, C>(s, tile.own_runs(), &mut ahead, put, &mut to_ask);
            let weights = self.weigh::<S, E, C>(s, &tile, scores, &mut *words);
            self.mix::<S, E, C>(s, &tile, &weights, &mut ahead);
        }
    }

    /// Asks for what is appended to the cache of a sequence, and where.
    #[inline(always)]
    fn ask_span<S: Lanes, E: Cached>(&self, s: S, span: &Span) {
        let cache = E::head(self.own(span));
        cache.ask(s, span.position);
        for part in 1..3 {
            ask(s, self.part(span.row, part));
        }
        let own = Part {
            cache,
            rows: 0..1,
            positions: span.prefix.positions..span.position + 1,
        };
        for run in own.runs() {
            self.ask_scales(s, &run);
        }
    }

    #[inline(always)]
    fn ask_scales<S: Lanes, E: Cached>(&self, s: S, run: &Run<E>) {
        if E::SCALED {
            ask(s, run.scales());
        }
        if E::has_middles::<S>() {
            ask(s, run.middles());
        }
    }

    /// The cache of a sequence.
    fn own(&self, span: &Span) -> &HeadCache {
        // SAFETY: one task a cache, as no two spans share a sequence; and `append`, which
        // changes it, is called where no such reference is.
        unsafe { self.own.get(span.sequence * self.stride + self.cache) }
    }

    /// Appends the keys and values of all rows.
    #[inline(always)]
    fn append<S: Lanes, E: Cached>(&self, s: S) {
        for span in self.spans {
            // SAFETY: one task a cache, and there is no other reference here.
            let cache = unsafe { self.own.part(span.sequence * self.stride + self.cache, 1) };
            let cache = E::head_mut(&mut cache[0]);
            for row in 0..span.rows {
                let (key, value) = (self.part(span.row + row, 1), self.part(span.row + row, 2));
                cache.append(s, span.position + row, key, value);
            }
        }
    }

    /// The tile of `rows` queries from `first` on.
    fn tile<E: Cached>(&self, first: usize, rows: usize) -> Tile<'_, E> {
        let Prefix { index, positions } = self.spans[0].prefix;
        let prefix = (positions > 0).then(|| Part {
            cache: E::head(&self.shared[index * self.stride + self.cache]),
            rows: 0..rows,
            positions: 0..positions,
        });
        let own = std::array::from_fn(|i| {
            let span = self.spans.get(i)?;
            let (rows, end) = match self.spans {
                [_] => (0..rows, span.position + first + rows),
                _ => (i..i + 1, span.position + 1),
            };
            Some(Part {
                cache: E::head(self.own(span)),
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
    pub(super) fn place<E: Cached>(&self, tile: &Tile<E>, row: usize) -> (usize, usize) {
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

    /// The queries, divided by the root of their length.
    #[inline(always)]
    fn queries<'a, S: Lanes, E: Element, C: Cached>(
        &self,
        s: S,
        tile: &Tile<C>,
        scratch: &mut [f32],
        words: &'a mut [u32],
    ) -> Queries<'a, E> {
        let root = (self.head_dim as f32).sqrt();
        let stride = self.head_dim.div_ceil(E::GROUP);
        let query = &mut scratch[..self.head_dim];
        let (mut excess, mut factors) = ([0; QUERIES], [0.0; QUERIES]);
        for (row, words) in (0..tile.rows).zip(words.chunks_mut(stride * E::WORDS)) {
            let (at, _) = self.place(tile, row);
            for (scaled, q) in query.iter_mut().zip(self.part(at, 0)) {
                *scaled = q / root;
            }
            factors[row] = E::convert(s, query, words);
            excess[row] = E::excess(s, words);
        }
        Queries {
            groups: E::groups(words),
            stride,
            excess,
            factors,
        }
    }

    /// The scores of queries with the keys of some runs: `scores` of each row are `length`
    /// apart. With each block asks for a part of what is `ahead`, and for what is appended to
    /// one of the sequences `to_ask`.
    #[inline(always)]
    fn score<'a, 'b, S: Lanes, E: Element, C: Cached<Line = E::Line>>(
        &self,
        s: S,
        runs: impl Iterator<Item = Run<'b, C>>,
        ahead: &mut impl Iterator<Item = &'b [[E::Line; 2]]>,
        (queries, scores, length): (&Queries<E>, &mut [f32], usize),
        to_ask: &mut impl Iterator<Item = &'a Span>,
    ) {
        let (groups, mut sums) = (queries.stride, [[E::zero(s); 2]; QUERIES]);
        let piece = piece::<C>(self.head_dim);
        for run in runs {
            let x = &queries.groups[run.rows.start * groups..];
            let mut position = run.all().start;
            let (mut scales, mut middles) = (run.scales(), run.middles());
            for piece in run.keys().chunks(piece) {
                let mut next = ahead.next().unwrap_or_default().chunks(groups);
                for lines in piece.chunks(groups) {
                    if let Some(span) = to_ask.next() {
                        self.ask_span::<S, C>(s, span);
                    }
                    let sums = &mut sums[run.rows.clone()];
                    let operands = Operands::<E> {
                        lines,
                        next: Next::all(next.next()),
                        x,
                        stride: groups,
                    };
                    multiply(s, operands, false, sums);
                    for (row, halves) in run.rows.clone().zip(&*sums) {
                        let scores = &mut scores[row * length..][position..];
                        let from = (queries.excess[row], queries.factors[row]);
                        put_scores::<S, E>(s, halves, (scales, middles), from, scores);
                    }
                    position += BLOCK;
                    scales = scales.get(BLOCK / WIDTH..).unwrap_or_default();
                    middles = middles.get(BLOCK / WIDTH..).unwrap_or_default();
                }
            }
        }
    }

    /// The values, mixed by the weights.
    #[inline(always)]
    fn mix<'a, S: Lanes, E: Element, C: Cached<Line = E::Line>>(
        &self,
        s: S,
        tile: &Tile<C>,
        weights: &Weights,
        ahead: &mut impl Iterator<Item = &'a [[E::Line; 2]]>,
    ) {
        let (x, stride) = (E::groups(weights.words), weights.stride / E::WORDS);
        let mut sums = [[E::zero(s); 2]; QUERIES];
        let piece = piece::<C>(self.head_dim);
        for block in 0..self.head_dim.div_ceil(BLOCK) {
            for run in tile.runs() {
                let mut group = run.all().start / E::GROUP;
                for piece in run.values(block).chunks(piece) {
                    let x = &x[run.rows.start * stride + group..];
                    let sums = &mut sums[run.rows.clone()];
                    let operands = Operands::<E> {
                        lines: piece,
                        next: Next::all(ahead.next()),
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
fn put_scores<S: Lanes, E: Element>(
    s: S,
    halves: &Sums<S, E>,
    (scales, middles): (&[Scales], &[Middles]),
    (excess, factor): (i32, f32),
    scores: &mut [f32],
) {
    let lines = scores.as_chunks_mut().0.iter_mut();
    let lines = lines.zip(scales.iter().zip(middles));
    for (sum, (scores, (scales, middles))) in halves.iter().zip(lines) {
        let mut value = E::value(s, *sum, &middles.0, excess);
        if E::SCALED {
            value = s.mul(value, s.mul(s.widen_line(&scales.keys), s.splat(factor)));
        }
        s.store(value, scores);
    }
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
