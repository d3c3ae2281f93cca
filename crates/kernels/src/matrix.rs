//! Weight matrices, packed once for every later product.
//!
//! A matrix `[rows, columns]` is cut into blocks of 32 rows. In a block the
//! columns follow one another, each group of them as two lines of sixteen rows
//! (see [`crate::elements`]). So a product reads the weights from the first byte
//! to the last, one stream a thread, in whole cache lines, and sixteen rows are
//! summed side by side without any sum across lanes; the same layout serves one
//! row of activations and hundreds. Rows and columns that are missing in the
//! last block and group are zeros.

use crate::elements::{Bf16, Direct, Element, F32, Int8, Line};
use crate::shared::SharedMut;
use crate::team::Team;
use crate::tile::BLOCK;

/// How weights are kept and multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightFormat {
    /// f32 by f32.
    F32,
    /// bf16 by bf16, sums in f32.
    Bf16,
    /// Eight-bit integers with a scale a row, by sixteen-bit integers with a
    /// scale a row of activations; sums in integers.
    Int8,
}

/// Blocks of one element type.
pub(crate) struct Packed<E: Element> {
    /// `[blocks, groups]`.
    pub(crate) lines: Vec<[E::Line; 2]>,
    /// One a row, in lines of sixteen; see [`Element::value`].
    pub(crate) offsets: Vec<[i32; 16]>,
    /// One a row, in lines of sixteen; 1 where the format has none.
    pub(crate) scales: Vec<[f32; 16]>,
    /// Groups in a block.
    pub(crate) groups: usize,
}

pub(crate) enum Blocks {
    F32(Packed<F32>),
    Bf16(Packed<Bf16>),
    Int8(Packed<Int8>),
}

/// A packed weight matrix.
pub struct Matrix {
    rows: usize,
    columns: usize,
    blocks: Blocks,
}

impl Matrix {
    /// Packs `weights`, f32 `[rows, columns]` row by row.
    pub fn pack(
        team: &mut Team,
        format: WeightFormat,
        weights: &[f32],
        rows: usize,
        columns: usize,
    ) -> Self {
        assert_eq!(
            weights.len(),
            rows * columns,
            "weights are not rows x columns"
        );
        let blocks = match format {
            WeightFormat::F32 => Blocks::F32(pack(team, weights, rows, columns, put_direct::<F32>)),
            WeightFormat::Bf16 => {
                Blocks::Bf16(pack(team, weights, rows, columns, put_direct::<Bf16>))
            }
            WeightFormat::Int8 => Blocks::Int8(pack(team, weights, rows, columns, put_int8)),
        };
        Self {
            rows,
            columns,
            blocks,
        }
    }

    /// Outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes that a product reads.
    pub fn bytes(&self) -> usize {
        let lines = match &self.blocks {
            Blocks::F32(packed) => packed.lines.len(),
            Blocks::Bf16(packed) => packed.lines.len(),
            Blocks::Int8(packed) => packed.lines.len(),
        };
        lines * 128
    }

    pub(crate) fn blocks(&self) -> &Blocks {
        &self.blocks
    }
}

/// Writes one row of a block (its lines, which of the two, the lane, the values)
/// and gives the row's offset and scale.
type Put<E> = fn(&mut [[<E as Element>::Line; 2]], usize, usize, &[f32]) -> (i32, f32);

/// Packs block by block.
fn pack<E: Element>(
    team: &mut Team,
    weights: &[f32],
    rows: usize,
    columns: usize,
    put: Put<E>,
) -> Packed<E> {
    let groups = columns.div_ceil(E::GROUP);
    let blocks = rows.div_ceil(BLOCK);
    let mut lines = vec![[E::ZERO; 2]; blocks * groups];
    let mut offsets = vec![[0; 16]; blocks * 2];
    let mut scales = vec![[1.0; 16]; blocks * 2];
    let shared = (
        SharedMut::new(&mut lines),
        SharedMut::new(&mut offsets),
        SharedMut::new(&mut scales),
    );
    team.run(blocks, &|_, block| {
        // SAFETY: one task a block.
        let (lines, offsets, scales) = unsafe {
            (
                shared.0.part(block * groups, groups),
                shared.1.part(block * 2, 2),
                shared.2.part(block * 2, 2),
            )
        };
        let first = block * BLOCK;
        for row in first..rows.min(first + BLOCK) {
            let (half, lane) = ((row - first) / 16, row % 16);
            let values = &weights[row * columns..][..columns];
            (offsets[half][lane], scales[half][lane]) = put(lines, half, lane, values);
        }
    });
    Packed {
        lines,
        offsets,
        scales,
        groups,
    }
}

fn put_direct<E: Direct>(
    lines: &mut [[E::Line; 2]],
    half: usize,
    lane: usize,
    row: &[f32],
) -> (i32, f32) {
    for (line, values) in lines.iter_mut().zip(row.chunks(E::GROUP)) {
        for (column, value) in values.iter().enumerate() {
            E::put(&mut line[half], lane, column, *value);
        }
    }
    (0, 1.0)
}

/// Symmetric: the largest magnitude becomes 127.
fn put_int8(
    lines: &mut [[Line<[i8; 64]>; 2]],
    half: usize,
    lane: usize,
    row: &[f32],
) -> (i32, f32) {
    let largest = row.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    if largest == 0.0 {
        return (0, 0.0);
    }
    let (mut sum, scale) = (0, 127.0 / largest);
    for (line, values) in lines.iter_mut().zip(row.chunks(4)) {
        for (column, value) in values.iter().enumerate() {
            // Adding 1.5 * 2^23 leaves the rounded integer in the low bits.
            let integer = (value * scale + 12_582_912.0).to_bits() as i8;
            line[half].0[4 * lane + column] = integer;
            sum += i32::from(integer);
        }
    }
    (128 * sum, largest / 127.0)
}
