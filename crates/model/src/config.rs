//! The shape of a transformer, as it is stored in `config.json`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The id that fills a batch on the right: its labels are ignored and its keys
/// are masked.
pub const PAD: u32 = 0;
/// The id that starts every piece.
pub const BOS: u32 = 1;
/// The id that ends every piece.
pub const EOS: u32 = 2;

/// Width of the hidden layer of a block's MLP, in multiples of `dim`.
pub const MLP_MULTIPLE: usize = 4;

/// Added to the variance in every layer norm (Equinox's default).
pub const NORM_EPSILON: f64 = 1e-5;

/// The shape of a transformer. Field names and defaults are those of the JAX
/// original's `config.json`, which can be read as it is: keys that do not
/// describe the shape are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelConfig {
    /// Width of the residual stream. Equals `heads * head_dim`.
    pub dim: usize,
    /// Attention heads a layer.
    pub heads: usize,
    /// Layers (parallel blocks of attention and MLP).
    pub num_layers: usize,
    /// Number of token ids, PAD, BOS and EOS included.
    pub vocab_size: usize,
    /// Width of one attention head.
    pub head_dim: usize,
    /// Number of learned positions: the longest input in tokens.
    pub max_sequence_length: usize,
    /// Probability with which an attention weight is dropped while training.
    pub dropout: f64,
    /// Whether the original trained the weights in bf16. Generation then rounds
    /// where its `generate.py` does; training and evaluation compute in f32, and
    /// what is trained further from such weights is no longer marked.
    pub use_bf16: bool,
    /// Rotary positions (Su and others, 2021) in place of learned ones.
    #[serde(skip_serializing_if = "is_off")]
    pub rotary: bool,
    /// The token embeddings serve as the head's weight too.
    #[serde(skip_serializing_if = "is_off")]
    pub tied: bool,
}

/// What the original does not know is only written where it is used.
fn is_off(switch: &bool) -> bool {
    !switch
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            dim: 512,
            heads: 8,
            num_layers: 8,
            vocab_size: 10_000,
            head_dim: 64,
            max_sequence_length: 1024,
            dropout: 0.1,
            use_bf16: false,
            rotary: false,
            tied: false,
        }
    }
}

/// Named shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// 128 wide, 4 layers, 512 positions: minutes on a laptop.
    Tiny,
    /// 256 wide, 6 layers, 1,024 positions: about 10 million parameters.
    Small,
    /// The JAX original's defaults: 36 million parameters.
    Default,
    /// The JAX original's published model: 101 million parameters.
    Large,
}

/// Why a configuration cannot be used.
#[derive(Debug, Error, PartialEq)]
pub enum ConfigError {
    /// A count that has to be at least one is zero.
    #[error("{field} is 0: it has to be at least 1")]
    Zero {
        /// Name of the field.
        field: &'static str,
    },
    /// The heads do not fill the residual stream.
    #[error(
        "dim is {dim}, but {heads} heads of {head_dim} are {} wide: set dim to heads * head_dim",
        heads * head_dim
    )]
    HeadsDoNotFill {
        /// Width of the residual stream.
        dim: usize,
        /// Number of heads.
        heads: usize,
        /// Width of one head.
        head_dim: usize,
    },
    /// The dropout probability is not in `[0, 1)`.
    #[error("dropout is {0}: it has to be at least 0 and less than 1")]
    Dropout(f64),
    /// Rotary positions turn pairs of a head's values.
    #[error("head_dim is {0}: rotary positions need an even one")]
    OddHead(usize),
    /// The vocabulary has no room for PAD, BOS and EOS and one token.
    #[error("vocab_size is {0}: it has to be at least 4 (PAD, BOS, EOS and one token)")]
    VocabTooSmall(usize),
    /// The tokenizer has ids that the model has not.
    #[error(
        "the tokenizer has {tokenizer} ids, the model only {model}: use the tokenizer that the \
         model was trained with, or train a model with --vocab-size {tokenizer} or more"
    )]
    VocabTooSmallForTokenizer {
        /// Ids of the model.
        model: usize,
        /// Ids of the tokenizer.
        tokenizer: usize,
    },
}

impl ModelConfig {
    /// The configuration of a named size, for the default vocabulary of 10,000.
    pub fn of_size(size: Size) -> Self {
        let (heads, head_dim, num_layers, max_sequence_length) = match size {
            Size::Tiny => (4, 32, 4, 512),
            Size::Small => (4, 64, 6, 1024),
            Size::Default => (8, 64, 8, 1024),
            Size::Large => (12, 64, 12, 1024),
        };
        Self {
            dim: heads * head_dim,
            heads,
            num_layers,
            head_dim,
            max_sequence_length,
            ..Self::default()
        }
    }

    /// Checks that a model of this shape can be built.
    ///
    /// # Errors
    /// A [`ConfigError`] that names the field at fault.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (field, value) in [
            ("dim", self.dim),
            ("heads", self.heads),
            ("num_layers", self.num_layers),
            ("head_dim", self.head_dim),
            ("max_sequence_length", self.max_sequence_length),
        ] {
            if value == 0 {
                return Err(ConfigError::Zero { field });
            }
        }
        if self.heads.checked_mul(self.head_dim) != Some(self.dim) {
            return Err(ConfigError::HeadsDoNotFill {
                dim: self.dim,
                heads: self.heads,
                head_dim: self.head_dim,
            });
        }
        if self.rotary && !self.head_dim.is_multiple_of(2) {
            return Err(ConfigError::OddHead(self.head_dim));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(ConfigError::Dropout(self.dropout));
        }
        if self.vocab_size < 4 {
            return Err(ConfigError::VocabTooSmall(self.vocab_size));
        }
        Ok(())
    }

    /// Checks that a tokenizer of `tokenizer` ids fits: that the model has each of
    /// them. As in the original, whose `--vocab_size` is set apart from its
    /// tokenizer, the model may have more; those are never chosen.
    ///
    /// # Errors
    /// [`ConfigError::VocabTooSmallForTokenizer`] when it has fewer.
    pub fn check_vocab(&self, tokenizer: usize) -> Result<(), ConfigError> {
        match tokenizer <= self.vocab_size {
            true => Ok(()),
            false => Err(ConfigError::VocabTooSmallForTokenizer {
                model: self.vocab_size,
                tokenizer,
            }),
        }
    }

    /// Number of trained parameters.
    pub fn parameter_count(&self) -> usize {
        crate::parameters::parameters(self)
            .iter()
            .map(|parameter| parameter.shape.iter().product::<usize>())
            .sum()
    }
}
