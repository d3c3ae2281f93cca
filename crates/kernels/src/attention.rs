//! Causal attention over a cache of keys and values.
//!
//! For a query at position `t`, `out = sum over j <= t of p_j v_j` with
//! `p = softmax(q k_j / sqrt(head_dim))`; the query is divided by the root first,
//! as in the JAX original.
//!
//! Sequences that begin with the same positions can share them (see [`Prefix`]):
//! these are read once for all, and then each sequence's own.
//!
//! One task is one head of one sequence, or of several with one prefix. It
//! appends the new keys and values and then takes the queries in tiles, as many
//! as fit the registers, each tile over all positions that its last query sees;
//! positions after a query's own get the weight 0. All scores of a tile are kept
//! (a few thousand values), so the softmax is the plain one, in f32; the output
//! is divided by its sum at the end.

use crate::cache::{Cached, Head, HeadCache, Scales};
use crate::elements::{Bf16, F32, Int8Fine};
use crate::exp::exp_and_sum;
use crate::isa::Kernel;
use crate::lanes::{Lanes, WIDTH};
use crate::matrix::WeightFormat;
use crate::shared::SharedMut;
use crate::team::Team;
use crate::tile::{BLOCK, ROWS, Sums, multiply};
use std::ops::Range;

/// Whole blocks of scores, and a cache line more (see `activations`).
fn row_length(positions: usize) -> usize {
    positions.next_multiple_of(BLOCK) + 16
}

/// The first positions of a sequence, where they are in a cache that it shares
/// with others. Its own cache has the positions after them, in their places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefix {
    /// Which of the shared caches.
    pub index: usize,
    /// How many positions, a multiple of [`Prefix::STEP`]; 0 where nothing is
    /// shared.
    pub positions: usize,
}

impl Prefix {
    /// Prefixes are so many positions long, or a multiple.
    pub const STEP: usize = BLOCK;
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
    /// What the sequence shares with others; it ends before `position`.
    pub prefix: Prefix,
}

impl Span {
    /// Whether two spans can be one task.
    fn joins(&self, other: &Self) -> bool {
        let single = self.rows == 1 && other.rows == 1;
        single && self.prefix.positions > 0 && self.prefix == other.prefix
    }
}

/// The caches of all sequences.
pub struct Caches<'a> {
    /// What belongs to one sequence each, `[sequences, layers, heads]`.
    pub own: &'a mut [HeadCache],
    /// What several begin with, `[prefixes, layers, heads]`.
    pub shared: &'a [HeadCache],
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
        let scratch = threads * ROWS * row_length(capacity.max(head_dim));
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
    /// `qkv` is f32 `[rows, 3 heads head_dim]` (all queries, all keys, all
    /// values), `out` f32 `[rows, heads head_dim]`. Panics where shapes or formats
    /// do not fit, where a sequence occurs in two spans or where a position is
    /// past the capacity.
    pub fn attend(
        &mut self,
        team: &mut Team,
        layer: usize,
        spans: &[Span],
        caches: Caches,
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
            let shared = span.prefix.positions;
            assert!(
                shared <= span.position && shared.is_multiple_of(Prefix::STEP),
                "no such prefix"
            );
        }
        let Some(format) = caches.own.first().map(HeadCache::format) else {
            return;
        };
        let (heads, head_dim, shared) = (self.heads, self.head_dim, caches.shared);
        let per_thread = self.scores.len() / self.threads;
        let stride = self.layers * heads;
        let own = SharedMut::new(caches.own);
        let out = SharedMut::new(out);
        let scores = SharedMut::new(&mut self.scores);
        let words = SharedMut::new(&mut self.words);
        let isa = team.isa();
        // Sequences with one prefix are one task, if enough tasks remain.
        let most = (spans.len() * heads / team.threads()).clamp(1, ROWS);
        let groups = || {
            let joined = spans.chunk_by(Span::joins);
            joined.flat_map(|spans| spans.chunks(most))
        };
        team.run(groups().count() * heads, &|thread, task| {
            let Some(spans) = groups().nth(task / heads) else {
                return;
            };
            // SAFETY: scratch is by thread, of which no two tasks run at once.
            let (scores, words) = unsafe {
                (
                    scores.part(thread * per_thread, per_thread),
                    words.part(thread * per_thread, per_thread),
                )
            };
            let head = task % heads;
            let task = Task {
                spans,
                head,
                heads,
                head_dim,
                own: &own,
                shared,
                stride,
                cache: layer * heads + head,
                qkv,
                out: &out,
            };
            isa.run(Attend {
                format,
                task,
                scores,
                words,
            });
        });
    }
}

struct Attend<'a> {
    format: WeightFormat,
    task: Task<'a>,
    scores: &'a mut [f32],
    words: &'a mut [u32],
}

impl Kernel for Attend<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        let (scores, words) = (self.scores, self.words);
        match self.format {
            WeightFormat::F32 => self.task.attend::<S, F32>(s, scores, words),
            WeightFormat::Bf16 => self.task.attend::<S, Bf16>(s, scores, words),
            WeightFormat::Int8 => self.task.attend::<S, Int8Fine>(s, scores, words),
        }
    }
}

/// One head of one sequence, or of several with one prefix and a row each.
struct Task<'a> {
    spans: &'a [Span],
    head: usize,
    heads: usize,
    head_dim: usize,
    /// Only the caches of `head` of the sequences of `spans` are touched.
    own: &'a SharedMut<'a, HeadCache>,
    shared: &'a [HeadCache],
    /// Caches of a sequence, and the place of this layer's head among them.
    stride: usize,
    cache: usize,
    qkv: &'a [f32],
    /// Only the columns of `head` in the rows of `spans` are written.
    out: &'a SharedMut<'a, f32>,
}

/// Positions of one cache that some rows of a tile look at.
struct Part<'a, E: Cached> {
    cache: &'a Head<E>,
    rows: Range<usize>,
    /// From the start of a block on.
    positions: Range<usize>,
}

impl<E: Cached> Part<'_, E> {
    fn scales(&self) -> &[Scales] {
        let Range { start, end } = self.positions;
        &self.cache.scales[start / WIDTH..end.div_ceil(WIDTH)]
    }

    /// Whole blocks of keys.
    fn keys(&self) -> &[[E::Line; 2]] {
        let Range { start, end } = self.positions;
        let groups = self.cache.key_groups;
        &self.cache.keys[start / BLOCK * groups..end.div_ceil(BLOCK) * groups]
    }

    /// A block of values.
    fn values(&self, block: usize) -> &[[E::Line; 2]] {
        let Range { start, end } = self.positions;
        let groups = start / E::GROUP..end.div_ceil(E::GROUP);
        &self.cache.values[block * self.cache.value_groups..][groups]
    }
}

/// Queries that are taken together, and what they look at.
struct Tile<'a, E: Cached> {
    /// The first query's row in a span of several.
    first: usize,
    rows: usize,
    prefix: Option<Part<'a, E>>,
    /// What comes after the prefix: one for all rows, or one a row.
    own: [Option<Part<'a, E>>; ROWS],
}

impl<E: Cached> Tile<'_, E> {
    /// Each row's parts in the order of their positions.
    fn parts(&self) -> impl Iterator<Item = &Part<'_, E>> {
        self.prefix.iter().chain(self.own.iter().flatten())
    }

    /// All that is read, in that order, in pieces of a few kilobytes.
    fn pieces(&self, head_dim: usize) -> impl Iterator<Item = &[[E::Line; 2]]> {
        let piece = piece::<E>(head_dim);
        let keys = self.parts().flat_map(move |part| part.keys().chunks(piece));
        let blocks = 0..head_dim.div_ceil(BLOCK);
        let values = blocks.flat_map(move |block| {
            let parts = self.parts();
            parts.flat_map(move |part| part.values(block).chunks(piece))
        });
        keys.chain(values)
    }

    /// Positions that are seen by any row.
    fn seen(&self) -> usize {
        self.parts()
            .map(|part| part.positions.end)
            .fold(0, usize::max)
    }
}

/// Groups of a piece: whole blocks of keys, some 8 KB.
fn piece<E: Cached>(head_dim: usize) -> usize {
    64_usize.next_multiple_of(head_dim.div_ceil(E::GROUP))
}

/// Weights of the values, converted.
struct Weights<'a> {
    words: &'a mut [u32],
    /// Words of a row.
    stride: usize,
    /// What the mixed values of a row are multiplied with.
    factors: [f32; ROWS],
}

impl Task<'_> {
    #[inline(always)]
    fn attend<S: Lanes, E: Cached>(&self, s: S, scores: &mut [f32], words: &mut [u32]) {
        for span in self.spans {
            // SAFETY: one task a cache, as no two spans share a sequence.
            let cache = unsafe { self.own.part(span.sequence * self.stride + self.cache, 1) };
            E::head(&cache[0]).ask(s, span.position);
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
                for part in tile.parts() {
                    ask(s, part.scales());
                }
            }
            ask(s, ahead.next().unwrap_or_default());
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
        let mut factors = [0.0; ROWS];
        for (row, words) in (0..tile.rows).zip(words.chunks_mut(groups * E::WORDS)) {
            let (at, _) = self.place(tile, row);
            for (scaled, q) in query.iter_mut().zip(self.part(at, 0)) {
                *scaled = q / root;
            }
            factors[row] = E::convert(s, query, words);
        }
        let (seen, x) = (tile.seen(), E::groups(words));
        let mut sums = [[E::zero(s); 2]; ROWS];
        for part in tile.parts() {
            let x = &x[part.rows.start * groups..];
            let mut block = part.positions.start / BLOCK;
            for piece in part.keys().chunks(piece::<E>(self.head_dim)) {
                let mut next = ahead.next().unwrap_or_default().chunks(groups);
                for lines in piece.chunks(groups) {
                    let sums = &mut sums[part.rows.clone()];
                    let next = next.next().map(<[_]>::as_ptr);
                    multiply::<S, E>(s, lines, next, x, groups, false, sums);
                    for (row, halves) in part.rows.clone().zip(&*sums) {
                        let scores = &mut scores[row * row_length(seen)..][block * BLOCK..];
                        let scales = &part.cache.scales[2 * block..];
                        put_scores::<S, E>(s, halves, scales, factors[row], scores);
                    }
                    block += 1;
                }
            }
        }
        let stride = row_length(seen.div_ceil(E::GROUP) * E::WORDS);
        for part in tile.own.iter().flatten() {
            for row in part.rows.clone() {
                let (_, position) = self.place(tile, row);
                let weights = &mut scores[row * row_length(seen)..][..part.positions.end];
                let (own, later) = weights.split_at_mut(position + 1);
                let sum = exp_and_sum(s, own);
                later.fill(0.0);
                if E::SCALED {
                    let (first, own) = weights.split_at_mut(part.positions.start);
                    if let Some(prefix) = &tile.prefix {
                        scale(s, first, &prefix.cache.scales);
                    }
                    scale(s, own, part.scales());
                }
                let count = weights.len().div_ceil(E::GROUP) * E::WORDS;
                let words = &mut words[row * stride..][..count];
                factors[row] = E::convert_positive(s, weights, words) / sum;
            }
        }
        Weights {
            words,
            stride,
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
        for block in 0..self.head_dim.div_ceil(BLOCK) {
            for part in tile.parts() {
                let mut group = part.positions.start / E::GROUP;
                for piece in part.values(block).chunks(piece::<E>(self.head_dim)) {
                    let x = &x[part.rows.start * stride + group..];
                    let sums = &mut sums[part.rows.clone()];
                    let next = ahead.next().map(<[_]>::as_ptr);
                    multiply::<S, E>(s, piece, next, x, stride, group > 0, sums);
                    group += piece.len();
                }
            }
            for (row, halves) in sums[..tile.rows].iter().enumerate() {
                let (at, _) = self.place(tile, row);
                let factor = s.splat(weights.factors[row]);
                for (half, sum) in halves.iter().enumerate() {
                    let column = block * BLOCK + half * WIDTH;
                    let columns = self.head_dim.saturating_sub(column).min(WIDTH);
                    let at = (at * self.heads + self.head) * self.head_dim;
                    let value = s.mul(E::value(s, *sum, &[0; WIDTH]), factor);
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
    factor: f32,
    scores: &mut [f32],
) {
    let lines = scores.as_chunks_mut().0.iter_mut().zip(scales);
    for (sum, (scores, scales)) in halves.iter().zip(lines) {
        let mut value = E::value(s, *sum, &scales.offsets);
        if E::SCALED {
            value = s.mul(value, s.mul(s.load(&scales.keys), s.splat(factor)));
        }
        s.store(value, scores);
    }
}

/// Multiplies weights by the scales of their values.
#[inline(always)]
fn scale<S: Lanes>(s: S, weights: &mut [f32], scales: &[Scales]) {
    let (lines, rest) = weights.as_chunks_mut::<WIDTH>();
    let (whole, last) = scales.split_at(lines.len());
    for (line, scales) in lines.iter_mut().zip(whole) {
        s.store(s.mul(s.load(line), s.load(&scales.values)), line);
    }
    for (weight, scale) in rest.iter_mut().zip(last.iter().flat_map(|l| l.values)) {
        *weight *= scale;
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
