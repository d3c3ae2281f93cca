//! Generation: from ids to further ids, one after the other, without end.
//!
//! - [`Engine`]: the transformer for decoding on the CPU, with packed weights and
//!   a key/value cache for several sequences; it takes them from memory or from
//!   a [`WeightFile`].
//! - [`DeviceEngine`]: the same on any of Burn's devices, such as a GPU.
//! - [`Decoder`]: what both give to a session.
//! - [`Sampler`]: from logits to an id; its parts are plain functions in
//!   [`sampler`].
//! - [`Grammar`]: what may come next.
//! - [`Window`]: which ids the model sees when there are more than it has
//!   positions.
//! - [`Session`]: an iterator of ids over all of these, for one sample or many.
//! - [`Follower`]: from ids to notes, each as soon as it is complete.
//! - [`piece`]: from a prompt to whole pieces, over all of these.

mod clock;
pub mod decoder;
pub mod device_engine;
pub mod engine;
pub mod error;
pub mod follower;
pub mod grammar;
mod original_bf16;
mod packed;
mod pass;
pub mod piece;
mod prefixes;
pub mod sampler;
pub mod session;
mod state;
mod table;
mod used;
pub mod weight_file;
pub mod window;

pub use decoder::Decoder;
pub use device_engine::DeviceEngine;
pub use engine::{Engine, EngineOptions};
pub use error::EngineError;
pub use follower::{Event, Follower};
pub use grammar::Grammar;
pub use kernels::WeightFormat;
pub use piece::{
    Drawn, Ended, Length, Music, Part, PieceOptions, Pieces, Prompt, PromptError, Rules,
};
pub use sampler::{Sampler, SamplerError, SamplerOptions};
pub use session::{Finish, Sample, Session, SessionError, SessionOptions, Token};
pub use weight_file::{Tensors, WeightFile};
pub use window::Window;
