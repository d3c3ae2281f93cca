//! Zarr arrays (version 2): their description and their chunks.

use serde::Deserialize;
use serde_json::Value;

use super::error::{Flaw, damaged, unsupported};
use super::zstd::decompress;

/// The most values an array, or a chunk, may have: 8 GiB of f32.
const MAX_VALUES: usize = 1 << 31;

/// `.zarray`.
#[derive(Deserialize)]
struct Description {
    zarr_format: u64,
    shape: Vec<usize>,
    chunks: Vec<usize>,
    dtype: Value,
    compressor: Option<Value>,
    filters: Option<Vec<Value>>,
    order: String,
    fill_value: Option<f32>,
    #[serde(default = "point")]
    dimension_separator: String,
}

fn point() -> String {
    ".".to_owned()
}

#[derive(Clone, Copy)]
enum Dtype {
    F32,
    Bf16,
}

/// An array whose chunks can be read.
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    chunk: Vec<usize>,
    dtype: Dtype,
    compressed: bool,
    /// The value of chunks that are not there; none where they have to be.
    fill: Option<f32>,
    separator: String,
}

impl Array {
    /// Reads a description.
    pub(super) fn parse(json: &[u8]) -> Result<Self, Flaw> {
        let parsed = serde_json::from_slice(json);
        let description: Description =
            parsed.or_else(|error| damaged(format!("no description of an array: {error}")))?;
        let Description {
            zarr_format,
            shape,
            chunks: chunk,
            order,
            filters,
            ..
        } = description;
        if zarr_format != 2 {
            return unsupported(format!("zarr version {zarr_format}"));
        }
        let dtype = match description.dtype.as_str() {
            Some("<f4") => Dtype::F32,
            Some("bfloat16") => Dtype::Bf16,
            _ => {
                return unsupported(format!(
                    "values of dtype {}, not <f4 or bfloat16",
                    description.dtype
                ));
            }
        };
        if order != "C" {
            return unsupported(format!("values in order {order}"));
        }
        if filters.is_some_and(|filters| !filters.is_empty()) {
            return unsupported("filters");
        }
        let compressed = match &description.compressor {
            None => false,
            Some(compressor) if compressor["id"] == "zstd" => true,
            Some(other) => return unsupported(format!("the compressor {}", other["id"])),
        };
        if shape.len() != chunk.len() || chunk.contains(&0) {
            return damaged(format!(
                "chunks of shape {chunk:?} in an array of {shape:?}"
            ));
        }
        for shape in [&shape, &chunk] {
            let values = count(shape);
            if values.is_none_or(|values| values > MAX_VALUES) {
                return damaged(format!("an array of shape {shape:?}"));
            }
        }
        Ok(Self {
            shape,
            chunk,
            dtype,
            compressed,
            fill: description.fill_value,
            separator: description.dimension_separator,
        })
    }

    /// All values, row-major. `get` gives the bytes of a chunk by its name.
    pub(super) fn read<E: From<Flaw>>(
        &self,
        mut get: impl FnMut(&str) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Vec<f32>, E> {
        if self.chunk == self.shape {
            return match get(&self.name(&vec![0; self.shape.len()]))? {
                Some(bytes) => Ok(self.decode(bytes)?),
                None => Ok(vec![self.filled()?; count(&self.shape).unwrap_or(0)]),
            };
        }
        let mut values = vec![self.fill.unwrap_or(0.0); count(&self.shape).unwrap_or(0)];
        let grid = self.shape.iter().zip(&self.chunk);
        let grid: Vec<usize> = grid.map(|(size, chunk)| size.div_ceil(*chunk)).collect();
        for index in indices(&grid) {
            match get(&self.name(&index))? {
                Some(bytes) => self.place(&index, &self.decode(bytes)?, &mut values),
                None => drop(self.filled()?),
            }
        }
        Ok(values)
    }

    /// A chunk's name: its index, joined.
    fn name(&self, index: &[usize]) -> String {
        match index.is_empty() {
            true => "0".to_owned(),
            false => {
                let parts: Vec<String> = index.iter().map(ToString::to_string).collect();
                parts.join(&self.separator)
            }
        }
    }

    fn filled(&self) -> Result<f32, Flaw> {
        match self.fill {
            Some(value) => Ok(value),
            None => damaged("a chunk is missing"),
        }
    }

    /// The values of a chunk from its bytes.
    fn decode(&self, stored: Vec<u8>) -> Result<Vec<f32>, Flaw> {
        let width = match self.dtype {
            Dtype::F32 => 4,
            Dtype::Bf16 => 2,
        };
        let length = count(&self.chunk).unwrap_or(0) * width;
        let bytes = match self.compressed {
            true => decompress(&stored, length)?,
            false => stored,
        };
        if bytes.len() != length {
            return damaged(format!(
                "a chunk has {} bytes, not the {length} of shape {:?}",
                bytes.len(),
                self.chunk
            ));
        }
        Ok(match self.dtype {
            Dtype::F32 => {
                let (fours, _) = bytes.as_chunks::<4>();
                fours.iter().map(|four| f32::from_le_bytes(*four)).collect()
            }
            Dtype::Bf16 => {
                let (twos, _) = bytes.as_chunks::<2>();
                let widen = |two: &[u8; 2]| half::bf16::from_le_bytes(*two).to_f32();
                twos.iter().map(widen).collect()
            }
        })
    }

    /// Copies a chunk's values to their places. Chunks at the far edges reach
    /// beyond the array.
    fn place(&self, index: &[usize], chunk: &[f32], values: &mut [f32]) {
        let begin: Vec<usize> = index.iter().zip(&self.chunk).map(|(i, n)| i * n).collect();
        let inside = begin.iter().zip(&self.shape).zip(&self.chunk);
        let inside: Vec<usize> = inside
            .map(|((begin, size), chunk)| *chunk.min(&(size - begin)))
            .collect();
        let Some((run, rows)) = inside.split_last() else {
            return;
        };
        for row in indices(rows) {
            let offset = |shape: &[usize], begin: &[usize]| {
                let row = row.iter().chain([&0]);
                let axes = row.zip(begin).zip(shape);
                axes.fold(0, |offset, ((i, begin), size)| offset * size + begin + i)
            };
            let to = offset(&self.shape, &begin);
            let from = offset(&self.chunk, &vec![0; begin.len()]);
            values[to..to + run].copy_from_slice(&chunk[from..from + run]);
        }
    }
}

fn count(shape: &[usize]) -> Option<usize> {
    let mut axes = shape.iter();
    axes.try_fold(1_usize, |values, axis| values.checked_mul(*axis))
}

/// All indices into a shape, row-major.
fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    (0..count(shape).unwrap_or(0)).map(move |mut flat| {
        let mut index = vec![0; shape.len()];
        for (place, size) in index.iter_mut().zip(shape).rev() {
            (*place, flat) = (flat % size, flat / size);
        }
        index
    })
}
