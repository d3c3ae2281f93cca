//! The weights of a linear layer, packed for both passes.

use std::ops::Range;

use super::cells::{CellKernel, Cells, Layout, With};
use super::panels::{Right, lines, pack_across, pack_transposed, right_len, starts};
use super::tile::COLUMNS;
use crate::lanes::{Lanes, WIDTH};
use crate::memory::Piece;
use crate::shared::SharedMut;
use crate::team::Team;

/// A weight matrix `[outputs, inputs]`, as right operand of `y = x W^T` and of
/// `d_x = d_y W`. It is packed once a step and serves every micro batch.
pub struct Linear {
    layout: Layout,
    outputs: usize,
    inputs: usize,
    forward: Piece<u32>,
    backward: Piece<u32>,
}

impl Linear {
    /// Room for a matrix. `backward` says whether there will be a backward pass.
    pub fn new(
        team: &mut Team,
        layout: Layout,
        outputs: usize,
        inputs: usize,
        backward: bool,
    ) -> Self {
        let backward = match backward {
            true => right_len(layout.cells(outputs), inputs),
            false => 0,
        };
        Self {
            layout,
            outputs,
            inputs,
            forward: team.pool().take(right_len(layout.cells(inputs), outputs)),
            backward: team.pool().take(backward),
        }
    }

    /// Packs `weights`, f32 `[outputs, inputs]` row by row, times `scale`.
    pub fn pack(&mut self, team: &mut Team, weights: &[f32], scale: f32) {
        assert_eq!(weights.len(), self.outputs * self.inputs, "another shape");
        let (isa, layout) = (team.isa(), self.layout);
        let (outputs, inputs) = (self.outputs, self.inputs);
        let depths = [layout.cells(inputs), layout.cells(outputs)];
        let packed = [&mut self.forward, &mut self.backward].map(|cells| SharedMut::new(cells));
        // A task takes 48 rows, which are read from memory once: the columns of one
        // operand, one panel or several after the instruction set, and a part along
        // `k` of all panels of the other.
        team.run(outputs.div_ceil(COLUMNS), &|_, task| {
            let first = task * COLUMNS;
            isa.run(With(
                layout,
                Pack {
                    weights,
                    inputs,
                    scale,
                    rows: first..outputs.min(first + COLUMNS),
                    depths,
                    packed: &packed,
                },
            ));
        });
    }

    /// The operand of the forward pass.
    pub(crate) fn forward(&self) -> Right<'_> {
        Right {
            cells: &self.forward,
            k: self.layout.cells(self.inputs),
            columns: self.outputs,
        }
    }

    /// The operand of the backward pass.
    pub(crate) fn backward(&self) -> Right<'_> {
        Right {
            cells: &self.backward,
            k: self.layout.cells(self.outputs),
            columns: self.inputs,
        }
    }
}

/// Packs some rows.
struct Pack<'a> {
    weights: &'a [f32],
    inputs: usize,
    scale: f32,
    rows: Range<usize>,
    /// Cells along `k` of the forward pass's operand and the backward pass's.
    depths: [usize; 2],
    /// Both operands; of the second, nothing where it has no room.
    packed: &'a [SharedMut<'a, u32>; 2],
}

impl CellKernel for Pack<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(self, s: S) {
        let (inputs, [forward, backward]) = (self.inputs, self.packed);
        let outputs = self.weights.len() / inputs;
        for column in starts::<S>(self.rows.clone(), outputs) {
            let width = lines::<S>(column, outputs) * WIDTH;
            let depth = self.depths[0];
            // SAFETY: one task for these rows, and each panel begins in one.
            let out = unsafe { forward.part(column * depth, width * depth) };
            pack_transposed::<S, C>(s, self.weights, inputs, self.scale, column, out);
        }
        if backward.is_empty() {
            return;
        }
        let rows = &self.weights[self.rows.start * inputs..self.rows.end * inputs];
        let cells = self.rows.start / C::GROUP..self.rows.end.div_ceil(C::GROUP);
        for column in starts::<S>(0..inputs, inputs) {
            let width = lines::<S>(column, inputs) * WIDTH;
            let from = column * self.depths[1] + cells.start * width;
            // SAFETY: one task for these rows, which are whole cells.
            let out = unsafe { backward.part(from, cells.len() * width) };
            pack_across::<S, C>(s, rows, inputs, self.scale, column, out);
        }
    }
}
