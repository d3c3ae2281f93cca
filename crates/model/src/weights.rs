//! Named f32 tensors and their safetensors file, free of any framework.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::distr::{Distribution, Uniform};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView, View};
use thiserror::Error;

use crate::config::ModelConfig;
use crate::orbax::OrbaxError;
use crate::parameters::{Parameter, Role, check_shapes, parameters};

/// Why weights cannot be read or do not fit a configuration.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file cannot be read.
    #[error("cannot read the weights {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is truncated or is no safetensors file.
    #[error("{path} is damaged or no safetensors file ({source}): copy or train it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: SafeTensorError,
    },
    /// A tensor is stored in a type that holds no weights.
    #[error("tensor {name} is stored as {dtype}: only F32, F16 and BF16 are weights")]
    Dtype {
        /// Name of the tensor.
        name: String,
        /// Its type.
        dtype: Dtype,
    },
    /// A tensor that the model needs is not there.
    #[error("the weights have no tensor {name}: they belong to another model")]
    Missing {
        /// Name of the tensor.
        name: String,
    },
    /// A tensor that the model does not know.
    #[error(
        "the weights have a tensor {name} that this model does not: they belong to another model"
    )]
    Unknown {
        /// Name of the tensor.
        name: String,
    },
    /// A tensor of another shape than the configuration says.
    #[error(
        "tensor {name} has shape {found:?}, config.json says {expected:?}: they do not belong together"
    )]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape that the configuration asks for.
        expected: Vec<usize>,
    },
    /// A tensor holds infinity or what is no number.
    #[error(
        "value {at} of tensor {name} is {value}: its training diverged, or the file is damaged"
    )]
    NotFinite {
        /// Name of the tensor.
        name: String,
        /// Index of the value.
        at: usize,
        /// The value.
        value: f32,
    },
    /// A checkpoint of the original cannot be read.
    #[error(transparent)]
    Original(#[from] OrbaxError),
}

/// One tensor: a shape and its values, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row-major, `shape.iter().product()` of them.
    pub values: Vec<f32>,
}

/// Named f32 tensors. Values stored as bf16 or f16 are widened while reading.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    tensors: BTreeMap<String, Array>,
    metadata: BTreeMap<String, String>,
}

impl Weights {
    /// Initial weights as Equinox draws them: linear weights and biases uniform
    /// in ±1/sqrt(fan_in), embeddings normal(0, 1), norms one and zero. The same
    /// `seed` gives the same bits everywhere: each parameter draws from a
    /// stream of its own of ChaCha8.
    pub fn initial(config: &ModelConfig, seed: u64) -> Self {
        let mut weights = Self::default();
        for (stream, parameter) in parameters(config).into_iter().enumerate() {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream as u64);
            let values = initial_values(&parameter, &mut rng);
            weights.insert(parameter.name, parameter.shape, values);
        }
        weights
    }

    /// Puts a tensor of `shape` (row-major `values`) under `name`.
    pub fn insert(&mut self, name: String, shape: Vec<usize>, values: Vec<f32>) {
        self.tensors.insert(name, Array { shape, values });
    }

    /// The values (f32, row-major) and the shape of a tensor.
    ///
    /// # Errors
    /// [`WeightsError::Missing`] when there is none of that name.
    pub fn tensor(&self, name: &str) -> Result<(&[f32], &[usize]), WeightsError> {
        let array = self.tensors.get(name).ok_or_else(|| missing(name))?;
        Ok((&array.values, &array.shape))
    }

    /// Takes a tensor out.
    ///
    /// # Errors
    /// [`WeightsError::Missing`] when there is none of that name.
    pub fn take(&mut self, name: &str) -> Result<Array, WeightsError> {
        self.tensors.remove(name).ok_or_else(|| missing(name))
    }

    /// All tensors in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Array)> {
        self.tensors
            .iter()
            .map(|(name, array)| (name.as_str(), array))
    }

    /// A remark stored in the file's header.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Checks that these are exactly the parameters of a model of this shape.
    ///
    /// # Errors
    /// [`WeightsError::Missing`], [`WeightsError::Shape`] or
    /// [`WeightsError::Unknown`] for the first tensor that does not fit.
    pub fn check(&self, config: &ModelConfig) -> Result<(), WeightsError> {
        let shapes = self
            .iter()
            .map(|(name, array)| (name, array.shape.as_slice()));
        check_shapes(config, shapes)
    }

    /// Reads a safetensors file.
    ///
    /// # Errors
    /// [`WeightsError::Read`], [`WeightsError::Damaged`] or
    /// [`WeightsError::Dtype`].
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        let bytes = std::fs::read(path).map_err(|source| WeightsError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&bytes, path)
    }

    /// Reads the bytes of a safetensors file; `path` is what errors call it.
    ///
    /// # Errors
    /// [`WeightsError::Damaged`] or [`WeightsError::Dtype`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, WeightsError> {
        let damaged = |source| WeightsError::Damaged {
            path: path.to_owned(),
            source,
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let stored = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let mut weights = Self::default();
        if let Some(metadata) = header.metadata() {
            weights.metadata.extend(metadata.clone());
        }
        for (name, view) in stored.tensors() {
            let values = widen(&name, &view)?;
            weights.insert(name, view.shape().to_vec(), values);
        }
        Ok(weights)
    }

    /// The bytes of a safetensors file that holds these tensors as f32, with
    /// `metadata` (key, value) in its header.
    ///
    /// # Errors
    /// The error of the safetensors writer.
    pub fn to_bytes(&self, metadata: &[(&str, &str)]) -> Result<Vec<u8>, SafeTensorError> {
        let pairs = metadata
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let header: HashMap<_, _> = pairs.collect();
        let header = (!header.is_empty()).then_some(header);
        safetensors::serialize(self.tensors.iter(), header)
    }
}

fn missing(name: &str) -> WeightsError {
    WeightsError::Missing {
        name: name.to_owned(),
    }
}

fn initial_values(parameter: &Parameter, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let count = parameter.shape.iter().product();
    match parameter.role {
        Role::Embedding => StandardNormal.sample_iter(rng).take(count).collect(),
        Role::LinearWeight { fan_in } | Role::LinearBias { fan_in } => {
            let limit = 1.0 / (fan_in as f32).sqrt();
            match Uniform::new(-limit, limit) {
                Ok(uniform) => uniform.sample_iter(rng).take(count).collect(),
                Err(_) => vec![0.0; count],
            }
        }
        Role::NormWeight => vec![1.0; count],
        Role::NormBias => vec![0.0; count],
    }
}

fn widen(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, WeightsError> {
    let data = view.data();
    match view.dtype() {
        Dtype::F32 => Ok(data
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()),
        Dtype::BF16 => Ok(data
            .chunks_exact(2)
            .map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32())
            .collect()),
        Dtype::F16 => Ok(data
            .chunks_exact(2)
            .map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32())
            .collect()),
        dtype => Err(WeightsError::Dtype {
            name: name.to_owned(),
            dtype,
        }),
    }
}

impl View for &Array {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(
            self.values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        )
    }
    fn data_len(&self) -> usize {
        self.values.len() * 4
    }
}
