//! Sound files.

mod flac;
mod quantize;
mod wav;

pub use flac::write_flac;
pub use wav::write_wav;

/// How samples are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Whole numbers of 16 bits, dithered.
    #[default]
    Sixteen,
    /// Whole numbers of 24 bits, dithered.
    TwentyFour,
    /// Floating point, 32 bits (WAV only; FLAC then keeps 24).
    Float,
}
