//! The hot loops of training: products on packed operands, and the passes
//! around them.

pub mod cells;
pub(crate) mod panels;
pub(crate) mod product;
pub(crate) mod tile;
