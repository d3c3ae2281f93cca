//! What can go wrong.

use std::io;

use thiserror::Error;

/// Why sound or a picture could not be made.
#[derive(Debug, Error)]
pub enum RenderError {
    /// The file could not be written.
    #[error("the file cannot be written")]
    Io(#[from] io::Error),
    /// A WAV file counts its bytes in 32 bits.
    #[error(
        "a WAV file ends at 4 GiB, which is {hours:.1} hours here; write FLAC, or less of the piece"
    )]
    TooLongForWav {
        /// Hours of sound that fit.
        hours: f64,
    },
    /// The encoder refused the samples.
    #[error("the sound cannot be encoded as FLAC: {0}")]
    Flac(String),
    /// A sample rate that cannot be had.
    #[error("a sample rate of {0} Hz is not possible; give one from {low} to {high}", low = SAMPLE_RATES.start(), high = SAMPLE_RATES.end())]
    SampleRate(u32),
    /// The bytes are no SoundFont.
    #[error("not a SoundFont 2 file ({0}); compressed ones (.sf3) have to be unpacked first")]
    SoundFont(String),
    /// It was stopped on request.
    #[error("stopped")]
    Stopped,
    /// The picture would be too large.
    #[error("the picture cannot be drawn: {0}")]
    Picture(String),
}

impl RenderError {
    /// A SoundFont whose parts contradict one another.
    pub(crate) fn damaged_soundfont() -> Self {
        Self::SoundFont("its parts do not fit together".to_owned())
    }
}

/// Sample rates at which sound is made, in Hz.
pub const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 16_000..=192_000;
