//! What numbers the products of a training step are computed in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The precision of matrix products. Norms, softmax, losses and the optimiser's
/// state are f32 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32.
    #[default]
    F32,
    /// Factors in bf16, sums in f32 (`--use-bf16`).
    Bf16,
}

impl Precision {
    /// As the model's products take it.
    pub fn of_products(self) -> model::Precision {
        match self {
            Self::F32 => model::Precision::F32,
            Self::Bf16 => model::Precision::Bf16,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        })
    }
}
