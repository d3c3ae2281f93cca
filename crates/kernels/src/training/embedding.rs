//! Embeddings: a token's vector plus, where positions are learned, its
//! position's, and the way back.

use crate::shared::SharedMut;
use crate::team::Team;

/// Columns that one task of the backward pass scatters.
const COLUMNS: usize = 64;
/// Tokens that one task of the forward pass looks up.
const TOKENS: usize = 256;

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
    team.run(ids.len().div_ceil(TOKENS), &|_, task| {
        let first = task * TOKENS;
        let ids = &ids[first..ids.len().min(first + TOKENS)];
        // SAFETY: one task for these tokens.
        let out = unsafe { shared.part(first * dim, ids.len() * dim) };
        for ((i, id), out) in ids.iter().enumerate().zip(out.chunks_exact_mut(dim)) {
            out.copy_from_slice(&table[*id as usize * dim..][..dim]);
            if let Some(positions) = positions {
                let position = &positions[(first + i) % length * dim..][..dim];
                out.iter_mut().zip(position).for_each(|(out, b)| *out += b);
            }
        }
    });
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
