//! The weights of the transformer in the form that the kernels multiply.

use kernels::{Activations, Conversion, Matrix, Team, WeightFormat};
use model::config::MLP_MULTIPLE;
use model::{ModelConfig, WeightsError};

use crate::table::Table;
use crate::weight_file::Tensors;

/// Scale and offset of a layer norm, `[dim]` each.
pub(crate) struct Norm {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Norm {
    /// What makes `out` the norm of `x`, f32 `[rows, dim]`.
    pub(crate) fn of<'a>(&'a self, x: &'a [f32], out: &'a mut Activations) -> Conversion<'a> {
        Conversion {
            x,
            norm: Some((&self.weight, &self.bias)),
            out,
        }
    }
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
    pub(crate) ids: Table,
    /// `[max_sequence_length, dim]`; `None` where positions are rotary.
    pub(crate) positions: Option<Table>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) norm: Norm,
    pub(crate) head: Linear,
}

impl Packed {
    /// Packs all matrices.
    pub(crate) fn new(
        config: &ModelConfig,
        weights: &impl Tensors,
        format: WeightFormat,
        team: &mut Team,
    ) -> Result<Self, WeightsError> {
        let (dim, vocabulary) = (config.dim, config.vocab_size);
        let mut packer = Packer {
            weights,
            format,
            team,
            dim,
        };
        let layers: Result<_, _> = (0..config.num_layers)
            .map(|layer| packer.layer(layer))
            .collect();
        let positions = (!config.rotary)
            .then(|| packer.table("pos_embeddings.weight", config.max_sequence_length));
        let head = match config.tied {
            true => "id_embeddings.weight",
            false => "out_head.weight",
        };
        Ok(Self {
            ids: packer.table("id_embeddings.weight", vocabulary)?,
            positions: positions.transpose()?,
            layers: layers?,
            norm: packer.norm("norm_out")?,
            head: Linear {
                weight: packer.matrix(&[head], vocabulary, dim)?,
                bias: packer.values("out_head.bias", vocabulary)?,
            },
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
    weights: &'a T,
    format: WeightFormat,
    team: &'a mut Team,
    dim: usize,
}

impl<T: Tensors> Packer<'_, T> {
    fn values(&mut self, name: &str, count: usize) -> Result<Vec<f32>, WeightsError> {
        let mut values = vec![0.0; count];
        self.weights.read(name, 0, &mut values)?;
        Ok(values)
    }

    /// `[rows, dim]`.
    fn table(&mut self, name: &str, rows: usize) -> Result<Table, WeightsError> {
        Table::read(self.team, self.weights, self.format, name, (rows, self.dim))
    }

    fn norm(&mut self, path: &str) -> Result<Norm, WeightsError> {
        Ok(Norm {
            weight: self.values(&format!("{path}.weight"), self.dim)?,
            bias: self.values(&format!("{path}.bias"), self.dim)?,
        })
    }

    fn linear(&mut self, path: &str, rows: usize, columns: usize) -> Result<Linear, WeightsError> {
        let weight = self.matrix(&[&format!("{path}.weight")], rows, columns)?;
        let bias = self.values(&format!("{path}.bias"), rows)?;
        Ok(Linear { weight, bias })
    }

    /// Matrices of `rows` rows each, one below the other.
    fn matrix(
        &mut self,
        names: &[&str],
        rows: usize,
        columns: usize,
    ) -> Result<Matrix, WeightsError> {
        let weights = self.weights;
        let read = |mut row: usize, mut out: &mut [f32]| {
            while !out.is_empty() {
                let left = (rows - row % rows) * columns;
                let (part, rest) = out.split_at_mut(left.min(out.len()));
                weights.read(names[row / rows], row % rows * columns, part)?;
                row += part.len() / columns;
                out = rest;
            }
            Ok(())
        };
        Matrix::pack_from(self.team, self.format, names.len() * rows, columns, read)
    }

    fn layer(&mut self, layer: usize) -> Result<Layer, WeightsError> {
        let path = |part: &str| format!("decoder.layers.{layer}.{part}");
        let (dim, hidden) = (self.dim, self.dim * MLP_MULTIPLE);
        let projections = ["query_proj", "key_proj", "value_proj"]
            .map(|name| path(&format!("attn.{name}.weight")));
        Ok(Layer {
            norm1: self.norm(&path("norm1"))?,
            norm2: self.norm(&path("norm2"))?,
            qkv: self.matrix(&projections.each_ref().map(String::as_str), dim, dim)?,
            output: self.linear(&path("attn.output_proj"), dim, dim)?,
            expand: self.linear(&path("fc.layers.0"), hidden, dim)?,
            contract: self.linear(&path("fc.layers.1"), dim, hidden)?,
        })
    }
}
