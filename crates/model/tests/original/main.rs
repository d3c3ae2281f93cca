//! The network against the JAX original and against its own definition.

mod differences;
mod fused;
mod goldens;
mod network;
