//! Piano rolls as SVG and PNG: one layout, two ways to paint it.

mod axis;
mod colours;
mod drawing;
mod png;
mod roll;
mod svg;

pub use drawing::{Align, Colour, Drawing, Shape};
pub use roll::{PictureOptions, draw};
