//! Embeddings: a token's vector plus, where positions are learned, its
//! position's, and the way back.

use super::norm::add_row;
use crate::isa::Kernel;
use crate::lanes::{Lanes, WIDTH};
use crate::shared::SharedMut;
use crate::team::Team;

/// Columns that one task of the backward pass scatters.
const COLUMNS: usize = 64;
/// Tokens that one task of the forward pass looks up.
const TOKENS: usize = 256;
/// Tokens between asking for a vector and reading it.
const AHEAD: usize = 4;

/// `out[i] = table[ids[i]] + positions[i % length]`, without the second term
/// where there are no `positions`. `table` and `positions` are f32 `[_, dim]`,
/// `out` `[ids, dim]`. Panics when an id is not in the table.
pub fn embed(
    team: &mut Team,
    ids: &[u32],
    length: usize,
    table: &[f32],
    positions: Option<&[f32]>,
    dim: usize,
    out: &mut [f32],
) {
    assert_eq!(out.len(), ids.len() * dim, "out is not [ids, dim]");
    let shared = SharedMut::new(out);
    let isa = team.isa();
    team.run(ids.len().div_ceil(TOKENS), &|_, task| {
        let first = task * TOKENS;
        let ids = &ids[first..ids.len().min(first + TOKENS)];
        isa.run(Embed {
            ids,
            first,
            length,
            table,
            positions,
            dim,
            // SAFETY: one task for these tokens.
            out: unsafe { shared.part(first * dim, ids.len() * dim) },
        });
    });
}

/// Some tokens.
struct Embed<'a> {
    ids: &'a [u32],
    /// Which token the first is.
    first: usize,
    length: usize,
    table: &'a [f32],
    positions: Option<&'a [f32]>,
    dim: usize,
    out: &'a mut [f32],
}

impl Kernel for Embed<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        let dim = self.dim;
        for (i, out) in self.out.chunks_exact_mut(dim).enumerate() {
            // Tokens lie anywhere in the table.
            if let Some(later) = self.ids.get(i + AHEAD) {
                let vector = &self.table[*later as usize * dim..][..dim];
                for line in vector.chunks(WIDTH) {
                    s.prefetch(line.as_ptr());
                }
            }
            out.copy_from_slice(&self.table[self.ids[i] as usize * dim..][..dim]);
            if let Some(positions) = self.positions {
                let position = (self.first + i) % self.length;
                add_row(s, &positions[position * dim..][..dim], out);
            }
        }
    }
}

/// Adds the gradients of the tables, given that of the sum. Each task takes a
/// few columns of all tokens in order, so that tokens with the same id never
/// meet and the sum's order does not depend on the threads.
pub fn embed_backward(
    team: &mut Team,
    ids: &[u32],
    length: usize,
    d: &[f32],
    dim: usize,
    d_table: &mut [f32],
    d_positions: Option<&mut [f32]>,
) {
    assert_eq!(d.len(), ids.len() * dim, "d is not [ids, dim]");
    let (d_table, d_positions) = (SharedMut::new(d_table), d_positions.map(SharedMut::new));
    team.run(dim.div_ceil(COLUMNS), &|_, task| {
        let first = task * COLUMNS;
        let columns = COLUMNS.min(dim - first);
        for (i, (id, d)) in ids.iter().zip(d.chunks_exact(dim)).enumerate() {
            let d = &d[first..first + columns];
            // SAFETY: one task for these columns.
            let vector = unsafe { d_table.part(*id as usize * dim + first, columns) };
            vector.iter_mut().zip(d).for_each(|(sum, d)| *sum += d);
            if let Some(d_positions) = &d_positions {
                // SAFETY: as above; this is another table.
                let position = unsafe { d_positions.part(i % length * dim + first, columns) };
                position.iter_mut().zip(d).for_each(|(sum, d)| *sum += d);
            }
        }
    });
}
