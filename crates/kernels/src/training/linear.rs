//! The weights of a linear layer, packed for both passes.

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
        let depths = (layout.cells(inputs), layout.cells(outputs));
        let panels = outputs.div_ceil(COLUMNS);
        let forward = SharedMut::new(&mut self.forward);
        let both = match self.backward.is_empty() {
            true => panels,
            false => panels + inputs.div_ceil(COLUMNS),
        };
        let backward = SharedMut::new(&mut self.backward);
        // A task packs 48 columns: one panel or several, after the instruction set.
        team.run(both, &|_, task| {
            let (transposed, first, columns, depth) = match task < panels {
                true => (true, task * COLUMNS, outputs, depths.0),
                false => (false, (task - panels) * COLUMNS, inputs, depths.1),
            };
            let out = if transposed { &forward } else { &backward };
            isa.run(With(
                layout,
                Pack {
                    weights,
                    inputs,
                    scale,
                    transposed,
                    part: first..columns.min(first + COLUMNS),
                    columns,
                    depth,
                    out,
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

/// Packs the panels of a part of the columns.
struct Pack<'a> {
    weights: &'a [f32],
    inputs: usize,
    scale: f32,
    transposed: bool,
    part: std::ops::Range<usize>,
    columns: usize,
    depth: usize,
    /// Only the panels of `part` are written.
    out: &'a SharedMut<'a, u32>,
}

impl CellKernel for Pack<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(self, s: S) {
        for column in starts::<S>(self.part, self.columns) {
            let width = lines::<S>(column, self.columns) * WIDTH;
            // SAFETY: one task for each 48 columns, and each panel begins in one.
            let out = unsafe { self.out.part(column * self.depth, width * self.depth) };
            if self.transposed {
                pack_transposed::<S, C>(s, self.weights, self.inputs, self.scale, column, out);
            } else {
                pack_across::<S, C>(s, self.weights, self.inputs, self.scale, column, out);
            }
        }
    }
}
