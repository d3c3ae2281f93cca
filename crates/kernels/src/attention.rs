//! Causal attention over a cache of keys and values.
//!
//! For a query at position `t`, `out = sum over j <= t of p_j v_j` with
//! `p = softmax(q k_j / sqrt(head_dim))`; the query is divided by the root first,
//! as in the JAX original.
//!
//! One task is one head of one sequence. It appends the new keys and values and
//! then takes the queries in tiles, as many as fit the registers, each tile over
//! all positions that its last query sees; positions after a query's own get the
//! weight 0. All scores of a tile are kept (a few thousand values), so the
//! softmax is the plain one, in f32; the output is divided by its sum at the end.

use crate::cache::{Head, HeadCache, Store};
use crate::elements::Element;
use crate::exp::exp_and_sum;
use crate::isa::Kernel;
use crate::lanes::{Lanes, WIDTH};
use crate::shared::SharedMut;
use crate::team::Team;
use crate::tile::{BLOCK, Sink, block_product};

/// Query rows taken at once, at most.
const TILE: usize = 12;

/// Whole blocks of scores, and a cache line more (see `activations`).
fn row_length(positions: usize) -> usize {
    positions.next_multiple_of(BLOCK) + 16
}

/// Consecutive rows that belong to one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which sequence.
    pub sequence: usize,
    /// The first row.
    pub row: usize,
    /// How many rows.
    pub rows: usize,
    /// The position of the first row.
    pub position: usize,
}

/// The shape of attention and its memory, taken once.
pub struct Attention {
    layers: usize,
    heads: usize,
    head_dim: usize,
    capacity: usize,
    /// Scores of a tile, a thread.
    scores: Vec<f32>,
    /// Converted queries or weights of a tile, a thread.
    words: Vec<u32>,
    threads: usize,
}

impl Attention {
    /// For models of `layers` layers of `heads` heads of `head_dim` values, caches
    /// of `capacity` positions and a team of at most `threads`.
    pub fn new(
        layers: usize,
        heads: usize,
        head_dim: usize,
        capacity: usize,
        threads: usize,
    ) -> Self {
        let scratch = threads * TILE * row_length(capacity.max(head_dim));
        Self {
            layers,
            heads,
            head_dim,
            capacity,
            scores: vec![0.0; scratch],
            words: vec![0; scratch],
            threads,
        }
    }

    /// Appends the new keys and values of `layer` to the caches and attends.
    ///
    /// `caches` are `[sequences, layers, heads]`; `qkv` is f32
    /// `[rows, 3 heads head_dim]` (all queries, all keys, all values), `out` f32
    /// `[rows, heads head_dim]`. Panics where shapes do not fit, where a sequence
    /// occurs in two spans or where a position is past the capacity.
    pub fn attend(
        &mut self,
        team: &mut Team,
        layer: usize,
        spans: &[Span],
        caches: &mut [HeadCache],
        qkv: &[f32],
        out: &mut [f32],
    ) {
        assert!(layer < self.layers, "no such layer");
        assert!(team.threads() <= self.threads, "more threads than planned");
        for (i, span) in spans.iter().enumerate() {
            let clash =
                |other: &Span| other.sequence == span.sequence || other.row + other.rows > span.row;
            assert!(!spans[..i].iter().any(clash), "spans overlap");
            assert!(
                span.position + span.rows <= self.capacity,
                "the cache is full"
            );
        }
        let (heads, head_dim) = (self.heads, self.head_dim);
        let per_thread = self.scores.len() / self.threads;
        let (first, stride) = (layer * heads, self.layers * heads);
        let caches = SharedMut::new(caches);
        let out = SharedMut::new(out);
        let scores = SharedMut::new(&mut self.scores);
        let words = SharedMut::new(&mut self.words);
        let isa = team.isa();
        team.run(spans.len() * heads, &|thread, task| {
            let (span, head) = (spans[task / heads], task % heads);
            // SAFETY: one task a cache, as no two spans share a sequence; scratch
            // is by thread, of which no two tasks run at once.
            let (cache, scores, words) = unsafe {
                (
                    caches.part(span.sequence * stride + first + head, 1),
                    scores.part(thread * per_thread, per_thread),
                    words.part(thread * per_thread, per_thread),
                )
            };
            let (cache, out) = (&mut cache[0], &out);
            isa.run(Task {
                span,
                head,
                heads,
                head_dim,
                cache,
                qkv,
                out,
                scores,
                words,
            });
        });
    }
}

struct Task<'a> {
    span: Span,
    head: usize,
    heads: usize,
    head_dim: usize,
    cache: &'a mut HeadCache,
    qkv: &'a [f32],
    /// Only the columns of `head` in the rows of `span` are written.
    out: &'a SharedMut<'a, f32>,
    scores: &'a mut [f32],
    words: &'a mut [u32],
}

impl Kernel for Task<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        let Self {
            span,
            head,
            heads,
            head_dim,
            cache,
            qkv,
            out,
            scores,
            words,
        } = self;
        let heads = Heads {
            s,
            span,
            head,
            heads,
            head_dim,
            qkv,
            out,
        };
        match &mut cache.0 {
            Store::F32(cache) => heads.attend(cache, scores, words),
            Store::Bf16(cache) => heads.attend(cache, scores, words),
            Store::Int8(cache) => heads.attend(cache, scores, words),
        }
    }
}

struct Heads<'a, S> {
    s: S,
    span: Span,
    head: usize,
    heads: usize,
    head_dim: usize,
    qkv: &'a [f32],
    out: &'a SharedMut<'a, f32>,
}

impl<S: Lanes> Heads<'_, S> {
    /// The query (0), key (1) or value (2) of a row of the span.
    #[inline(always)]
    fn part(&self, row: usize, part: usize) -> &[f32] {
        let start = ((self.span.row + row) * 3 + part) * self.heads + self.head;
        &self.qkv[start * self.head_dim..][..self.head_dim]
    }

    #[inline(always)]
    fn attend<E: Element>(&self, cache: &mut Head<E>, scores: &mut [f32], words: &mut [u32]) {
        for row in 0..self.span.rows {
            let (key, value) = (self.part(row, 1), self.part(row, 2));
            cache.append(self.s, self.span.position + row, key, value);
        }
        let tile = S::TILE.min(TILE);
        for first in (0..self.span.rows).step_by(tile) {
            let rows = first..self.span.rows.min(first + tile);
            self.tile(cache, rows, scores, words);
        }
    }

    #[inline(always)]
    fn tile<E: Element>(
        &self,
        cache: &Head<E>,
        rows: std::ops::Range<usize>,
        scores: &mut [f32],
        words: &mut [u32],
    ) {
        let (s, count) = (self.s, rows.len());
        let seen = self.span.position + rows.end;
        let root = (self.head_dim as f32).sqrt();
        let query = &mut scores[..self.head_dim];
        let mut factors = [0.0; TILE];
        let all_words = words.chunks_mut(cache.key_groups * E::WORDS);
        for ((words, factor), row) in all_words.zip(&mut factors).zip(rows.clone()) {
            for (scaled, q) in query.iter_mut().zip(self.part(row, 0)) {
                *scaled = q / root;
            }
            *factor = E::convert(s, query, words);
        }
        let stride = row_length(seen);
        let blocks = cache
            .keys
            .chunks(cache.key_groups)
            .take(seen.div_ceil(BLOCK));
        for (block, lines) in blocks.enumerate() {
            let x = E::groups(words);
            let at = block * BLOCK;
            let mut store = Scores {
                s,
                cache,
                factors: &factors,
                scores: &mut *scores,
                stride,
                at,
            };
            block_product::<S, E>(s, lines, x, cache.key_groups, count, &mut store);
        }
        let groups = seen.div_ceil(E::GROUP);
        let stride_words = row_length(groups * E::WORDS);
        for (i, row) in rows.clone().enumerate() {
            let weights = &mut scores[i * stride..][..seen];
            let (own, later) = weights.split_at_mut(self.span.position + row + 1);
            let sum = exp_and_sum(s, own);
            later.fill(0.0);
            if E::SCALED {
                let (lines, rest) = weights.as_chunks_mut::<WIDTH>();
                let (whole, last) = cache.scales.split_at(lines.len());
                for (line, scales) in lines.iter_mut().zip(whole) {
                    s.store(s.mul(s.load(line), s.load(&scales.values)), line);
                }
                for (weight, scale) in rest.iter_mut().zip(last.iter().flat_map(|l| l.values)) {
                    *weight *= scale;
                }
            }
            let words = &mut words[i * stride_words..][..groups * E::WORDS];
            factors[i] = E::convert_positive(s, weights, words) / sum;
        }
        for (block, lines) in cache.values.chunks(cache.value_groups).enumerate() {
            let x = E::groups(words);
            let (first, column) = (self.span.row + rows.start, block * BLOCK);
            let mut store = Mixed {
                heads: self,
                first,
                column,
                factors: &factors,
            };
            let stride = stride_words / E::WORDS;
            block_product::<S, E>(s, &lines[..groups], x, stride, count, &mut store);
        }
    }
}

/// Puts the scores of a block of keys into the rows of scores.
struct Scores<'a, S, E: Element> {
    s: S,
    cache: &'a Head<E>,
    /// Scales of the queries.
    factors: &'a [f32; TILE],
    scores: &'a mut [f32],
    stride: usize,
    at: usize,
}

impl<S: Lanes, E: Element> Sink<S, E> for Scores<'_, S, E> {
    #[inline(always)]
    fn take(&mut self, row: usize, half: usize, sum: E::Sum<S>) {
        let (s, at) = (self.s, self.at + half * WIDTH);
        let scales = &self.cache.scales[at / WIDTH];
        let mut value = E::value(s, sum, &scales.offsets);
        if E::SCALED {
            let scale = s.mul(s.load(&scales.keys), s.splat(self.factors[row]));
            value = s.mul(value, scale);
        }
        store(s, value, &mut self.scores[row * self.stride + at..][..16]);
    }
}

/// Scales the mixed values, which divides them by the sum of the weights too,
/// and writes the output.
struct Mixed<'a, S> {
    heads: &'a Heads<'a, S>,
    first: usize,
    column: usize,
    factors: &'a [f32; TILE],
}

impl<S: Lanes, E: Element> Sink<S, E> for Mixed<'_, S> {
    #[inline(always)]
    fn take(&mut self, row: usize, half: usize, sum: E::Sum<S>) {
        let Heads {
            s,
            head,
            heads,
            head_dim,
            out,
            ..
        } = *self.heads;
        let column = self.column + half * 16;
        let columns = head_dim.saturating_sub(column).min(16);
        let at = ((self.first + row) * heads + head) * head_dim + column.min(head_dim);
        let value = s.mul(E::value(s, sum, &[0; 16]), s.splat(self.factors[row]));
        // SAFETY: columns of this head in rows of this span.
        store(s, value, unsafe { out.part(at, columns) });
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
