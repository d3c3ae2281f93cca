//! Products of packed weights with rows of activations.
//!
//! `out[m, n] = sum over k of weights[n, k] input[m, k] + bias[n]`, and from
//! there SiLU, or added to what `out` holds.
//!
//! Loops, from the outside: tasks (runs of blocks, shared out among the threads),
//! blocks of 32 weight rows, tiles of activation rows, columns. Decoding has few
//! activation rows, so each weight is read from memory once and the order makes
//! that one stream. With many rows a block (32 KB at 512 f32 columns) stays in
//! the core's cache while all tiles pass by.

use crate::activations::Activations;
use crate::elements::Element;
use crate::exp::silu;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::matrix::{Blocks, Matrix, Packed};
use crate::shared::SharedMut;
use crate::team::Team;
use crate::tile::{BLOCK, Sink, block_product};
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

/// Computes all outputs in one phase of the team, for the first `rows` rows of
/// the inputs. Panics where shapes or formats do not fit.
pub fn products<const N: usize>(team: &mut Team, rows: usize, outputs: [Output; N]) {
    let widths = outputs.each_ref().map(|output| {
        let width = output.products.first().map_or(0, |p| p.weights.rows());
        assert!(output.out.len() >= rows * width, "output too short");
        for product in output.products {
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
        width
    });
    let blocks = widths.map(|width| width.div_ceil(BLOCK));
    let run = blocks
        .iter()
        .sum::<usize>()
        .div_ceil(team.threads() * TASKS)
        .max(1);
    let tasks = blocks.map(|blocks| blocks.div_ceil(run));
    let outputs = outputs.map(|output| (output.products, SharedMut::new(output.out)));
    let isa = team.isa();
    team.run(tasks.iter().sum(), &|_, mut task| {
        for (index, (products, out)) in outputs.iter().enumerate() {
            if task >= tasks[index] {
                task -= tasks[index];
                continue;
            }
            let blocks = task * run..blocks[index].min((task + 1) * run);
            for product in *products {
                let (width, blocks) = (widths[index], blocks.clone());
                isa.run(Run {
                    product,
                    rows,
                    width,
                    blocks,
                    out,
                });
            }
            return;
        }
    });
}

struct Run<'a> {
    product: &'a Product<'a>,
    rows: usize,
    width: usize,
    blocks: Range<usize>,
    /// Only the columns of `blocks` are written.
    out: &'a SharedMut<'a, f32>,
}

impl Kernel for Run<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        match self.product.weights.blocks() {
            Blocks::F32(packed) => self.blocks(s, packed),
            Blocks::Bf16(packed) => self.blocks(s, packed),
            Blocks::Int8(packed) => self.blocks(s, packed),
        }
    }
}

impl Run<'_> {
    #[inline(always)]
    fn blocks<S: Lanes, E: Element>(&self, s: S, packed: &Packed<E>) {
        let input = self.product.input;
        assert_eq!(input.format(), E::FORMAT, "input for another format");
        let (stride, x) = (input.stride() / E::WORDS, E::groups(input.words()));
        for block in self.blocks.clone() {
            let lines = &packed.lines[block * packed.groups..][..packed.groups];
            let mut finish = Finish {
                s,
                run: self,
                packed,
                block,
            };
            block_product::<S, E>(s, lines, x, stride, self.rows, &mut finish);
        }
    }

    /// Bias, what comes then, and the sixteen columns from `column` on.
    #[inline(always)]
    fn finish<S: Lanes>(&self, s: S, row: usize, column: usize, value: S::F) {
        let columns = self.width.saturating_sub(column).min(16);
        // SAFETY: `column` is in a block of this task alone.
        let out = unsafe {
            self.out
                .part(row * self.width + column.min(self.width), columns)
        };
        let bias = match self.product.bias {
            Some(bias) => &bias[column.min(self.width)..][..columns],
            None => &[0.0; 16][..columns],
        };
        if let (Some(bias), Some(out)) = (bias.first_chunk(), out.first_chunk_mut()) {
            let value = s.add(value, s.load(bias));
            s.store(then(s, self.product.then, value, s.load(out)), out);
        } else {
            let (mut padded, mut old) = ([0.0; 16], [0.0; 16]);
            padded[..columns].copy_from_slice(bias);
            old[..columns].copy_from_slice(out);
            let value = s.add(value, s.load(&padded));
            s.store(then(s, self.product.then, value, s.load(&old)), &mut padded);
            out.copy_from_slice(&padded[..columns]);
        }
    }
}

/// Scales the sums of one block and finishes them.
struct Finish<'a, S, E: Element> {
    s: S,
    run: &'a Run<'a>,
    packed: &'a Packed<E>,
    block: usize,
}

impl<S: Lanes, E: Element> Sink<S, E> for Finish<'_, S, E> {
    #[inline(always)]
    fn take(&mut self, row: usize, half: usize, sum: E::Sum<S>) {
        let (s, line) = (self.s, 2 * self.block + half);
        let value = E::value(s, sum, &self.packed.offsets[line]);
        let scale = s.splat(self.run.product.input.scales()[row]);
        let scale = s.mul(s.load(&self.packed.scales[line]), scale);
        self.run.finish(s, row, 16 * line, s.mul(value, scale));
    }
}

#[inline(always)]
fn then<S: Lanes>(s: S, then: Then, value: S::F, old: S::F) -> S::F {
    match then {
        Then::Store => value,
        Then::Silu => silu(s, value),
        Then::Add => s.add(old, value),
    }
}
