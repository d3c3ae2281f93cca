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

mod softmax;
mod task;
mod tile;

use crate::cache::HeadCache;
use crate::elements::{Bf16, F32, Int8Fine, WideBf16};
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::matrix::WeightFormat;
use crate::shared::SharedMut;
use crate::team::{Tasks, Team};
use crate::tile::{BEHIND, BLOCK, ROWS, TILED_ROWS};
use task::Task;

/// Queries that are taken [together](crate::tile::most), on any instruction set.
const QUERIES: usize = TILED_ROWS;

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
        let length = row_length(capacity.max(head_dim));
        Self {
            layers,
            heads,
            head_dim,
            capacity,
            scores: vec![0.0; threads * QUERIES * length],
            words: vec![0; threads * (QUERIES + BEHIND) * length],
            threads,
        }
    }

    /// Appends the new keys and values of `layer` to the caches and attends, in one
    /// phase of the team. See [`tasks`](Self::tasks).
    pub fn attend(
        &mut self,
        team: &mut Team,
        layer: usize,
        spans: &[Span],
        caches: Caches,
        qkv: &[f32],
        out: &mut [f32],
    ) {
        let tasks = self.tasks(team, layer, spans, caches, qkv, out);
        team.run_all(&[&tasks]);
    }

    /// What appends the new keys and values of `layer` to the caches and attends, by
    /// `team`.
    ///
    /// `qkv` is f32 `[rows, 3 heads head_dim]` (all queries, all keys, all
    /// values), `out` f32 `[rows, heads head_dim]`. Panics where shapes or formats
    /// do not fit, where a sequence occurs in two spans or where a position is
    /// past the capacity.
    pub fn tasks<'a>(
        &'a mut self,
        team: &Team,
        layer: usize,
        spans: &'a [Span],
        caches: Caches<'a>,
        qkv: &'a [f32],
        out: &'a mut [f32],
    ) -> Attending<'a> {
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
        // Sequences with one prefix are one task, if enough tasks remain.
        let most = (spans.len() * self.heads / team.threads()).clamp(1, ROWS);
        let format = caches.own.first().map(HeadCache::format);
        Attending {
            isa: team.isa(),
            spans,
            most,
            count: format.map_or(0, |_| groups(spans, most).count() * self.heads),
            heads: self.heads,
            head_dim: self.head_dim,
            stride: self.layers * self.heads,
            layer,
            format,
            own: SharedMut::new(caches.own),
            shared: caches.shared,
            qkv,
            out: SharedMut::new(out),
            per_thread: [self.scores.len(), self.words.len()].map(|len| len / self.threads),
            scores: SharedMut::new(&mut self.scores),
            words: SharedMut::new(&mut self.words),
        }
    }
}

/// See [`Attention::tasks`].
pub struct Attending<'a> {
    isa: Isa,
    spans: &'a [Span],
    /// Spans of a task, at most.
    most: usize,
    /// Tasks.
    count: usize,
    heads: usize,
    head_dim: usize,
    /// Caches of a sequence.
    stride: usize,
    layer: usize,
    /// `None` where there are no caches, and so nothing to do.
    format: Option<WeightFormat>,
    own: SharedMut<'a, HeadCache>,
    shared: &'a [HeadCache],
    qkv: &'a [f32],
    out: SharedMut<'a, f32>,
    /// Scores and words of a thread.
    per_thread: [usize; 2],
    scores: SharedMut<'a, f32>,
    words: SharedMut<'a, u32>,
}

/// The spans of each task of a head, at most so many.
fn groups(spans: &[Span], most: usize) -> impl Iterator<Item = &[Span]> {
    let joined = spans.chunk_by(Span::joins);
    joined.flat_map(move |spans| spans.chunks(most))
}

impl Tasks for Attending<'_> {
    fn count(&self) -> usize {
        self.count
    }

    fn run(&self, thread: usize, index: usize) {
        let (head, [scores, words]) = (index % self.heads, self.per_thread);
        let spans = groups(self.spans, self.most).nth(index / self.heads);
        let (Some(spans), Some(format)) = (spans, self.format) else {
            return;
        };
        // SAFETY: scratch is by thread, of which no two tasks run at once.
        let (scores, words) = unsafe {
            (
                self.scores.part(thread * scores, scores),
                self.words.part(thread * words, words),
            )
        };
        let task = Task {
            spans,
            head,
            heads: self.heads,
            head_dim: self.head_dim,
            own: &self.own,
            shared: self.shared,
            stride: self.stride,
            cache: self.layer * self.heads + head,
            qkv: self.qkv,
            out: &self.out,
        };
        self.isa.run(Attend {
            format,
            task,
            scores,
            words,
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
    fn tiled(&self) -> Option<usize> {
        (self.format == WeightFormat::Bf16).then(|| self.task.rows().min(QUERIES))
    }
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        let (scores, words) = (self.scores, self.words);
        match self.format {
            format if S::TILED && format != WeightFormat::Bf16 => {
                unreachable!("only bf16 is tiled")
            }
            WeightFormat::F32 => self.task.attend::<S, F32, F32>(s, scores, words),
            WeightFormat::Bf16 if S::WIDE => {
                self.task.attend::<S, WideBf16, Bf16>(s, scores, words)
            }
            WeightFormat::Bf16 => self.task.attend::<S, Bf16, Bf16>(s, scores, words),
            WeightFormat::Int8 => self.task.attend::<S, Int8Fine, Int8Fine>(s, scores, words),
        }
    }
}
