//! `train` and `evaluate` as users run them.

mod evaluation;
mod interruption;
mod option_file;
#[path = "../tokens/support.rs"]
mod support;
mod world;
