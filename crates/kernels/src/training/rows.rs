//! Rows of cells: activations that are a left operand as they lie.

use super::attention;
use super::cells::Layout;
use crate::lanes::WIDTH;
use crate::memory::{Piece, Pool};

/// Rows of values, `k` running along each row.
pub struct Rows {
    layout: Layout,
    values: usize,
    stride: usize,
    cells: Piece<u32>,
}

impl Rows {
    /// Zeros, `rows` rows of `values` values. There is room behind the last row
    /// for the tile that reaches past it. Rows are a cache line further apart
    /// than they are long: rows a power of two apart would fall on the same few
    /// places of the cache.
    pub(crate) fn new(pool: &mut Pool, layout: Layout, rows: usize, values: usize) -> Self {
        let stride = layout.cells(values).next_multiple_of(WIDTH) + WIDTH;
        Self {
            layout,
            values,
            stride,
            cells: pool.take(rows.next_multiple_of(WIDTH) * stride),
        }
    }

    /// Cells from one row to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Values in a row.
    pub fn values(&self) -> usize {
        self.values
    }

    /// How the values lie.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// All cells.
    pub fn cells(&self) -> &[u32] {
        &self.cells
    }

    /// As attention reads them.
    pub(crate) fn view(&self) -> attention::Rows<'_> {
        attention::Rows {
            cells: &self.cells,
            stride: self.stride,
        }
    }

    /// As attention writes them.
    pub(crate) fn view_mut(&mut self) -> attention::RowsMut<'_> {
        attention::RowsMut {
            cells: &mut self.cells,
            stride: self.stride,
        }
    }

    /// All cells.
    pub fn cells_mut(&mut self) -> &mut [u32] {
        &mut self.cells
    }
}
