//! Checkpoints of the JAX original, as it and TensorStore write them.

mod damage;
mod layouts;
mod support;
