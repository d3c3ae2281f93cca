//! Products of packed weights with rows of activations.
//!
//! `out[m, n] = sum over k of weights[n, k] input[m, k] + bias[n]`, and from
//! there SiLU, or added to what `out` holds.
//!
//! Loops, from the outside: tasks (runs of blocks, shared out among the threads),
//! blocks of 32 weight rows, tiles of activation rows, columns. Decoding has few
//! activation rows, so each weight is read from memory once and the order makes
//! that one stream. With many rows a block (32 KB at 512 f32 columns) stays in
//! the core's cache while all tiles pass by. Where tile registers multiply, it is a part of
//! 16 KB of a block that stays while 128 rows pass by, and each tile asks for its share of
//! the part after it, so that memory is asked for evenly.

use crate::activations::Activations;
use crate::elements::{Bf16, Element, F32, Int8, WideBf16};
use crate::exp::{silu, silu_coarse};
use crate::isa::{Isa, Kernel};
use crate::lanes::{Lanes, Next, WIDTH, load_part};
use crate::matrix::{Blocks, Matrix, Packed, WeightFormat};
use crate::shared::SharedMut;
use crate::team::{Tasks, Team};
use crate::tile::{BLOCK, Operands, ROWS, TILED_ROWS, most, multiply, tiled};
use std::ops::Range;

/// What becomes of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is the output.
    Store,
    /// `x / (1 + exp(-x))` of it is the output.
    Silu,
    /// It is added to the output.
    Add,
}

/// One product with its bias.
#[derive(Clone, Copy)]
pub struct Product<'a> {
    /// `[n, k]`.
    pub weights: &'a Matrix,
    /// `[n]`, or no bias.
    pub bias: Option<&'a [f32]>,
    /// At least as many rows as are asked for, of `k` values.
    pub input: &'a Activations,
    /// Where it goes.
    pub then: Then,
}

/// Products, one after the other, into one output, f32 `[rows, n]`.
pub struct Output<'a> {
    /// All with the same `n`.
    pub products: &'a [Product<'a>],
    /// f32 `[rows, n]`.
    pub out: &'a mut [f32],
}

/// Tasks a thread in a phase: enough to even out, few enough to stay streams.
const TASKS: usize = 4;

/// How many groups ahead weights are asked for: 8 KB, what memory gives a core in
/// the time that it takes to answer.
const AHEAD: usize = 64;

/// Rows that pass over a part of a block's weights, at most, where they are many.
const MANY: usize = 128;

/// Groups that are passed over together where registers do not hold the sums of all
/// `rows`: those that were fastest of 1 to 128 KB (`benchmarks/generate`). Short ones stay in
/// the first-level cache, long ones are fewer that begin and streams that go on for longer.
#[inline(always)]
fn part<E: Element>(rows: usize) -> usize {
    match E::FORMAT {
        _ if rows > ROWS => 128,
        WeightFormat::F32 if rows > 4 => 16,
        WeightFormat::F32 => 32,
        WeightFormat::Bf16 => 256,
        WeightFormat::Int8 => 64,
    }
}

/// An output whose runs of blocks are tasks.
pub struct Products<'a> {
    isa: Isa,
    rows: usize,
    products: &'a [Product<'a>],
    out: SharedMut<'a, f32>,
    width: usize,
    blocks: usize,
    /// Blocks of a task.
    run: usize,
}

impl<'a> Products<'a> {
    /// For the first `rows` rows of the inputs, by `team`. Panics where shapes or
    /// formats do not fit.
    pub fn new(team: &Team, rows: usize, output: Output<'a>) -> Self {
        let Output { products, out } = output;
        let width = products.first().map_or(0, |p| p.weights.rows());
        assert!(out.len() >= rows * width, "output too short");
        for product in products {
            let bias = product.bias.map_or(width, <[f32]>::len);
            assert_eq!(
                product.weights.columns(),
                product.input.columns(),
                "input of another width"
            );
            assert!(
                product.weights.rows() == width && bias == width,
                "outputs of unequal width"
            );
        }
        let blocks = width.div_ceil(BLOCK);
        Self {
            isa: team.isa(),
            rows,
            products,
            out: SharedMut::new(out),
            width,
            blocks,
            run: blocks.div_ceil(team.threads() * TASKS).max(1),
        }
    }
}

impl Tasks for Products<'_> {
    fn count(&self) -> usize {
        self.blocks.div_ceil(self.run)
    }

    fn run(&self, _: usize, index: usize) {
        let [first, end] = [index, index + 1].map(|at| (at * self.run).min(self.blocks));
        for (at, product) in self.products.iter().enumerate() {
            let next = self.products.get(at + 1);
            self.isa.run(Run {
                product,
                rows: self.rows,
                width: self.width,
                blocks: first..end,
                after: next.map(|product| product.weights.start(first)),
                out: &self.out,
            });
        }
    }
}

/// Computes an output in one phase of the team. Panics as [`Products::new`] does.
pub fn products(team: &mut Team, rows: usize, output: Output) {
    let products = Products::new(team, rows, output);
    team.run_all(&[&products]);
}

struct Run<'a> {
    product: &'a Product<'a>,
    rows: usize,
    width: usize,
    blocks: Range<usize>,
    /// What is read after the blocks, if not those that follow.
    after: Option<*const u8>,
    /// Only the columns of `blocks` are written.
    out: &'a SharedMut<'a, f32>,
}

impl Kernel for Run<'_> {
    type Output = ();
    fn tiled(&self) -> Option<usize> {
        let tiled = !matches!(self.product.weights.blocks(), Blocks::F32(_));
        tiled.then_some(self.rows.min(TILED_ROWS))
    }
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        match self.product.weights.blocks() {
            Blocks::F32(_) if S::TILED => unreachable!("f32 is not tiled"),
            Blocks::F32(packed) => self.blocks::<S, F32, _>(s, packed),
            Blocks::Bf16(packed) if S::WIDE => self.blocks::<S, WideBf16, _>(s, packed),
            Blocks::Bf16(packed) => self.blocks::<S, Bf16, _>(s, packed),
            Blocks::Int8(packed) => self.blocks::<S, Int8, _>(s, packed),
        }
    }
}

impl Run<'_> {
    /// Activations of the form `E` by weights of the same lines.
    #[inline(always)]
    fn blocks<S: Lanes, E: Element, W: Element<Line = E::Line>>(&self, s: S, packed: &Packed<W>) {
        if tiled::<S, E>() && self.rows > TILED_ROWS {
            self.walk::<S, E, W, MANY>(s, packed, MANY);
        } else {
            self.walk::<S, E, W, TILED_ROWS>(s, packed, most::<S, E>());
        }
    }

    /// Blocks by so many rows `together`, at most `ROOM`: all of them pass over one part of a
    /// block's weights before they do over the next.
    #[inline(always)]
    fn walk<S: Lanes, E: Element, W: Element<Line = E::Line>, const ROOM: usize>(
        &self,
        s: S,
        packed: &Packed<W>,
        together: usize,
    ) {
        let input = self.product.input;
        assert_eq!(input.format(), E::FORMAT, "input for another format");
        let (stride, x) = (input.stride() / E::WORDS, E::groups(input.words()));
        let piece = E::PIECE.div_ceil(E::GROUP).min(packed.groups);
        let pieces = packed.groups.div_ceil(piece);
        let end = self.blocks.end * packed.groups;
        let most = most::<S, E>();
        let mut sums = [[E::zero(s); 2]; ROOM];
        let mut values = [[s.splat(0.0); 2]; ROOM];
        for block in self.blocks.clone() {
            let lines = &packed.lines[block * packed.groups..][..packed.groups];
            let middles = &packed.middles[2 * block * pieces..][..2 * pieces];
            let column = block * BLOCK;
            let scales = &packed.scales[2 * block..][..2];
            let scales = [s.load(&scales[0]), s.load(&scales[1])];
            let bias = [self.bias(s, column), self.bias(s, column + WIDTH)];
            for first in (0..self.rows).step_by(together) {
                let rows = (self.rows - first).min(together);
                let tiled = tiled::<S, E>();
                let whole = rows <= most && (tiled || rows * E::registers::<S>() <= S::TILE);
                let (part, ahead) = match whole {
                    true => (piece, AHEAD),
                    false => [part::<E>(self.rows); 2].into(),
                };
                // Up to eight tiles pass over a part, of which each asks for an eighth of the next.
                let evenly = tiled && rows > 3 * most;
                for (index, lines) in lines.chunks(piece).enumerate() {
                    for (number, lines) in lines.chunks(part).enumerate() {
                        let from = index * piece + number * part;
                        let at = block * packed.groups + from + ahead;
                        let next = match self.after {
                            Some(after) if at >= end => {
                                after.cast::<[E::Line; 2]>().wrapping_add(at - end)
                            }
                            _ => packed.lines.as_ptr().wrapping_add(at),
                        };
                        for (tile, sums) in sums[..rows].chunks_mut(most).enumerate() {
                            let next = match (evenly, first + tile) {
                                (true, _) => {
                                    let from = tile * lines.len() / 8;
                                    Next::Eighth(next.wrapping_add(from).cast())
                                }
                                (false, 0) => Next::All(next.cast()),
                                _ => Next::Nothing,
                            };
                            let operands = Operands::<E> {
                                lines,
                                next,
                                x: &x[(first + tile * most) * stride + from..],
                                stride,
                            };
                            multiply(s, operands, number > 0, sums);
                        }
                    }
                    let last = index + 1 == pieces;
                    for row in 0..rows {
                        for half in 0..2 {
                            let middles = &middles[2 * index + half];
                            let mut value = E::value(s, sums[row][half], middles, 0);
                            if E::SCALED {
                                let scale = s.splat(input.scales(first + row)[index]);
                                value = match index {
                                    0 => s.mul(value, scale),
                                    _ => s.mul_add(value, scale, values[row][half]),
                                };
                            }
                            if !last {
                                values[row][half] = value;
                                continue;
                            }
                            if E::SCALED {
                                value = s.mul(value, scales[half]);
                            }
                            let column = column + half * WIDTH;
                            let value = s.add(value, bias[half]);
                            self.finish::<S, E>(s, first + row, column, value);
                        }
                    }
                }
            }
        }
    }

    /// The bias of the sixteen columns from `column` on.
    #[inline(always)]
    fn bias<S: Lanes>(&self, s: S, column: usize) -> S::F {
        let bias = self.product.bias.and_then(|bias| bias.get(column..));
        load_part(s, bias.unwrap_or_default())
    }

    /// What comes then, and the sixteen columns from `column` on.
    #[inline(always)]
    fn finish<S: Lanes, E: Element>(&self, s: S, row: usize, column: usize, value: S::F) {
        let columns = self.width.saturating_sub(column).min(WIDTH);
        // SAFETY: `column` is in a block of this task alone.
        let out = unsafe {
            self.out
                .part(row * self.width + column.min(self.width), columns)
        };
        if let Some(out) = out.first_chunk_mut() {
            let value = then::<S, E>(s, self.product.then, value, s.load(out));
            s.store(value, out);
        } else {
            let mut padded = [0.0; WIDTH];
            let value = then::<S, E>(s, self.product.then, value, load_part(s, out));
            s.store(value, &mut padded);
            out.copy_from_slice(&padded[..columns]);
        }
    }
}

#[inline(always)]
fn then<S: Lanes, E: Element>(s: S, then: Then, value: S::F, old: S::F) -> S::F {
    match then {
        Then::Store => value,
        // What is rounded next need not be finer.
        Then::Silu if E::FORMAT != WeightFormat::F32 => silu_coarse(s, value),
        Then::Silu => silu(s, value),
        Then::Add => s.add(old, value),
    }
}
