//! Loss and gradients.

use kernels::Piece;
use kernels::training::block;
use kernels::training::embedding::embed_backward;
use kernels::training::head::{Labels, loss_and_gradient};

use super::Fused;
use super::parts::Parts;
use crate::batch::Batch;
use crate::dropout::Dropout;

impl Fused {
    /// The original's `loss_fn` of a batch, and `share` times its gradient added
    /// to `gradients`, which are in the order of
    /// [`parameters`](crate::parameters()). Panics when the model was not made
    /// for a backward pass.
    pub fn loss_and_gradients(
        &mut self,
        batch: &Batch,
        dropout: Option<Dropout>,
        share: f32,
        gradients: &mut [Piece<f32>],
    ) -> f64 {
        let input = self.prepare(batch);
        let last = self.forward(&input, dropout);
        let (dim, count) = (self.config.dim, input.tokens.count());
        let buffers = self.plan.reserve(&mut self.team, input.tokens);
        let head = self.packed.head(&self.config, &self.values);
        let values = Parts::of(&self.config, &self.values);
        let mut gradients = Parts::of_mut(&self.config, gradients);
        let tokens = batch.tokens() as f64;
        let d = &mut buffers.d[..count * dim];
        let sum = loss_and_gradient(
            &mut self.team,
            &mut buffers.head,
            &head,
            Labels {
                ids: &input.labels,
                weight: (f64::from(share) / tokens) as f32,
            },
            &buffers.streams[last][..count * dim],
            d,
            gradients.head(),
        );
        for (index, matrices) in self.packed.layers.iter().enumerate().rev() {
            let rotary = self.rotary.as_ref();
            let layer = input.layer(index, &values, matrices, dropout, rotary);
            block::backward(
                &mut self.team,
                &mut buffers.scratch,
                &layer,
                &buffers.streams[index][..count * dim],
                &buffers.saved[index],
                d,
                gradients.layer(index),
            );
        }
        let length = input.tokens.length;
        embed_backward(
            &mut self.team,
            &input.ids,
            length,
            d,
            dim,
            gradients.table,
            gradients.positions,
        );
        sum / tokens
    }
}
