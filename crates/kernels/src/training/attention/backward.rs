//! The backward pass of one head of one sequence.
//!
//! Queries and output gradients are packed once, both over (feature, query), for
//! the scores and `dp`, and over (query, feature), for the sums over queries.
//! Then, for each block of keys, for each block of queries from the diagonal on:
//! 1. tiles of `s` and `dp`, keys down and queries across (`k` = feature), which
//!    become the weights and `ds` while they are in the first-level cache
//!    ([`super::gradients`]);
//! 2. `dv += w^T dout` and `dk += ds^T q` (`k` = query);
//! 3. `dq += ds k` (`k` = key).
//!
//! Keys outermost: their two gradients stay in the cache until they are done, and
//! only `dq`, of the head's own size, is added to from block to block. What a
//! block of pairs takes does not grow with the length.

use super::gradients::{Block, KEYS, Pass, Place, QUERIES, Statistics};
use super::operands::{AHEAD, Head, Positions, copy_rows, pack_features, pack_positions};
use super::{Results, Task, blind, whole_lines};
use crate::elements::Line;
use crate::lanes::{Lanes, WIDTH};
use crate::rotary::Rotary;
use crate::shared::SharedMut;
use crate::training::buffer::Buffer;
use crate::training::cells::{CellKernel, Cells, Layout};
use crate::training::panels::{Right, right_len, starts};
use crate::training::tile::{COLUMNS, Left, ROWS, Tile, tile};

/// Cells of a row of `ds` with all keys of a block along it.
const TURNED: usize = KEYS.next_multiple_of(WIDTH);

/// The memory of one thread.
pub(super) struct Scratch {
    /// Queries and output gradients over (feature, query).
    positions: [Buffer<u32>; 2],
    /// The same over (query, feature).
    features: [Buffer<u32>; 2],
    /// A block of keys and of values, `[KEYS, width]`.
    rows: [Buffer<u32>; 2],
    /// A block of keys over (key, feature).
    keys: Buffer<u32>,
    statistics: Statistics,
    block: Block,
    /// `ds` of a tile of queries with keys along the rows, where tiles take rows.
    turned: Buffer<u32>,
    /// `[length, head_dim]`, both rounded up.
    d_q: Buffer<f32>,
    /// `[KEYS, head_dim]` of keys and of values.
    sums: [Buffer<f32>; 2],
    /// Two rows of features.
    pair: Buffer<f32>,
}

impl Scratch {
    pub(super) fn new(layout: Layout, length: usize, head_dim: usize) -> Self {
        let (width, full) = (layout.cells(head_dim), whole_lines(head_dim));
        let positions = || Buffer::new(right_len(width, length));
        let features = || Buffer::new(layout.cells(whole_lines(length)) * full);
        Self {
            positions: [positions(), positions()],
            features: [features(), features()],
            rows: [Buffer::new(KEYS * width), Buffer::new(KEYS * width)],
            keys: Buffer::new(layout.cells(KEYS) * full),
            statistics: Statistics::new(length),
            block: Block::new(layout),
            turned: Buffer::new(ROWS * TURNED),
            d_q: Buffer::new(length.next_multiple_of(COLUMNS) * full),
            sums: [Buffer::new(KEYS * full), Buffer::new(KEYS * full)],
            pair: Buffer::new(2 * full),
        }
    }
}

/// The kernel.
pub(super) struct Backward<'a> {
    pub(super) task: Task<'a>,
    pub(super) results: &'a Results<'a>,
    pub(super) scratch: &'a mut Scratch,
    /// Of queries, keys and values, with their strides.
    pub(super) gradients: &'a [(SharedMut<'a, u32>, usize); 3],
}

impl CellKernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(mut self, s: S) {
        let inputs = self.task.inputs;
        let rows = [inputs.q, inputs.k, inputs.v, self.results.d_out];
        let [q, k, v, d_out] = rows.map(|rows| self.task.head(rows));
        let length = q.length;
        self.prepare::<S, C>(s, q, d_out);
        for first in (0..length).step_by(KEYS) {
            let keys = KEYS.min(length - first);
            self.load_keys::<S, C>(s, [k, v], first, keys);
            for start in (first..length).step_by(QUERIES) {
                let end = whole_lines(length).min(start + QUERIES);
                self.tiles::<S, C>(s, (first, keys), (start, end), q.width);
                self.products::<S, C>(s, (first, keys), (start, end), length);
            }
            self.finish_keys::<S, C>(s, d_out, first, keys);
        }
        let full = whole_lines(self.task.shape.head_dim);
        let rows = self.scratch.d_q.chunks_exact_mut(full).take(length);
        for (position, row) in rows.enumerate() {
            let (rotary, (out, stride)) = (self.task.inputs.rotary, &self.gradients[0]);
            let ahead = position + AHEAD..position + AHEAD + 1;
            self.task.ask(s, out, *stride, ahead);
            write::<S, C>(s, &self.task, &self.gradients[0], position, row, rotary);
        }
    }
}

impl Backward<'_> {
    /// Packs queries and output gradients and takes what belongs to each query.
    #[inline(always)]
    fn prepare<S: Lanes, C: Cells>(&mut self, s: S, q: Head, d_out: Head) {
        let (task, scratch) = (&self.task, &mut *self.scratch);
        let (length, features) = (q.length, task.shape.head_dim);
        let pair = &mut scratch.pair;
        for (i, head) in [q, d_out].into_iter().enumerate() {
            pack_positions::<S>(s, head, &mut scratch.positions[i]);
            let out = &mut scratch.features[i];
            pack_features::<S, C>(s, head, 0, whole_lines(length), features, pair, out);
        }
        let statistics = &mut scratch.statistics;
        let sums = &self.results.statistics[task.row(0)..][..length];
        statistics.sums.fill(f32::INFINITY);
        statistics.sums[..length].copy_from_slice(sums);
        let out = task.head(self.results.out);
        let (a, b) = pair.split_at_mut(whole_lines(features));
        for position in 0..length {
            out.ask(s, position + AHEAD..position + AHEAD + 1);
            C::widen(s, out.row(position), &mut a[..features]);
            C::widen(s, d_out.row(position), &mut b[..features]);
            let mut sum = s.splat(0.0);
            for (a, b) in a.as_chunks().0.iter().zip(b.as_chunks().0) {
                sum = s.mul_add(s.load(a), s.load(b), sum);
            }
            statistics.means[position] = -s.sum(sum) / task.scale();
            if let Some(dropout) = task.inputs.dropout {
                statistics.row_keys[position] = dropout.row_key(task.row(position));
            }
        }
        scratch.d_q.fill(0.0);
    }

    /// Takes a block of keys and values as operands.
    #[inline(always)]
    fn load_keys<S: Lanes, C: Cells>(&mut self, s: S, heads: [Head; 2], first: usize, keys: usize) {
        let features = self.task.shape.head_dim;
        let scratch = &mut *self.scratch;
        for (i, head) in heads.into_iter().enumerate() {
            copy_rows(head, first, &mut scratch.rows[i]);
            scratch.sums[i].fill(0.0);
            head.ask(s, first + KEYS..first + 2 * KEYS);
        }
        for (out, stride) in &self.gradients[1..] {
            self.task.ask(s, out, *stride, first..first + keys);
        }
        let (pair, out) = (&mut scratch.pair, &mut scratch.keys);
        pack_features::<S, C>(s, heads[0], first, keys, features, pair, out);
    }

    /// The weights and `ds` of a block. Within 48 queries that lie wholly before
    /// a tile of keys nothing is written, and nothing is read later.
    #[inline(always)]
    fn tiles<S: Lanes, C: Cells>(
        &mut self,
        s: S,
        (first, keys): (usize, usize),
        (start, end): (usize, usize),
        width: usize,
    ) {
        let length = self.task.shape.length;
        let scratch = &mut *self.scratch;
        let pass = Pass {
            statistics: &scratch.statistics,
            visible: self.task.visible(),
            dropout: self.task.inputs.dropout,
        };
        let right = |i: usize| Positions {
            cells: &scratch.positions[i],
            k: width,
            length,
        };
        let mut sums: [Line<Tile>; 2] = [Line([[0.0; COLUMNS]; ROWS]); 2];
        for query in (start..end).step_by(S::LINES * WIDTH) {
            let before = query / COLUMNS * COLUMNS + COLUMNS;
            for row in (0..keys).step_by(S::TALL) {
                if before <= first + row {
                    continue;
                }
                let mut lines = 0;
                for (i, sums) in sums.iter_mut().enumerate() {
                    let left = Left::rows(&scratch.rows[i], width).tile(row, 0);
                    let (panel, count) = right(i).panel::<S>(query);
                    tile::<S, C>(s, left, panel, count, &mut sums.0);
                    lines = count;
                }
                let place = Place {
                    key: first + row,
                    row,
                    query,
                    column: query - start,
                    lines,
                };
                let [scores, d_weights] = &sums;
                let block = &mut scratch.block;
                block.take::<S, C>(s, &pass, place, &scores.0, &d_weights.0);
            }
        }
    }

    /// Adds a block's part of all three gradients.
    #[inline(always)]
    fn products<S: Lanes, C: Cells>(
        &mut self,
        s: S,
        (first, keys): (usize, usize),
        (start, end): (usize, usize),
        length: usize,
    ) {
        let scratch = &mut *self.scratch;
        let features = self.task.shape.head_dim;
        let full = whole_lines(features);
        let block = &scratch.block;
        let mut sums: Line<Tile> = Line([[0.0; COLUMNS]; ROWS]);
        // Queries with `ds` and output gradients with weights.
        for (i, cells) in [&block.along, &block.weights].into_iter().enumerate() {
            let left = Left::rows(cells, QUERIES / C::GROUP);
            let right = Right {
                cells: &scratch.features[i],
                k: whole_lines(length) / C::GROUP,
                columns: features,
            };
            let out = &mut scratch.sums[i];
            for column in starts::<S>(0..features, features) {
                for row in (0..keys).step_by(S::TALL) {
                    let from = (first + row).max(start);
                    let left = left.tile(row, (from - start) / C::GROUP);
                    let (from, to) = (from / C::GROUP, end / C::GROUP);
                    let (panel, count) = right.panel::<S>(column, from, to);
                    let out = (&mut out[row * full + column..], full);
                    add::<S, C>(s, left, panel, count, &mut sums.0, out);
                }
            }
        }
        let left = Left {
            cells: block.across::<C>(),
            tile_step: 1,
            row_step: 1,
            k_step: QUERIES,
        };
        let right = Right {
            cells: &scratch.keys,
            k: keys.div_ceil(C::GROUP),
            columns: features,
        };
        let out = &mut scratch.d_q;
        for query in (start..end).step_by(S::TALL) {
            let seen = keys.min(query + S::TALL - first).div_ceil(C::GROUP);
            let mut left = left.tile(query - start, 0);
            if S::TILED {
                let out = (&mut scratch.turned[..], TURNED);
                left = left.turn(s, S::TALL, 0..seen, out);
            }
            for column in starts::<S>(0..features, features) {
                let (panel, count) = right.panel::<S>(column, 0, seen);
                let out = (&mut out[query * full + column..], full);
                add::<S, C>(s, left, panel, count, &mut sums.0, out);
            }
        }
    }

    /// Writes the gradients of a block of keys.
    #[inline(always)]
    fn finish_keys<S: Lanes, C: Cells>(&mut self, s: S, d_out: Head, first: usize, keys: usize) {
        let (task, scratch) = (&self.task, &mut *self.scratch);
        let full = whole_lines(task.shape.head_dim);
        let statistics = &scratch.statistics.sums[..d_out.length];
        let values = (&mut scratch.sums[1][..keys * full], full);
        let pair = &mut scratch.pair;
        blind::add_gradient::<S, C>(s, task, statistics, d_out, first, pair, values);
        let rotary = [task.inputs.rotary, None];
        let outs = self.gradients[1..].iter().zip(rotary);
        for (sums, (out, rotary)) in scratch.sums.iter_mut().zip(outs) {
            for (i, row) in sums.chunks_exact_mut(full).take(keys).enumerate() {
                write::<S, C>(s, task, out, first + i, row, rotary);
            }
        }
    }
}

/// Adds a tile to the rows of `out`, `stride` apart. `sums` holds it meanwhile.
#[inline(always)]
fn add<S: Lanes, C: Cells>(
    s: S,
    left: Left,
    panel: &[u32],
    lines: usize,
    sums: &mut Tile,
    (out, stride): (&mut [f32], usize),
) {
    tile::<S, C>(s, left, panel, lines, sums);
    for (sums, out) in sums[..S::TALL].iter().zip(out.chunks_mut(stride)) {
        let out = out.as_chunks_mut().0[..lines].iter_mut();
        for (out, sums) in out.zip(sums.as_chunks().0) {
            s.store(s.add(s.load(out), s.load(sums)), out);
        }
    }
}

/// Writes a row of gradients as cells, times the scale of dropout and turned
/// back.
#[inline(always)]
fn write<S: Lanes, C: Cells>(
    s: S,
    task: &Task,
    (out, stride): &(SharedMut<u32>, usize),
    position: usize,
    row: &mut [f32],
    rotary: Option<&Rotary>,
) {
    if task.inputs.dropout.is_some() {
        let scale = s.splat(task.scale());
        for line in row.as_chunks_mut().0 {
            s.store(s.mul(s.load(line), scale), line);
        }
    }
    let row = &mut row[..task.shape.head_dim];
    if let Some(rotary) = rotary {
        rotary.turn_back(position, row);
    }
    // SAFETY: the cells of this task's head, which no other task writes.
    let out = unsafe { out.part(task.cell(*stride, position), task.width()) };
    C::along(s, row, out);
}
