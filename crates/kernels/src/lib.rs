//! The hot loops of decoding and training as functions on slices. For decoding:
//! matrix products on packed weights, layer norm, softmax, SiLU, attention over a
//! key/value cache. For training ([`training`]): whole layers forward and
//! backward, loss, embeddings, AdamW. And the small team of threads that runs
//! them.
//!
//! # One source, several instruction sets
//! Every kernel is written once over [`lanes::Lanes`], sixteen f32 values at a
//! time, and compiled for each instruction set; [`Isa`] chooses at run time.
//! [`Isa::plain`] is the same kernel in plain Rust and runs everywhere; the
//! tests compare every other instruction set with it.
//!
//! # Same bits
//! A value's sum is always taken in the same order: along the columns, one
//! accumulator a row (tiles of AMX sum 32 columns of bf16 apart before they add
//! them). It does not depend on the number of threads, on which thread computes it or
//! on how many rows are computed together, so a sequence decoded alone and in a batch
//! gets the same bits.
//!
//! # Errors
//! Shapes that do not fit are programming errors and panic; each function says
//! which shapes it takes.

pub mod activations;
pub mod attention;
mod cache;
pub mod elements;
pub mod exp;
pub mod isa;
pub mod lanes;
#[cfg(target_arch = "x86_64")]
mod lanes_avx2;
#[cfg(target_arch = "x86_64")]
mod lanes_avx512;
#[cfg(target_arch = "aarch64")]
mod lanes_neon;
pub mod matrix;
mod memory;
pub mod norm;
pub mod nucleus;
pub mod product;
pub mod rotary;
mod shared;
pub mod team;
mod tile;
pub mod training;

pub use activations::{Activations, Conversion, convert};
pub use attention::{Attending, Attention, Caches, Prefix, Span};
pub use cache::{CacheShape, HeadCache};
pub use isa::Isa;
pub use matrix::{Matrix, WeightFormat};
pub use memory::{Piece, Pool};
pub use product::{Output, Product, Products, Then, products};
pub use rotary::Rotary;
pub use team::{Tasks, Team};
