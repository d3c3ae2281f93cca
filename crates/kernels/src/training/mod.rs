//! The hot loops of training: products on packed operands, and the passes
//! around them.
//!
//! From the inside out: [`cells`] are the units that are multiplied, `tile` is
//! the product that stays in registers, `product` the loops around it, `panels`
//! and [`rows`] how operands lie, `sinks` what becomes of sums. [`linear`] packs
//! weights, `over_tokens` what the gradients of weights are made of.
//! [`attention`], [`block`], [`head`], [`embedding`], [`squares`] and [`adamw`] are
//! the passes that a network is put together from. [`peak`] is what all of them are held against.

pub mod adamw;
pub mod attention;
pub mod block;
pub(crate) mod buffer;
pub mod cells;
pub mod dropout;
pub mod embedding;
pub mod head;
pub mod linear;
pub mod norm;
pub(crate) mod over_tokens;
pub(crate) mod panels;
pub mod peak;
pub(crate) mod product;
pub mod rows;
pub(crate) mod sinks;
pub mod squares;
pub(crate) mod tile;
