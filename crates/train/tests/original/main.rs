//! The optimiser chain against the JAX original.

#[path = "../../../model/tests/original/goldens.rs"]
mod goldens;
mod optimiser;
