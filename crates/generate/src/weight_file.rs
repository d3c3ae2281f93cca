//! Weights on disk, read one tensor at a time.
//!
//! The engine packs each tensor as soon as it is read, so that no more of the
//! file is in memory than that; most of a program's start is spent on taking
//! memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use model::{Array, ModelConfig, Weights, WeightsError, parameters};
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, Metadata};

/// Where the engine takes a model's weights from.
pub trait Tensors {
    /// Checks that these are exactly the parameters of a model of this shape.
    ///
    /// # Errors
    /// [`WeightsError::Missing`], [`WeightsError::Shape`] or
    /// [`WeightsError::Unknown`] for the first tensor that does not fit.
    fn check(&self, config: &ModelConfig) -> Result<(), WeightsError>;

    /// Takes a tensor out, f32 whatever it is kept as.
    ///
    /// # Errors
    /// [`WeightsError`], for one that is not there or cannot be read.
    fn take(&mut self, name: &str) -> Result<Array, WeightsError>;
}

impl Tensors for Weights {
    fn check(&self, config: &ModelConfig) -> Result<(), WeightsError> {
        Weights::check(self, config)
    }

    fn take(&mut self, name: &str) -> Result<Array, WeightsError> {
        Weights::take(self, name)
    }
}

/// A safetensors file whose tensors are read when they are taken.
pub struct WeightFile {
    path: PathBuf,
    file: File,
    header: Metadata,
    /// Where the tensors begin.
    data: u64,
    /// The bytes of the latest tensor.
    bytes: Vec<u8>,
}

/// Length of the number that begins a safetensors file.
const LENGTH: u64 = 8;

impl WeightFile {
    /// Reads the header of a safetensors file and checks that the file is as
    /// long as it says.
    ///
    /// # Errors
    /// [`WeightsError::Read`] or [`WeightsError::Damaged`].
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let unreadable = |source| WeightsError::Read {
            path: path.to_owned(),
            source,
        };
        let damaged = |source| WeightsError::Damaged {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        if size < LENGTH {
            return Err(damaged(SafeTensorError::HeaderTooSmall));
        }
        let mut length = [0; LENGTH as usize];
        file.read_exact(&mut length).map_err(unreadable)?;
        let length = u64::from_le_bytes(length);
        if length > size - LENGTH {
            return Err(damaged(SafeTensorError::InvalidHeaderLength));
        }
        let mut json = Vec::new();
        let mut header = file.by_ref().take(length);
        header.read_to_end(&mut json).map_err(unreadable)?;
        let header: Metadata = serde_json::from_slice(&json)
            .map_err(|error| damaged(SafeTensorError::InvalidHeaderDeserialization(error)))?;
        let data = LENGTH + length;
        if header.data_len() as u64 != size - data {
            return Err(damaged(SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            header,
            data,
            bytes: Vec::new(),
        })
    }

    /// A remark stored in the file's header.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.header
            .metadata()
            .as_ref()?
            .get(key)
            .map(String::as_str)
    }
}

impl Tensors for WeightFile {
    fn check(&self, config: &ModelConfig) -> Result<(), WeightsError> {
        let expected = parameters(config);
        for parameter in &expected {
            let name = || parameter.name.clone();
            let info = self.header.info(&parameter.name);
            let info = info.ok_or_else(|| WeightsError::Missing { name: name() })?;
            if info.shape != parameter.shape {
                return Err(WeightsError::Shape {
                    name: name(),
                    found: info.shape.clone(),
                    expected: parameter.shape.clone(),
                });
            }
        }
        let known = |name: &String| expected.iter().any(|parameter| parameter.name == *name);
        let names = self.header.offset_keys();
        match names.into_iter().find(|name| !known(name)) {
            Some(name) => Err(WeightsError::Unknown { name }),
            None => Ok(()),
        }
    }

    fn take(&mut self, name: &str) -> Result<Array, WeightsError> {
        let missing = || WeightsError::Missing {
            name: name.to_owned(),
        };
        let info = self.header.info(name).ok_or_else(missing)?;
        let (from, to) = info.data_offsets;
        self.bytes.resize(to - from, 0);
        let read = self.file.seek(SeekFrom::Start(self.data + from as u64));
        let read = read.and_then(|_| self.file.read_exact(&mut self.bytes));
        read.map_err(|source| WeightsError::Read {
            path: self.path.clone(),
            source,
        })?;
        Ok(Array {
            shape: info.shape.clone(),
            values: widen(name, info.dtype, &self.bytes)?,
        })
    }
}

fn widen(name: &str, dtype: Dtype, bytes: &[u8]) -> Result<Vec<f32>, WeightsError> {
    let (pairs, _) = bytes.as_chunks::<2>();
    Ok(match dtype {
        Dtype::F32 => {
            let (fours, _) = bytes.as_chunks::<4>();
            fours.iter().map(|four| f32::from_le_bytes(*four)).collect()
        }
        Dtype::BF16 => pairs
            .iter()
            .map(|two| bf16::from_le_bytes(*two).to_f32())
            .collect(),
        Dtype::F16 => pairs
            .iter()
            .map(|two| f16::from_le_bytes(*two).to_f32())
            .collect(),
        dtype => {
            return Err(WeightsError::Dtype {
                name: name.to_owned(),
                dtype,
            });
        }
    })
}
