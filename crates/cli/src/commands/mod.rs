//! One module a command: what is typed, what it means, what it does.

pub mod decode;
pub mod encode;
pub mod evaluate;
pub mod export;
pub mod generate;
pub mod import;
pub mod inspect;
pub mod render;
pub mod serve;
pub mod tokenize;
pub mod train;
