//! Weights on disk or in the program, read where they are packed.
//!
//! Each thread reads the rows that it packs next, so no more of the file is in
//! memory than these, and reading takes part in what the threads share.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use model::{ModelConfig, Weights, WeightsError, parameters};
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, Metadata};

/// Where the engine takes a model's weights from.
pub trait Tensors: Sync {
    /// Checks that these are exactly the parameters of a model of this shape.
    ///
    /// # Errors
    /// [`WeightsError::Missing`], [`WeightsError::Shape`] or
    /// [`WeightsError::Unknown`] for the first tensor that does not fit.
    fn check(&self, config: &ModelConfig) -> Result<(), WeightsError>;

    /// Reads values of a tensor from the number `from` on (row-major), as f32
    /// whatever they are kept as. Several threads read at the same time.
    ///
    /// # Errors
    /// [`WeightsError`], for a tensor that is not there, has fewer values or
    /// cannot be read.
    fn read(&self, name: &str, from: usize, out: &mut [f32]) -> Result<(), WeightsError>;
}

impl Tensors for Weights {
    fn check(&self, config: &ModelConfig) -> Result<(), WeightsError> {
        Weights::check(self, config)
    }

    fn read(&self, name: &str, from: usize, out: &mut [f32]) -> Result<(), WeightsError> {
        let (values, _) = self.tensor(name)?;
        let values = values.get(from..from + out.len());
        out.copy_from_slice(values.ok_or_else(|| missing(name))?);
        Ok(())
    }
}

/// A safetensors file of which any part can be read.
pub struct WeightFile {
    path: PathBuf,
    place: Place,
    header: Metadata,
    /// Where the tensors begin.
    data: u64,
}

/// Where the bytes are.
enum Place {
    Disk(File),
    Memory(&'static [u8]),
}

/// Length of the number that begins a safetensors file.
const LENGTH: u64 = 8;

/// Longest header that the format allows.
const LONGEST_HEADER: u64 = 100_000_000;

impl WeightFile {
    /// Reads the header of a safetensors file and checks that the file is as
    /// long as it says.
    ///
    /// # Errors
    /// [`WeightsError::Read`] or [`WeightsError::Damaged`].
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let file = File::open(path).map_err(|source| WeightsError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::new(path, Place::Disk(file))
    }

    /// Like [`open`](Self::open), of a file that is part of the program; `path`
    /// is what errors call it.
    ///
    /// # Errors
    /// [`WeightsError::Damaged`].
    pub fn in_memory(bytes: &'static [u8], path: &Path) -> Result<Self, WeightsError> {
        Self::new(path, Place::Memory(bytes))
    }

    fn new(path: &Path, place: Place) -> Result<Self, WeightsError> {
        let unreadable = |source| WeightsError::Read {
            path: path.to_owned(),
            source,
        };
        let damaged = |source| WeightsError::Damaged {
            path: path.to_owned(),
            source,
        };
        let size = place.size().map_err(unreadable)?;
        if size < LENGTH {
            return Err(damaged(SafeTensorError::HeaderTooSmall));
        }
        let mut length = [0; LENGTH as usize];
        place.read_at(&mut length, 0).map_err(unreadable)?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER.min(size - LENGTH) {
            return Err(damaged(SafeTensorError::InvalidHeaderLength));
        }
        let mut json = vec![0; length as usize];
        place.read_at(&mut json, LENGTH).map_err(unreadable)?;
        let header: Metadata = serde_json::from_slice(&json)
            .map_err(|error| damaged(SafeTensorError::InvalidHeaderDeserialization(error)))?;
        let data = LENGTH + length;
        if header.data_len() as u64 != size - data {
            return Err(damaged(SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(Self {
            path: path.to_owned(),
            place,
            header,
            data,
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

    fn read(&self, name: &str, from: usize, out: &mut [f32]) -> Result<(), WeightsError> {
        let info = self.header.info(name).ok_or_else(|| missing(name))?;
        let widen = widening(name, info.dtype)?;
        let size = info.dtype.bitsize() / 8;
        let start = info.data_offsets.0 + from * size;
        if start + out.len() * size > info.data_offsets.1 {
            return Err(missing(name));
        }
        let mut bytes = [0; 1 << 14];
        let mut offset = self.data + start as u64;
        for out in out.chunks_mut(bytes.len() / size) {
            let bytes = &mut bytes[..out.len() * size];
            let read = self.place.read_at(bytes, offset);
            read.map_err(|source| WeightsError::Read {
                path: self.path.clone(),
                source,
            })?;
            widen(bytes, out);
            offset += bytes.len() as u64;
        }
        Ok(())
    }
}

fn missing(name: &str) -> WeightsError {
    WeightsError::Missing {
        name: name.to_owned(),
    }
}

/// Turns stored bytes into f32, one number each.
type Widen = fn(&[u8], &mut [f32]);

fn widening(name: &str, dtype: Dtype) -> Result<Widen, WeightsError> {
    Ok(match dtype {
        Dtype::F32 => |bytes, out| each(bytes, out, f32::from_le_bytes),
        Dtype::BF16 => |bytes, out| each(bytes, out, |two| bf16::from_le_bytes(two).to_f32()),
        Dtype::F16 => |bytes, out| each(bytes, out, |two| f16::from_le_bytes(two).to_f32()),
        dtype => {
            return Err(WeightsError::Dtype {
                name: name.to_owned(),
                dtype,
            });
        }
    })
}

fn each<const SIZE: usize>(bytes: &[u8], out: &mut [f32], value: impl Fn([u8; SIZE]) -> f32) {
    for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
        *out = value(*bytes);
    }
}

impl Place {
    fn size(&self) -> io::Result<u64> {
        match self {
            Self::Disk(file) => Ok(file.metadata()?.len()),
            Self::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Disk(file) => read_at(file, out, offset),
            Self::Memory(bytes) => {
                let from = bytes.get(offset as usize..);
                let part = from.and_then(|bytes| bytes.get(..out.len()));
                out.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[read..];
        offset += read as u64;
    }
    Ok(())
}
