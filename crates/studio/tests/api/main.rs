//! The API over real connections.

mod client;
mod generating;
mod guarding;
mod music;
mod piano;
mod queueing;
mod world;
