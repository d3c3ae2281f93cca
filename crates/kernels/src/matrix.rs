//! Weight matrices, packed once for every later product.
//!
//! A matrix `[rows, columns]` is cut into blocks of 32 rows. In a block the
//! columns follow one another, each group of them as two lines of sixteen rows
//! (see [`crate::elements`]). So a product reads the weights from the first byte
//! to the last, one stream a thread, in whole cache lines, and sixteen rows are
//! summed side by side without any sum across lanes; the same layout serves one
//! row of activations and hundreds. Rows and columns that are missing in the
//! last block and group are zeros.

use crate::elements::{Bf16, Element, F32, Int8, put_row};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::memory::Piece;
use crate::shared::SharedMut;
use crate::team::Team;
use crate::tile::BLOCK;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

/// How weights are kept and multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightFormat {
    /// f32 by f32.
    F32,
    /// bf16 by bf16, sums in f32.
    Bf16,
    /// Eight-bit integers with a scale a row, by eight-bit integers with a scale
    /// for every 256 columns of activations; sums in integers. Cached keys and
    /// values by sixteen-bit integers.
    Int8,
}

/// Blocks of one element type.
pub(crate) struct Packed<E: Element> {
    /// `[blocks, groups]`.
    pub(crate) lines: Piece<[E::Line; 2]>,
    /// One a row and piece, `[blocks, pieces, 2]` lines of sixteen; see
    /// [`Element::value`].
    pub(crate) middles: Vec<[i32; 16]>,
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
        let read = |row: usize, out: &mut [f32]| -> Result<(), Infallible> {
            out.copy_from_slice(&weights[row * columns..][..out.len()]);
            Ok(())
        };
        let Ok(matrix) = Self::pack_from(team, format, rows, columns, read);
        matrix
    }

    /// Packs f32 `[rows, columns]`, of which `read(row, out)` writes whole rows
    /// from `row` on into `out`; several threads call it at the same time.
    ///
    /// # Errors
    /// One that `read` gave.
    pub fn pack_from<X: Send>(
        team: &mut Team,
        format: WeightFormat,
        rows: usize,
        columns: usize,
        read: impl Fn(usize, &mut [f32]) -> Result<(), X> + Sync,
    ) -> Result<Self, X> {
        let blocks = match format {
            WeightFormat::F32 => Blocks::F32(pack(team, rows, columns, read)?),
            WeightFormat::Bf16 => Blocks::Bf16(pack(team, rows, columns, read)?),
            WeightFormat::Int8 => Blocks::Int8(pack(team, rows, columns, read)?),
        };
        Ok(Self {
            rows,
            columns,
            blocks,
        })
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

    /// Where a block begins, to be asked for.
    pub(crate) fn start(&self, block: usize) -> *const u8 {
        fn start<E: Element>(packed: &Packed<E>, block: usize) -> *const u8 {
            packed
                .lines
                .as_ptr()
                .wrapping_add(block * packed.groups)
                .cast()
        }
        match &self.blocks {
            Blocks::F32(packed) => start(packed, block),
            Blocks::Bf16(packed) => start(packed, block),
            Blocks::Int8(packed) => start(packed, block),
        }
    }

    pub(crate) fn blocks(&self) -> &Blocks {
        &self.blocks
    }
}

/// Packs block by block. Memory comes when it is written, so the threads share
/// that work too.
fn pack<E: Element, X: Send>(
    team: &mut Team,
    rows: usize,
    columns: usize,
    read: impl Fn(usize, &mut [f32]) -> Result<(), X> + Sync,
) -> Result<Packed<E>, X> {
    let isa = team.isa();
    let groups = columns.div_ceil(E::GROUP);
    let blocks = rows.div_ceil(BLOCK);
    let mut lines = team.pool().take(blocks * groups);
    let pieces = columns.div_ceil(E::PIECE);
    let mut middles = vec![[0; 16]; blocks * pieces * 2];
    let mut scales = vec![[1.0; 16]; blocks * 2];
    let mut scratch = vec![0.0; team.threads() * BLOCK * columns];
    let failed = Mutex::new(None);
    let shared = (
        SharedMut::new(&mut lines),
        SharedMut::new(&mut middles),
        SharedMut::new(&mut scales),
        SharedMut::new(&mut scratch),
    );
    team.run(blocks, &|thread, block| {
        // SAFETY: one task a block; scratch is by thread, of which no two tasks
        // run at once.
        let (lines, middles, scales, values) = unsafe {
            (
                shared.0.part(block * groups, groups),
                shared.1.part(block * pieces * 2, pieces * 2),
                shared.2.part(block * 2, 2),
                shared.3.part(thread * BLOCK * columns, BLOCK * columns),
            )
        };
        let first = block * BLOCK;
        let values = &mut values[..(rows - first).min(BLOCK) * columns];
        if let Err(error) = read(first, values) {
            failed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(error);
            return;
        }
        isa.run(PackBlock::<E> {
            values,
            columns,
            lines,
            middles,
            scales,
        });
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.map_or(Ok(()), Err)?;
    Ok(Packed {
        lines,
        middles,
        scales,
        groups,
    })
}

/// Packs the rows of one block.
struct PackBlock<'a, E: Element> {
    /// Row by row.
    values: &'a [f32],
    columns: usize,
    lines: &'a mut [[E::Line; 2]],
    middles: &'a mut [[i32; 16]],
    scales: &'a mut [[f32; 16]],
}

impl<E: Element> Kernel for PackBlock<'_, E> {
    type Output = ();
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        for (row, values) in self.values.chunks(self.columns.max(1)).enumerate() {
            let (half, lane) = (row / 16, row % 16);
            let middle = |piece: usize, middle| self.middles[2 * piece + half][lane] = middle;
            let scale = E::scale(s, values);
            put_row::<S, E>(s, self.lines, half, lane, values, scale, middle);
            self.scales[half][lane] = scale;
        }
    }
}
