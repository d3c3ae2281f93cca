//! The tokenising commands, driven as users drive them: the real binary, each
//! test in a folder of its own.

mod convert;
mod music;
mod support;
mod tokenize;
