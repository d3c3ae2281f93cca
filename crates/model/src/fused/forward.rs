//! The forward pass, and the scores of a batch.

use kernels::training::block;
use kernels::training::embedding::embed;
use kernels::training::head::each_logits;

use super::parts::Parts;
use super::{Fused, Input};
use crate::batch::Batch;
use crate::dropout::Dropout;
use crate::loss::{Score, score_label};

impl Fused {
    /// Runs all layers; gives the number of the stream that comes out of the
    /// last one.
    pub(super) fn forward(&mut self, input: &Input, dropout: Option<Dropout>) -> usize {
        let buffers = self.plan.reserve(&mut self.team, input.tokens);
        let (dim, count) = (self.config.dim, input.tokens.count());
        let values = Parts::of(&self.config, &self.values);
        embed(
            &mut self.team,
            &input.ids,
            input.tokens.length,
            values.table,
            values.positions,
            dim,
            &mut buffers.streams[0][..count * dim],
        );
        let mut from = 0;
        for (index, matrices) in self.packed.layers.iter().enumerate() {
            let to = (from + 1) % buffers.streams.len();
            let [x, out] = match buffers.streams.get_disjoint_mut([from, to]) {
                Ok(streams) => streams,
                Err(_) => panic!("a layer needs two streams"),
            };
            let saved = buffers.saved.len().min(index + 1) - 1;
            let rotary = self.rotary.as_ref();
            let layer = input.layer(index, &values, matrices, dropout, rotary);
            block::forward(
                &mut self.team,
                &mut buffers.scratch,
                &layer,
                &x[..count * dim],
                &mut buffers.saved[saved],
                &mut out[..count * dim],
            );
            from = to;
        }
        from
    }

    /// The logits of every token, f32 `[rows, length, vocab_size]`, without
    /// dropout.
    pub fn logits(&mut self, batch: &Batch) -> Vec<f32> {
        let rows: Vec<_> = self.of_logits(batch, |_, logits| logits.to_vec());
        rows.concat()
    }

    /// The score of every row of the batch, as
    /// [`Transformer::score`](crate::Transformer::score).
    pub fn score(&mut self, batch: &Batch) -> Vec<Score> {
        let labels = batch.labels();
        let of_tokens = self.of_logits(batch, |token, logits| score_label(logits, labels[token]));
        let rows = of_tokens.chunks(batch.length());
        rows.map(|tokens| {
            let mut score = Score::default();
            tokens.iter().for_each(|token| score.add(token));
            score
        })
        .collect()
    }

    /// What `take` makes of each token's logits.
    fn of_logits<T: Clone + Default + Send>(
        &mut self,
        batch: &Batch,
        take: impl Fn(usize, &[f32]) -> T + Sync,
    ) -> Vec<T> {
        let input = self.prepare(batch);
        let last = self.forward(&input, None);
        let (dim, count) = (self.config.dim, input.tokens.count());
        let buffers = self.plan.reserve(&mut self.team, input.tokens);
        let head = self.packed.head(&self.config, &self.values);
        let mut out = vec![T::default(); count];
        let x = &buffers.streams[last][..count * dim];
        each_logits(&mut self.team, &mut buffers.head, &head, x, &mut out, take);
        out
    }
}
