//! What numbers the products of a training step are computed in.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::TrainError;

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
    /// Whether steps can be computed in this precision here.
    ///
    /// # Errors
    /// [`TrainError::Option`] where they cannot.
    pub fn check(self) -> Result<(), TrainError> {
        match self {
            Self::F32 => Ok(()),
            Self::Bf16 => Err(TrainError::Option {
                option: "--use-bf16",
                value: "set".to_owned(),
                remedy: "training is in f32 only: leave it out".to_owned(),
            }),
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
