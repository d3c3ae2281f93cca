//! Orbax checkpoints, as the JAX original writes them: arrays by name.
//!
//! A checkpoint is a folder that holds an OCDBT database, TensorStore's ordered
//! key-value store, in which each array is a zarr (version 2) array:
//!
//! | key | value |
//! |---|---|
//! | `NAME/.zarray` | JSON: shape, chunk shape, dtype, compressor |
//! | `NAME/0.0` (`NAME/0` for a vector) | a chunk: the values, row-major, little-endian, compressed by zstd |
//!
//! In the folder, `manifest.ocdbt` names the root of a B-tree for each version,
//! and files below `d/` hold nodes and values, wherever the references say.
//! Manifest and nodes are framed alike ([`frame`]):
//!
//! | bytes | |
//! |---|---|
//! | 4 | magic number, big-endian: manifest `0cdb3a2a`, node `0cdb20de` |
//! | 8 | length of the whole, little-endian |
//! | varint | format version, 0 |
//! | varint | compression of the body: 0 none, 1 zstd |
//! | | body |
//! | 4 | CRC-32C of all before, little-endian |
//!
//! Bodies are [`manifest`], [`node`] and, in both, a [`file_table`]. They are
//! written column by column: all first fields, then all second ones. Varints
//! are base 128, lowest seven bits first. Chunks have no checksum of their own:
//! a bit that flips in one can change a value without being noticed.
//!
//! Checkpoints written without OCDBT are folders of zarr arrays, one file a
//! key; they are read too. The other files that Orbax writes (`_METADATA`,
//! `_sharding`, `checkpoint`) repeat names or say how devices held the arrays;
//! they are not needed.
//!
//! What the original cannot have written is refused by name: numbered
//! manifests, other dtypes and compressors, column-major order, zarr version 3
//! with its shards.
//!
//! The module knows nothing of the model, nor of the rest of the crate.

mod bytes;
mod checkpoint;
mod database;
mod error;
mod file_table;
mod frame;
mod manifest;
mod node;
mod place;
mod zarr;
mod zstd;

pub use checkpoint::Checkpoint;
pub use error::OrbaxError;
