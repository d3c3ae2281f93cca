//! Cross-entropy of a batch, for training and for evaluation.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use rayon::prelude::*;

use crate::access::{ComputeError, values};
use crate::batch::Batch;
use crate::config::PAD;
use crate::dropout::Dropout;
use crate::transformer::Transformer;

/// How well one sequence is predicted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Score {
    /// Sum of the negative log-likelihoods of its labels, in nats.
    pub nll: f64,
    /// Number of labels that are not PAD.
    pub tokens: usize,
    /// Labels with the highest logit of all.
    pub correct: usize,
    /// Labels among the five highest logits.
    pub top5: usize,
}

impl Score {
    /// Adds another sequence's score.
    pub fn add(&mut self, other: &Self) {
        self.nll += other.nll;
        self.tokens += other.tokens;
        self.correct += other.correct;
        self.top5 += other.top5;
    }

    /// Mean negative log-likelihood in nats per token; NaN without tokens.
    pub fn nats_per_token(&self) -> f64 {
        self.nll / self.tokens as f64
    }
}

impl Transformer {
    /// The original's `loss_fn`: mean cross-entropy in nats over all labels of
    /// the batch that are not PAD, as a scalar that gradients can be taken of.
    pub fn loss(&self, batch: &Batch, dropout: Option<Dropout>) -> Tensor<1> {
        let labels = batch.labels();
        let (rows, length) = (batch.rows(), batch.length());
        let logits = self.forward(batch, dropout);
        let device = logits.device();
        let real = labels.iter().map(|&id| f32::from(id != PAD)).collect();
        let real =
            Tensor::<3>::from_data(TensorData::new::<f32, _>(real, [rows, length, 1]), &device);
        let labels = labels.into_iter().map(i64::from).collect();
        let labels = TensorData::new::<i64, _>(labels, [rows, length, 1]);
        let labels = Tensor::<3, Int>::from_data(labels, &device);
        let of_label = log_softmax(logits, 2).gather(2, labels);
        (of_label * real).sum() / -(batch.tokens() as f64)
    }

    /// The loss and the gradient of every parameter, in the order of
    /// [`parameters`](crate::parameters()); the model has to be on a device with
    /// autodiff.
    ///
    /// # Errors
    /// [`ComputeError`] when the device cannot be read.
    pub fn loss_and_gradients(
        &self,
        batch: &Batch,
        dropout: Option<Dropout>,
    ) -> Result<(f64, Vec<Vec<f32>>), ComputeError> {
        let loss = self.loss(batch, dropout);
        let gradients = self.take_gradients(loss.backward())?;
        let loss = values(loss)?.first().copied().map_or(f64::NAN, f64::from);
        Ok((loss, gradients))
    }

    /// The score of every row of the batch, without dropout. A label whose
    /// logit others share counts as late as it can: ties are no merit.
    ///
    /// # Errors
    /// [`ComputeError`] when the device cannot be read.
    pub fn score(&self, batch: &Batch) -> Result<Vec<Score>, ComputeError> {
        let logits = values(self.forward(batch, None))?;
        let width = self.config().vocab_size;
        let mut scores = vec![Score::default(); batch.rows()];
        let labels = logits.par_chunks_exact(width).zip(batch.labels());
        let labels: Vec<_> = labels
            .map(|(logits, label)| score_label(logits, label))
            .collect();
        for (row, labels) in scores.iter_mut().zip(labels.chunks(batch.length())) {
            labels.iter().for_each(|label| row.add(label));
        }
        Ok(scores)
    }
}

pub(crate) fn score_label(logits: &[f32], label: u32) -> Score {
    let Some(&own) = logits.get(label as usize).filter(|_| label != PAD) else {
        return Score::default();
    };
    let highest = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|&x| f64::from((x - highest).exp())).sum();
    let not_below = logits.iter().filter(|&&x| x >= own).count();
    Score {
        nll: sum.ln() + f64::from(highest) - f64::from(own),
        tokens: 1,
        correct: usize::from(not_below == 1),
        top5: usize::from(not_below <= 5),
    }
}
