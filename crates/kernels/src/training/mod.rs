//! The hot loops of training: products on packed operands, and the passes
//! around them.

pub mod adamw;
pub mod attention;
pub mod block;
pub mod cells;
pub mod dropout;
pub mod embedding;
pub mod head;
pub mod linear;
pub mod norm;
pub(crate) mod over_tokens;
pub(crate) mod panels;
pub(crate) mod product;
pub mod rows;
pub(crate) mod sinks;
pub(crate) mod tile;
