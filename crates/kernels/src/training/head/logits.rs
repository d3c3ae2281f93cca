//! The logits of tokens, without a loss.

use super::{BLOCK, Head, HeadScratch};
use crate::lanes::Lanes;
use crate::norm::Statistics;
use crate::shared::SharedMut;
use crate::team::Team;
use crate::training::cells::{CellKernel, Cells, With};
use crate::training::norm::norm_rows;
use crate::training::product::product;
use crate::training::rows::Rows;
use crate::training::sinks::Logits;
use crate::training::tile::Left;

/// The logits of rows of `x`, f32 `[rows, vocab_size]`.
#[inline(always)]
pub(super) fn logits_of<S: Lanes, C: Cells>(
    s: S,
    head: &Head,
    x: &[f32],
    statistics: &mut [Statistics],
    narrow: &mut Rows,
    logits: &mut [f32],
) {
    let dim = head.norm.weight.len();
    for (statistics, x) in statistics.iter_mut().zip(x.chunks_exact(dim)) {
        *statistics = Statistics::of(s, x);
    }
    norm_rows::<S, C>(s, x, statistics, head.norm, narrow);
    let rows = x.len() / dim;
    let left = Left::rows(narrow.cells(), narrow.stride());
    let right = head.matrix.forward();
    let mut sink = Logits {
        out: logits,
        columns: right.columns,
        bias: head.bias,
    };
    product::<S, C>(
        s,
        left,
        rows,
        right,
        0..right.columns,
        0..right.k,
        &mut sink,
    );
}

/// Puts `take(token, logits)` of each token into `out`. `x` is f32
/// `[tokens, dim]`.
pub fn each_logits<T: Send>(
    team: &mut Team,
    scratch: &mut HeadScratch,
    head: &Head,
    x: &[f32],
    out: &mut [T],
    take: impl Fn(usize, &[f32]) -> T + Sync,
) {
    let (dim, vocab_size, layout) = (scratch.dim, scratch.vocab_size, scratch.layout);
    let isa = team.isa();
    let desks = SharedMut::new(&mut scratch.desks);
    let count = out.len();
    assert_eq!(x.len(), count * dim, "x is not [tokens, dim]");
    let out = SharedMut::new(out);
    team.run(count.div_ceil(BLOCK), &|thread, index| {
        let tokens = index * BLOCK..count.min((index + 1) * BLOCK);
        // SAFETY: one running task a thread, one task a block of tokens.
        let (desk, out) = unsafe {
            (
                &mut desks.part(thread, 1)[0],
                out.part(tokens.start, tokens.len()),
            )
        };
        let logits = &mut desk.logits[..tokens.len() * vocab_size];
        let x = &x[tokens.start * dim..tokens.end * dim];
        isa.run(With(
            layout,
            LogitsOf {
                head,
                x,
                statistics: &mut desk.statistics,
                narrow: &mut desk.narrow,
                logits,
            },
        ));
        let logits = logits.chunks_exact(vocab_size);
        for ((token, logits), out) in tokens.zip(logits).zip(out) {
            *out = take(token, logits);
        }
    });
}

struct LogitsOf<'a> {
    head: &'a Head<'a>,
    x: &'a [f32],
    statistics: &'a mut [Statistics],
    narrow: &'a mut Rows,
    logits: &'a mut [f32],
}

impl CellKernel for LogitsOf<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(self, s: S) {
        let statistics = self.statistics;
        logits_of::<S, C>(s, self.head, self.x, statistics, self.narrow, self.logits);
    }
}
