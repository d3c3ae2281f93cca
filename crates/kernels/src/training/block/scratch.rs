//! Memory of the block's passes, taken once.

use super::weight_gradients::Turned;
use super::{Tokens, Widths};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::shared::SharedMut;
use crate::team::Team;
use crate::training::attention;
use crate::training::cells::Layout;
use crate::training::over_tokens::{OverTokens, Side};
use crate::training::rows::Rows;
use crate::training::tile::ROWS;

/// Tokens that a task takes through a phase at a time, at most: their activations
/// fit the second-level cache beside a panel of weights.
const BLOCK: usize = 64;

/// The tokens of a block: whole tiles of either height, as a low one at the end takes
/// longer than its share of a high one.
struct BlockOfTiles(Layout);

impl Kernel for BlockOfTiles {
    type Output = usize;
    fn tiled(&self) -> Option<usize> {
        (self.0 == Layout::Pairs).then_some(ROWS)
    }
    #[inline(always)]
    fn run<S: Lanes>(self, _: S) -> usize {
        let tiles = match S::TALL.is_multiple_of(S::HEIGHT) {
            true => S::TALL,
            false => S::TALL * S::HEIGHT / 2,
        };
        BLOCK / tiles * tiles
    }
}

/// What a thread works on: one block of tokens.
pub(crate) struct Desk {
    /// f32 `[block, dim]`.
    pub(crate) wide: Vec<f32>,
    pub(crate) narrow: Rows,
    pub(crate) hidden: Rows,
}

/// Memory that all layers share.
pub struct Scratch {
    /// Tokens that a task takes through a phase at a time.
    pub(crate) block: usize,
    pub(crate) layout: Layout,
    pub(crate) widths: Widths,
    pub(crate) desks: Vec<Desk>,
    pub(crate) attention: attention::Scratch,
    pub(crate) backward: Option<Backward>,
}

/// What the backward pass needs beside.
pub(crate) struct Backward {
    /// Gradients in rows: of attention's output, queries, keys and values.
    pub(crate) d_attended: Rows,
    pub(crate) d_query: Rows,
    pub(crate) d_key: Rows,
    pub(crate) d_value: Rows,
    /// Left operands: gradients of the layer's output, the hidden layer and
    /// query, key and value.
    pub(crate) d_out: OverTokens,
    pub(crate) d_hidden: OverTokens,
    pub(crate) d_projections: [OverTokens; 3],
    /// Right operands: what went into attention, the MLP, attention's output
    /// matrix and the MLP's second matrix.
    pub(crate) normed1: OverTokens,
    pub(crate) normed2: OverTokens,
    pub(crate) attended: OverTokens,
    pub(crate) active: OverTokens,
    /// Of the gradients of matrices.
    pub(crate) turned: Turned,
    /// Each block's share of the gradients of vectors.
    pub(crate) parts: Vec<f32>,
}

impl Scratch {
    /// Memory for micro batches of up to `tokens`, computed by `threads`
    /// threads.
    pub fn new(
        team: &mut Team,
        layout: Layout,
        widths: Widths,
        tokens: Tokens,
        backward: bool,
    ) -> Self {
        let (threads, block) = (team.threads(), team.isa().run(BlockOfTiles(layout)));
        let turned = backward.then(|| Turned::new(team, layout));
        let pool = team.pool();
        let Widths { dim, hidden, .. } = widths;
        let mut desk = || Desk {
            wide: vec![0.0; block * dim],
            narrow: Rows::new(pool, layout, block, dim),
            hidden: Rows::new(pool, layout, block, hidden),
        };
        let desks = (0..threads).map(|_| desk()).collect();
        let count = tokens.count();
        let backward = turned.map(|turned| {
            let mut rows = || Rows::new(pool, layout, count, dim);
            let (d_attended, d_query, d_key, d_value) = (rows(), rows(), rows(), rows());
            let mut over = |side, features| OverTokens::new(pool, side, layout, features, count);
            Backward {
                d_attended,
                d_query,
                d_key,
                d_value,
                d_out: over(Side::Left, dim),
                d_hidden: over(Side::Left, hidden),
                d_projections: [(); 3].map(|()| over(Side::Left, dim)),
                normed1: over(Side::Right, dim),
                normed2: over(Side::Right, dim),
                attended: over(Side::Right, dim),
                active: over(Side::Right, hidden),
                turned,
                parts: vec![0.0; count.div_ceil(block) * (3 * dim + hidden)],
            }
        });
        Self {
            block,
            layout,
            widths,
            desks,
            attention: attention::Scratch::new(layout, tokens.length, widths.head_dim, threads),
            backward,
        }
    }
}

/// Adds the parts of a sum, each `width` long, to `outs`, which lie one after
/// another in a part.
pub(crate) fn sum_parts(team: &mut Team, parts: &[f32], width: usize, outs: &mut [&mut [f32]]) {
    let mut from = 0;
    for out in outs {
        let length = out.len();
        let shared = SharedMut::new(out);
        const COLUMNS: usize = 256;
        team.run(length.div_ceil(COLUMNS), &|_, task| {
            let first = task * COLUMNS;
            let count = COLUMNS.min(length - first);
            // SAFETY: one task for these columns.
            let out = unsafe { shared.part(first, count) };
            for part in parts.chunks_exact(width) {
                let part = &part[from + first..][..count];
                for (out, part) in out.iter_mut().zip(part) {
                    *out += part;
                }
            }
        });
        from += length;
    }
}
