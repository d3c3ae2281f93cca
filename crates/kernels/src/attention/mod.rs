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

mod task;
mod tile;

use crate::cache::HeadCache;
use crate::elements::{Bf16, F32, Int8Fine};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::matrix::WeightFormat;
use crate::shared::SharedMut;
use crate::team::Team;
use crate::tile::{BLOCK, ROWS};
use task::Task;

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
