//! The network: embeddings, parallel blocks, final norm and head.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::batch::Batch;
use crate::block::{Attention, Block, LayerNorm, Linear, Mlp, Pass, hidden_keys, parallel_block};
use crate::config::ModelConfig;
use crate::dropout::Dropout;
use crate::rotary::Rotary;
use crate::weights::{Weights, WeightsError};

/// A table of vectors.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[rows, dim]`.
    pub weight: Param<Tensor<2>>,
}

/// From the final norm to logits.
#[derive(Module, Debug)]
pub struct Head {
    /// `[vocab_size, dim]`; none where the token embeddings serve.
    pub weight: Option<Param<Tensor<2>>>,
    /// `[vocab_size]`.
    pub bias: Param<Tensor<1>>,
}

/// The layers.
#[derive(Module, Debug)]
pub struct Decoder {
    /// In the order in which they are computed.
    pub layers: Vec<Block>,
}

/// The decoder-only transformer of the JAX original. The path of every
/// parameter in this struct is its name in a model folder.
#[derive(Module, Debug)]
pub struct Transformer {
    /// Token embeddings, `[vocab_size, dim]`.
    pub id_embeddings: Embedding,
    /// Learned positions, `[max_sequence_length, dim]`; none where they are
    /// rotary.
    pub pos_embeddings: Option<Embedding>,
    /// The layers.
    pub decoder: Decoder,
    /// The final norm.
    pub norm_out: LayerNorm,
    /// The head.
    pub out_head: Head,
    #[module(skip)]
    config: ModelConfig,
}

impl Transformer {
    /// Puts `weights` on `device`. On a device with autodiff every parameter
    /// gets a gradient.
    ///
    /// # Errors
    /// [`WeightsError`] when the weights are not those of a model of this shape.
    pub fn new(
        config: &ModelConfig,
        mut weights: Weights,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        weights.check(config)?;
        let mut load = Load {
            weights: &mut weights,
            device,
        };
        let layers = (0..config.num_layers)
            .map(|layer| load.block(&format!("decoder.layers.{layer}")))
            .collect::<Result<_, _>>()?;
        let positions = (!config.rotary).then(|| load.embedding("pos_embeddings"));
        let head = (!config.tied).then(|| load.parameter("out_head.weight"));
        Ok(Self {
            id_embeddings: load.embedding("id_embeddings")?,
            pos_embeddings: positions.transpose()?,
            decoder: Decoder { layers },
            norm_out: load.norm("norm_out")?,
            out_head: Head {
                weight: head.transpose()?,
                bias: load.parameter("out_head.bias")?,
            },
            config: config.clone(),
        })
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The device that holds the parameters.
    pub fn device(&self) -> Device {
        self.id_embeddings.weight.device()
    }

    /// The head's weight, `[vocab_size, dim]`: its own or the token embeddings.
    pub fn head_weight(&self) -> Tensor<2> {
        let own = self.out_head.weight.as_ref();
        own.unwrap_or(&self.id_embeddings.weight).val()
    }

    /// Logits `[rows, length, vocab_size]`, f32, for the inputs of a batch.
    /// Inputs may be as long as the model has positions; ids have to be in the
    /// vocabulary. `dropout` is `None` at inference.
    pub fn forward(&self, batch: &Batch, dropout: Option<Dropout>) -> Tensor<3> {
        let (rows, length) = (batch.rows(), batch.length());
        let products = self
            .trunk(batch, dropout)
            .matmul(self.head_weight().transpose());
        let logits = products + self.out_head.bias.val().unsqueeze();
        logits.reshape([rows, length, self.config.vocab_size])
    }

    /// The final norm's output, `[rows * length, dim]`.
    fn trunk(&self, batch: &Batch, dropout: Option<Dropout>) -> Tensor<2> {
        let (rows, length, dim) = (batch.rows(), batch.length(), self.config.dim);
        let device = self.device();
        let inputs = batch.inputs().into_iter().map(i64::from).collect();
        let ids = Tensor::<1, Int>::from_data(
            TensorData::new::<i64, _>(inputs, [rows * length]),
            &device,
        );
        let hidden = TensorData::new(hidden_keys(batch), [rows, 1, length, length]);
        let pass = Pass {
            heads: self.config.heads,
            rows,
            length,
            hidden: Tensor::from_data(hidden, &device),
            dropout,
            rotary: self
                .config
                .rotary
                .then(|| Rotary::new(length, self.config.head_dim, &device)),
        };
        let tokens = self.id_embeddings.weight.val().select(0, ids);
        let mut x = tokens;
        if let Some(positions) = &self.pos_embeddings {
            let positions = positions.weight.val().narrow(0, 0, length);
            let sum = x.reshape([rows, length, dim]) + positions.unsqueeze();
            x = sum.reshape([rows * length, dim]);
        }
        for (layer, block) in self.decoder.layers.iter().enumerate() {
            x = parallel_block(x, block, &pass, layer);
        }
        self.norm_out.forward(x)
    }
}

/// Moves weights into modules.
struct Load<'a> {
    weights: &'a mut Weights,
    device: &'a Device,
}

impl Load<'_> {
    fn parameter<const D: usize>(&mut self, name: &str) -> Result<Param<Tensor<D>>, WeightsError> {
        let array = self.weights.take(name)?;
        let data = TensorData::new(array.values, array.shape);
        Ok(Param::from_data(data, self.device))
    }

    fn embedding(&mut self, path: &str) -> Result<Embedding, WeightsError> {
        let weight = self.parameter(&format!("{path}.weight"))?;
        Ok(Embedding { weight })
    }

    fn linear(&mut self, path: &str, bias: bool) -> Result<Linear, WeightsError> {
        let weight = self.parameter(&format!("{path}.weight"))?;
        let bias = match bias {
            true => Some(self.parameter(&format!("{path}.bias"))?),
            false => None,
        };
        Ok(Linear { weight, bias })
    }

    fn norm(&mut self, path: &str) -> Result<LayerNorm, WeightsError> {
        let weight = self.parameter(&format!("{path}.weight"))?;
        let bias = self.parameter(&format!("{path}.bias"))?;
        Ok(LayerNorm { weight, bias })
    }

    fn block(&mut self, path: &str) -> Result<Block, WeightsError> {
        let attn = Attention {
            query_proj: self.linear(&format!("{path}.attn.query_proj"), false)?,
            key_proj: self.linear(&format!("{path}.attn.key_proj"), false)?,
            value_proj: self.linear(&format!("{path}.attn.value_proj"), false)?,
            output_proj: self.linear(&format!("{path}.attn.output_proj"), true)?,
        };
        let layers = vec![
            self.linear(&format!("{path}.fc.layers.0"), true)?,
            self.linear(&format!("{path}.fc.layers.1"), true)?,
        ];
        Ok(Block {
            attn,
            fc: Mlp { layers },
            norm1: self.norm(&format!("{path}.norm1"))?,
            norm2: self.norm(&format!("{path}.norm2"))?,
        })
    }
}
