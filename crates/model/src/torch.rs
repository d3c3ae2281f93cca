//! The weights under the names of a PyTorch module, made of `nn.Embedding`,
//! `nn.LayerNorm`, `nn.MultiheadAttention`, `nn.Linear` and `nn.Sequential`.

use crate::config::ModelConfig;
use crate::weights::{Array, Weights, WeightsError};

/// Renames and joins: queries, keys and values become one `in_proj_weight`
/// `[3 dim, dim]` with a bias of zeros, as `nn.MultiheadAttention` has them. A
/// model with rotary positions has no `position_embedding`; of one with tied
/// embeddings the head's weights are a copy.
///
/// # Errors
/// [`WeightsError::Missing`] where the weights are not of this shape.
pub fn to_torch(config: &ModelConfig, mut weights: Weights) -> Result<Weights, WeightsError> {
    let mut torch = Weights::default();
    let mut rename = |weights: &mut Weights, from: &str, to: &str| {
        for part in ["weight", "bias"] {
            match weights.take(&format!("{from}.{part}")) {
                Ok(Array { shape, values }) => torch.insert(format!("{to}.{part}"), shape, values),
                Err(_) if part == "bias" && to.ends_with("embedding") => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    if config.tied {
        let (table, shape) = weights.tensor("id_embeddings.weight")?;
        let (table, shape) = (table.to_vec(), shape.to_vec());
        weights.insert("out_head.weight".to_owned(), shape, table);
    }
    rename(&mut weights, "id_embeddings", "token_embedding")?;
    if !config.rotary {
        rename(&mut weights, "pos_embeddings", "position_embedding")?;
    }
    rename(&mut weights, "norm_out", "norm")?;
    rename(&mut weights, "out_head", "head")?;
    for layer in 0..config.num_layers {
        let (from, to) = (format!("decoder.layers.{layer}"), format!("layers.{layer}"));
        let parts = [
            ("norm1", "norm1"),
            ("norm2", "norm2"),
            ("attn.output_proj", "attention.out_proj"),
            ("fc.layers.0", "mlp.0"),
            ("fc.layers.1", "mlp.2"),
        ];
        for (ours, theirs) in parts {
            rename(
                &mut weights,
                &format!("{from}.{ours}"),
                &format!("{to}.{theirs}"),
            )?;
        }
    }
    for layer in 0..config.num_layers {
        let mut joined = Vec::with_capacity(3 * config.dim * config.dim);
        for part in ["query_proj", "key_proj", "value_proj"] {
            let name = format!("decoder.layers.{layer}.attn.{part}.weight");
            joined.extend(weights.take(&name)?.values);
        }
        let to = format!("layers.{layer}.attention.in_proj");
        torch.insert(
            format!("{to}_weight"),
            vec![3 * config.dim, config.dim],
            joined,
        );
        torch.insert(
            format!("{to}_bias"),
            vec![3 * config.dim],
            vec![0.0; 3 * config.dim],
        );
    }
    Ok(torch)
}
