//! The weights of the transformer in the form that the kernels multiply.

use kernels::{Matrix, Team, WeightFormat};
use model::{ModelConfig, WeightsError};

use crate::weight_file::Tensors;

/// Scale and offset of a layer norm, `[dim]` each.
pub(crate) struct Norm {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

/// A matrix and its bias.
pub(crate) struct Linear {
    pub(crate) weight: Matrix,
    pub(crate) bias: Vec<f32>,
}

/// One parallel block.
pub(crate) struct Layer {
    pub(crate) norm1: Norm,
    pub(crate) norm2: Norm,
    /// Query, key and value one below the other, `[3 dim, dim]`.
    pub(crate) qkv: Matrix,
    pub(crate) output: Linear,
    pub(crate) expand: Linear,
    pub(crate) contract: Linear,
}

/// The whole model.
pub(crate) struct Packed {
    /// `[vocab_size, dim]`.
    pub(crate) ids: Vec<f32>,
    /// `[max_sequence_length, dim]`.
    pub(crate) positions: Vec<f32>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) norm: Norm,
    pub(crate) head: Linear,
}

impl Packed {
    /// Packs all matrices and drops each original as soon as it is packed.
    pub(crate) fn new(
        config: &ModelConfig,
        weights: impl Tensors,
        format: WeightFormat,
        team: &mut Team,
    ) -> Result<Self, WeightsError> {
        let mut packer = Packer {
            weights,
            format,
            team,
        };
        let layers: Result<_, _> = (0..config.num_layers)
            .map(|layer| packer.layer(layer))
            .collect();
        Ok(Self {
            ids: packer.values("id_embeddings.weight")?,
            positions: packer.values("pos_embeddings.weight")?,
            layers: layers?,
            norm: packer.norm("norm_out")?,
            head: packer.linear("out_head")?,
        })
    }

    /// Bytes of all matrices.
    pub(crate) fn bytes(&self) -> usize {
        let layer = |layer: &Layer| {
            [
                &layer.qkv,
                &layer.output.weight,
                &layer.expand.weight,
                &layer.contract.weight,
            ]
            .map(Matrix::bytes)
            .iter()
            .sum::<usize>()
        };
        self.layers.iter().map(layer).sum::<usize>() + self.head.weight.bytes()
    }
}

struct Packer<'a, T> {
    weights: T,
    format: WeightFormat,
    team: &'a mut Team,
}

impl<T: Tensors> Packer<'_, T> {
    fn values(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        Ok(self.weights.take(name)?.values)
    }

    fn norm(&mut self, path: &str) -> Result<Norm, WeightsError> {
        Ok(Norm {
            weight: self.values(&format!("{path}.weight"))?,
            bias: self.values(&format!("{path}.bias"))?,
        })
    }

    fn linear(&mut self, path: &str) -> Result<Linear, WeightsError> {
        let array = self.weights.take(&format!("{path}.weight"))?;
        let (rows, columns) = (array.shape[0], array.shape[1]);
        let weight = Matrix::pack(self.team, self.format, &array.values, rows, columns);
        let bias = self.values(&format!("{path}.bias"))?;
        Ok(Linear { weight, bias })
    }

    fn layer(&mut self, layer: usize) -> Result<Layer, WeightsError> {
        let path = |part: &str| format!("decoder.layers.{layer}.{part}");
        let mut qkv = Vec::new();
        let mut columns = 0;
        for projection in ["query_proj", "key_proj", "value_proj"] {
            let array = self
                .weights
                .take(&path(&format!("attn.{projection}.weight")))?;
            columns = array.shape[1];
            qkv.extend(array.values);
        }
        let rows = qkv.len() / columns;
        Ok(Layer {
            norm1: self.norm(&path("norm1"))?,
            norm2: self.norm(&path("norm2"))?,
            qkv: Matrix::pack(self.team, self.format, &qkv, rows, columns),
            output: self.linear(&path("attn.output_proj"))?,
            expand: self.linear(&path("fc.layers.0"))?,
            contract: self.linear(&path("fc.layers.1"))?,
        })
    }
}
