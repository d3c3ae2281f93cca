//! The names, shapes and roles of all parameters.

use std::collections::BTreeMap;

use crate::config::{MLP_MULTIPLE, ModelConfig};
use crate::weights::WeightsError;

/// What a parameter does. The role decides how it is initialised and whether
/// weight decay applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A table of vectors, one a row: normal(0, 1).
    Embedding,
    /// The matrix of a linear layer, `[out, in]`: uniform in ±1/sqrt(`fan_in`).
    LinearWeight {
        /// Width of the layer's input.
        fan_in: usize,
    },
    /// The bias of a linear layer, `[out]`: uniform in ±1/sqrt(`fan_in`).
    LinearBias {
        /// Width of the layer's input.
        fan_in: usize,
    },
    /// The scale of a layer norm: ones.
    NormWeight,
    /// The offset of a layer norm: zeros.
    NormBias,
}

impl Role {
    /// Whether AdamW decays the parameter: the weights of linear layers and of
    /// norms, but no embedding and no bias (the JAX original's `decay_spec`).
    pub fn is_decayed(self) -> bool {
        matches!(self, Self::LinearWeight { .. } | Self::NormWeight)
    }
}

/// One parameter of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Equinox's path to the array, for example
    /// `decoder.layers.0.attn.query_proj.weight`.
    pub name: String,
    /// Its shape, row-major.
    pub shape: Vec<usize>,
    /// Its role.
    pub role: Role,
}

/// All parameters of a model, in the order in which the model is computed.
pub fn parameters(config: &ModelConfig) -> Vec<Parameter> {
    let dim = config.dim;
    let mut list = Vec::new();
    embedding(&mut list, "id_embeddings", config.vocab_size, dim);
    if !config.rotary {
        let positions = config.max_sequence_length;
        embedding(&mut list, "pos_embeddings", positions, dim);
    }
    for layer in 0..config.num_layers {
        let path = |part: &str| format!("decoder.layers.{layer}.{part}");
        for projection in ["query_proj", "key_proj", "value_proj"] {
            let name = path(&format!("attn.{projection}"));
            linear(&mut list, &name, dim, dim, false);
        }
        linear(&mut list, &path("attn.output_proj"), dim, dim, true);
        let width = dim * MLP_MULTIPLE;
        linear(&mut list, &path("fc.layers.0"), width, dim, true);
        linear(&mut list, &path("fc.layers.1"), dim, width, true);
        norm(&mut list, &path("norm1"), dim);
        norm(&mut list, &path("norm2"), dim);
    }
    norm(&mut list, "norm_out", dim);
    linear(&mut list, "out_head", config.vocab_size, dim, true);
    if config.tied {
        list.retain(|parameter| parameter.name != "out_head.weight");
    }
    list
}

/// Checks that `found` (name, shape) are exactly the parameters of a model of
/// this shape.
///
/// # Errors
/// [`WeightsError::Missing`], [`WeightsError::Shape`] or
/// [`WeightsError::Unknown`] for the first tensor that does not fit.
pub fn check_shapes<'a>(
    config: &ModelConfig,
    found: impl Iterator<Item = (&'a str, &'a [usize])>,
) -> Result<(), WeightsError> {
    let mut found: BTreeMap<&str, &[usize]> = found.collect();
    for Parameter { name, shape, .. } in parameters(config) {
        match found.remove(name.as_str()) {
            Some(found) if *found == shape => {}
            Some(found) => {
                return Err(WeightsError::Shape {
                    name,
                    found: found.to_vec(),
                    expected: shape,
                });
            }
            None => return Err(WeightsError::Missing { name }),
        }
    }
    match found.keys().next() {
        Some(name) => Err(WeightsError::Unknown {
            name: (*name).to_owned(),
        }),
        None => Ok(()),
    }
}

fn push(list: &mut Vec<Parameter>, name: String, shape: Vec<usize>, role: Role) {
    list.push(Parameter { name, shape, role });
}

fn embedding(list: &mut Vec<Parameter>, path: &str, rows: usize, dim: usize) {
    push(
        list,
        format!("{path}.weight"),
        vec![rows, dim],
        Role::Embedding,
    );
}

fn linear(list: &mut Vec<Parameter>, path: &str, out: usize, fan_in: usize, bias: bool) {
    let role = Role::LinearWeight { fan_in };
    push(list, format!("{path}.weight"), vec![out, fan_in], role);
    if bias {
        let role = Role::LinearBias { fan_in };
        push(list, format!("{path}.bias"), vec![out], role);
    }
}

fn norm(list: &mut Vec<Parameter>, path: &str, dim: usize) {
    push(list, format!("{path}.weight"), vec![dim], Role::NormWeight);
    push(list, format!("{path}.bias"), vec![dim], Role::NormBias);
}
