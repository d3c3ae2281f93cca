//! The forward pass of one head of one sequence.
//!
//! Keys and values are packed once. Then, for each block of up to [`BLOCK`] queries:
//! the scores against all keys up to the block's last query (`k` = feature; tiles
//! that lie wholly after the diagonal are skipped), the softmax row by row, and
//! the product of the weights with the values (`k` = position), each tile of
//! queries up to its own last position.
//!
//! A block's scores stay in the second-level cache (128 KiB for 1,024 positions),
//! so the softmax is the plain one with the exact largest score, and nothing has
//! to be rescaled as an online softmax would. Weights replace the scores in
//! place, as cells, not yet divided by their sum: that is done to the output.

use super::blind;
use super::operands::{Head, Positions, copy_rows, pack_features, pack_positions};
use super::{Task, whole_lines};
use crate::elements::Line;
use crate::lanes::{Lanes, WIDTH};
use crate::shared::SharedMut;
use crate::training::buffer::Buffer;
use crate::training::cells::{CellKernel, Cells, Layout};
use crate::training::dropout::key_word;
use crate::training::panels::{Right, right_len, starts};
use crate::training::tile::{COLUMNS, Left, ROWS, Tile, tile};

/// Queries of a block at most.
const BLOCK: usize = 32;

/// Queries of a block: whole tiles of 4, 6 or 8 rows, or one of 32.
#[inline(always)]
const fn block<S: Lanes>() -> usize {
    if S::TALL == BLOCK { BLOCK } else { 24 }
}

/// The memory of one thread.
pub(super) struct Scratch {
    keys: Buffer<u32>,
    values: Buffer<u32>,
    /// `[BLOCK, width]`.
    queries: Buffer<u32>,
    /// `[BLOCK, stride]`: scores as bits, then weights as cells.
    scores: Buffer<u32>,
    /// Largest score of a row, lane by lane.
    largest: Buffer<f32>,
    /// 0, or minus infinity where the key is hidden.
    bias: Buffer<f32>,
    /// What a key adds to the hash of dropout.
    key_words: Buffer<u32>,
    /// Two rows of features.
    pair: Buffer<f32>,
    /// A tile of rows of the output.
    results: Buffer<f32>,
}

/// Cells between rows of scores: not a power of two.
fn score_stride(length: usize) -> usize {
    whole_lines(length) + WIDTH
}

impl Scratch {
    pub(super) fn new(layout: Layout, length: usize, head_dim: usize) -> Self {
        let width = layout.cells(head_dim);
        let mut key_words = Buffer::new(whole_lines(length));
        for (key, word) in key_words.iter_mut().enumerate() {
            *word = key_word(key);
        }
        Self {
            keys: Buffer::new(right_len(width, length)),
            values: Buffer::new(right_len(layout.cells(length), head_dim)),
            queries: Buffer::new(BLOCK * width),
            scores: Buffer::new(BLOCK * score_stride(length)),
            largest: Buffer::new(BLOCK * WIDTH),
            bias: Buffer::new(whole_lines(length)),
            key_words,
            pair: Buffer::new(2 * whole_lines(head_dim)),
            results: Buffer::new(ROWS * whole_lines(head_dim)),
        }
    }
}

/// The kernel.
pub(super) struct Forward<'a> {
    pub(super) task: Task<'a>,
    pub(super) scratch: &'a mut Scratch,
    /// The output and its stride.
    pub(super) out: (&'a SharedMut<'a, u32>, usize),
    /// Of this head.
    pub(super) statistics: &'a mut [f32],
}

impl CellKernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(mut self, s: S) {
        let inputs = self.task.inputs;
        let [q, k, v] = [inputs.q, inputs.k, inputs.v].map(|rows| self.task.head(rows));
        let (length, features) = (q.length, self.task.shape.head_dim);
        let scratch = &mut *self.scratch;
        pack_positions::<S>(s, k, &mut scratch.keys);
        let (pair, values) = (&mut scratch.pair, &mut scratch.values);
        pack_features::<S, C>(s, v, 0, length, features, pair, values);
        if let Some(visible) = self.task.visible() {
            for (bias, visible) in scratch.bias.iter_mut().zip(visible) {
                *bias = if *visible { 0.0 } else { f32::NEG_INFINITY };
            }
        }
        for first in (0..length).step_by(block::<S>()) {
            let rows = block::<S>().min(length - first);
            self.scores::<S, C>(s, q, first, rows);
            for row in (0..rows).step_by(S::TALL) {
                let scales = self.weights::<S, C>(s, first, row, rows);
                self.output::<S, C>(s, first, row, rows, &scales, v);
            }
        }
    }
}

impl Forward<'_> {
    /// Scores of `rows` queries from `first` on; minus infinity where the key is
    /// hidden or later, up to the last tile's end.
    #[inline(always)]
    fn scores<S: Lanes, C: Cells>(&mut self, s: S, q: Head, first: usize, rows: usize) {
        let scratch = &mut *self.scratch;
        let stride = score_stride(q.length);
        let queries = &mut scratch.queries[..block::<S>() * q.width];
        copy_rows(q, first, queries);
        let next = first + block::<S>();
        q.ask(s, next..next + block::<S>());
        let (out, out_stride) = self.out;
        (self.task).ask(s, out, out_stride, first..first + rows);
        scratch.largest.fill(f32::NEG_INFINITY);
        let left = Left::rows(&scratch.queries, q.width);
        let right = Positions {
            cells: &scratch.keys,
            k: q.width,
            length: q.length,
        };
        let bias = self.task.visible().map(|_| &scratch.bias[..]);
        // Plain slices: in the loops nothing is looked up.
        let all_largest = scratch.largest.as_chunks_mut::<WIDTH>().0;
        let all_scores = &mut scratch.scores[..];
        let mut sums: Line<Tile> = Line([[0.0; COLUMNS]; ROWS]);
        for column in (0..first + rows).step_by(S::LINES * WIDTH) {
            let (panel, lines) = right.panel::<S>(column);
            let bias = bias.map(|bias| &bias.as_chunks::<WIDTH>().0[column / WIDTH..][..lines]);
            for row in (0..rows).step_by(S::TALL) {
                let query = first + row;
                if column >= query + S::TALL {
                    continue;
                }
                tile::<S, C>(s, left.tile(row, 0), panel, lines, &mut sums.0);
                if column + lines * WIDTH > query + 1 {
                    for (i, sums) in sums.0[..S::TALL].iter_mut().enumerate() {
                        let later = (query + i + 1).saturating_sub(column).min(COLUMNS);
                        sums[later..].fill(f32::NEG_INFINITY);
                    }
                }
                let tile_rows = sums.0[..S::TALL].iter().zip(&mut all_largest[row..]);
                let tile_scores = all_scores[row * stride + column..].chunks_mut(stride);
                for ((sums, largest), scores) in tile_rows.zip(tile_scores) {
                    let mut most = s.load(largest);
                    let sums = sums.as_chunks().0.iter().enumerate();
                    let scores = scores.as_chunks_mut().0[..lines].iter_mut();
                    for (scores, (line, sums)) in scores.zip(sums) {
                        let mut x = s.load(sums);
                        if let Some(bias) = bias {
                            x = s.add(x, s.load(&bias[line]));
                        }
                        s.store_bits(x, scores);
                        most = s.max(most, x);
                    }
                    s.store(most, largest);
                }
            }
        }
    }

    /// Turns the scores of the tile at `row` into weights that are not yet
    /// divided, writes the statistics, and returns what the outputs are to be
    /// multiplied by; 0 for a query that sees no key.
    #[inline(always)]
    fn weights<S: Lanes, C: Cells>(
        &mut self,
        s: S,
        first: usize,
        row: usize,
        rows: usize,
    ) -> [f32; ROWS] {
        let length = self.task.shape.length;
        let stride = score_stride(length);
        let lines = (first + row + S::TALL).min(length).div_ceil(WIDTH);
        let scratch = &mut *self.scratch;
        let words = scratch.key_words.as_chunks().0;
        let mut scales = [0.0; ROWS];
        for i in row..rows.min(row + S::TALL) {
            let scores = &mut scratch.scores[i * stride..][..lines * WIDTH];
            let largest = s.load(&scratch.largest.as_chunks().0[i]);
            let largest = s.largest(largest).max(f32::MIN);
            let dropout = self.task.inputs.dropout.map(|dropout| {
                let row_key = dropout.row_key(self.task.row(first + i));
                (row_key, dropout.threshold())
            });
            let mut sum = s.splat(0.0);
            // As many lines as make sixteen cells at a time, then what is left.
            let whole = lines - lines % C::GROUP;
            for from in (0..whole).step_by(C::GROUP) {
                let mut both = [s.splat(0.0); 2];
                for (i, kept) in both[..C::GROUP].iter_mut().enumerate() {
                    let x = s.load_bits(&scores.as_chunks().0[from + i]);
                    let e = C::exp(s, s.sub(x, s.splat(largest)));
                    sum = s.add(sum, e);
                    *kept = keep(s, e, dropout, &words[from + i]);
                }
                C::lines(s, both, &mut scores.as_chunks_mut().0[from / C::GROUP]);
            }
            for line in whole..lines {
                let x = s.load_bits(&scores.as_chunks().0[line]);
                let e = C::exp(s, s.sub(x, s.splat(largest)));
                sum = s.add(sum, e);
                let cells = WIDTH / C::GROUP;
                let kept = keep(s, e, dropout, &words[line]);
                C::line(s, kept, &mut scores[line * cells..][..cells]);
            }
            let sum = s.sum(sum);
            (self.statistics[first + i], scales[i - row]) = match sum == 0.0 {
                true => (f32::INFINITY, 0.0),
                false => (largest + sum.ln(), self.task.scale() / sum),
            };
        }
        scales
    }

    /// The outputs of the tile at `row`.
    #[inline(always)]
    fn output<S: Lanes, C: Cells>(
        &mut self,
        s: S,
        first: usize,
        row: usize,
        rows: usize,
        scales: &[f32; ROWS],
        v: Head,
    ) {
        let scratch = &mut *self.scratch;
        let features = self.task.shape.head_dim;
        let full = whole_lines(features);
        let right = Right {
            cells: &scratch.values,
            k: v.length.div_ceil(C::GROUP),
            columns: features,
        };
        let left = Left::rows(&scratch.scores, score_stride(v.length)).tile(row, 0);
        let end = (first + row + S::TALL).min(v.length).div_ceil(C::GROUP);
        let mut sums: Line<Tile> = Line([[0.0; COLUMNS]; ROWS]);
        for column in starts::<S>(0..features, features) {
            let (panel, count) = right.panel::<S>(column, 0, end);
            tile::<S, C>(s, left, panel, count, &mut sums.0);
            for (i, (sums, scale)) in sums.0[..S::TALL].iter().zip(scales).enumerate() {
                let results = &mut scratch.results[i * full + column..];
                let results = results.as_chunks_mut().0[..count].iter_mut();
                for (out, sums) in results.zip(sums.as_chunks().0) {
                    s.store(s.mul(s.load(sums), s.splat(*scale)), out);
                }
            }
        }
        let (out, stride) = self.out;
        for i in row..rows.min(row + S::TALL) {
            let query = first + i;
            let results = &mut scratch.results[(i - row) * full..][..features];
            if scales[i - row] == 0.0 {
                blind::output::<S, C>(s, &self.task, query, v, &mut scratch.pair, results);
            }
            // SAFETY: the cells of this task's head, which no other task writes.
            let out = unsafe { out.part(self.task.cell(stride, query), v.width) };
            C::along(s, results, out);
        }
    }
}

/// What dropout, the key of the row and the threshold, leaves of sixteen weights.
#[inline(always)]
fn keep<S: Lanes>(s: S, e: S::F, dropout: Option<(u32, u32)>, words: &[u32; WIDTH]) -> S::F {
    match dropout {
        Some((row_key, threshold)) => s.keep_scrambled(e, words, row_key, threshold),
        None => e,
    }
}
