//! Checkpoints of the JAX original: an Orbax checkpoint of a list of one model.

use std::borrow::Cow;
use std::path::Path;

use rayon::prelude::*;

use crate::config::ModelConfig;
use crate::orbax::{Checkpoint, OrbaxError};
use crate::parameters::{check_shapes, parameters};
use crate::weights::{Weights, WeightsError};

/// The original saves `[model]`: every name begins with this.
const LIST_INDEX: &str = "0.";

/// The weights in an Orbax checkpoint, read when they are asked for. What the
/// original saved as bf16 is widened, as its `generate.py` restores it.
pub struct OriginalCheckpoint {
    checkpoint: Checkpoint,
}

impl OriginalCheckpoint {
    /// Whether a folder looks like an Orbax checkpoint.
    pub fn is_at(folder: &Path) -> bool {
        let array = format!("{LIST_INDEX}id_embeddings.weight/.zarray");
        let named = ["manifest.ocdbt", "_METADATA", array.as_str()];
        named.iter().any(|name| folder.join(name).is_file())
    }

    /// Opens a folder `checkpoint-NNN.eqx`.
    ///
    /// # Errors
    /// [`OrbaxError`].
    pub fn open(folder: &Path) -> Result<Self, OrbaxError> {
        let checkpoint = Checkpoint::open(folder)?;
        Ok(Self { checkpoint })
    }

    /// Checks that these are exactly the parameters of a model of this shape.
    ///
    /// # Errors
    /// [`WeightsError::Missing`], [`WeightsError::Shape`] or
    /// [`WeightsError::Unknown`] for the first tensor that does not fit.
    pub fn check(&self, config: &ModelConfig) -> Result<(), WeightsError> {
        let arrays = self.checkpoint.shapes();
        check_shapes(
            config,
            arrays.map(|(name, shape)| (name.strip_prefix(LIST_INDEX).unwrap_or(name), shape)),
        )
    }

    /// The values of a parameter, row-major.
    ///
    /// # Errors
    /// [`WeightsError::Original`] where the checkpoint is damaged,
    /// [`WeightsError::NotFinite`] where it holds what is no number.
    pub fn values(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let values = self.checkpoint.read(&format!("{LIST_INDEX}{name}"))?;
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(WeightsError::NotFinite {
                name: name.to_owned(),
                at,
                value: values[at],
            }),
            None => Ok(values),
        }
    }

    /// All parameters, read by several threads.
    ///
    /// # Errors
    /// As [`check`](Self::check) and [`values`](Self::values).
    pub fn weights(&self, config: &ModelConfig) -> Result<Weights, WeightsError> {
        self.check(config)?;
        let read = parameters(config).into_par_iter().with_max_len(1);
        let read = read.map(|parameter| {
            let values = self.values(&parameter.name)?;
            Ok((parameter, values))
        });
        let mut weights = Weights::default();
        for (parameter, values) in read.collect::<Result<Vec<_>, WeightsError>>()? {
            weights.insert(parameter.name, parameter.shape, values);
        }
        Ok(weights)
    }
}

impl crate::save::Source for OriginalCheckpoint {
    fn values(&self, name: &str) -> Result<Cow<'_, [f32]>, WeightsError> {
        self.values(name).map(Cow::Owned)
    }
}
