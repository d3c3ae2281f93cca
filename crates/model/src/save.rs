//! Writing a safetensors file tensor by tensor, by several threads, so that no
//! more than a few tensors are in memory twice.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use half::bf16;
use rayon::prelude::*;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use thiserror::Error;

use crate::parameters::Parameter;
use crate::weights::{Weights, WeightsError};

/// Where the values of parameters come from.
pub trait Source: Sync {
    /// The values of a parameter, row-major.
    ///
    /// # Errors
    /// [`WeightsError`] where they are missing or cannot be read.
    fn values(&self, name: &str) -> Result<Cow<'_, [f32]>, WeightsError>;
}

impl Source for Weights {
    fn values(&self, name: &str) -> Result<Cow<'_, [f32]>, WeightsError> {
        self.tensor(name).map(|(values, _)| Cow::Borrowed(values))
    }
}

/// Why weights were not written.
#[derive(Debug, Error)]
pub enum SaveError {
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// A tensor cannot be had.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// The header's length is a multiple of this; it is filled with spaces.
const ALIGNMENT: usize = 8;

/// How the values of parameters are kept on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Four bytes each, as they are.
    F32,
    /// Two bytes each, rounded to the nearest.
    Bf16,
}

impl Stored {
    fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::Bf16 => Dtype::BF16,
        }
    }
}

/// Writes `parameters` in the order of their names, with `metadata` (key, value)
/// in the header, and waits until they are on the disk.
///
/// # Errors
/// [`SaveError`]; then the file may be there in part.
pub fn write_weights(
    path: &Path,
    mut parameters: Vec<Parameter>,
    metadata: &[(&str, &str)],
    source: &impl Source,
    stored: Stored,
) -> Result<(), SaveError> {
    let dtype = stored.dtype();
    parameters.sort_by(|one, other| one.name.cmp(&other.name));
    let mut end = 0;
    let infos: Vec<(String, TensorInfo)> = parameters
        .into_iter()
        .map(|Parameter { name, shape, .. }| {
            let begin = end;
            end += shape.iter().product::<usize>() * dtype.bitsize() / 8;
            let data_offsets = (begin, end);
            let info = TensorInfo {
                dtype,
                shape,
                data_offsets,
            };
            (name, info)
        })
        .collect();
    let pairs = metadata
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let remarks: HashMap<_, _> = pairs.collect();
    let remarks = (!remarks.is_empty()).then_some(remarks);
    let header = Metadata::new(remarks, infos.clone()).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&header).map_err(io::Error::other)?;
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    let mut file = File::create(path)?;
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    let data = file.stream_position()?;
    file.set_len(data + end as u64)?;

    // The largest first, so that no thread begins one when the others are done.
    let mut largest_first = infos;
    largest_first
        .sort_by_key(|(_, info)| std::cmp::Reverse(info.data_offsets.1 - info.data_offsets.0));
    let tensors = largest_first.par_iter().with_max_len(1);
    tensors.try_for_each(|(name, info)| {
        let values = source.values(name)?;
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::Start(data + info.data_offsets.0 as u64))?;
        write_values(file, &values, stored).map_err(SaveError::Write)
    })?;
    Ok(file.sync_all()?)
}

fn write_values(file: File, values: &[f32], stored: Stored) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    match stored {
        Stored::F32 => {
            for value in values {
                out.write_all(&value.to_le_bytes())?;
            }
        }
        Stored::Bf16 => {
            for value in values {
                out.write_all(&bf16::from_f32(*value).to_le_bytes())?;
            }
        }
    }
    out.flush()
}
