//! The hot loops of training: products on packed operands, and the passes
//! around them.

pub mod attention;
pub mod cells;
pub mod dropout;
pub(crate) mod panels;
pub(crate) mod product;
pub(crate) mod tile;
