//! WAV files, through `hound`.

use std::io::{self, Seek, Write};

use hound::{SampleFormat, WavSpec, WavWriter};

use super::Depth;
use super::quantize::Quantizer;
use crate::{Instrument, Performance, RenderError};

/// Room for the header within the 32 bits of a WAV file's length.
const HEADER: u64 = 100;

/// Plays a performance to its end into a WAV file. `progress` is told after each
/// block how many samples of a side are written, and says whether to go on.
///
/// # Errors
/// [`RenderError::Io`] where `writer` refuses, [`RenderError::TooLongForWav`]
/// at 4 GiB, [`RenderError::Stopped`] where `progress` says so, and what
/// [`Performance::check`] finds.
pub fn write_wav<I: Instrument>(
    performance: &mut Performance<I>,
    writer: impl Write + Seek,
    depth: Depth,
    mut progress: impl FnMut(u64) -> bool,
) -> Result<(), RenderError> {
    let (bits, sample_format) = match depth {
        Depth::Sixteen => (16, SampleFormat::Int),
        Depth::TwentyFour => (24, SampleFormat::Int),
        Depth::Float => (32, SampleFormat::Float),
    };
    let spec = WavSpec {
        channels: 2,
        sample_rate: performance.sample_rate(),
        bits_per_sample: bits,
        sample_format,
    };
    let bytes_a_sample = 2 * u64::from(bits) / 8;
    let most = (u64::from(u32::MAX) - HEADER) / bytes_a_sample;
    let mut wav = WavWriter::new(writer, spec).map_err(error)?;
    let mut quantizer = Quantizer::new(u32::from(bits.min(24)));
    let mut written = 0;
    while let Some((left, right)) = performance.next_block() {
        written += left.len() as u64;
        if written > most {
            let hours = most as f64 / f64::from(spec.sample_rate) / 3600.0;
            return Err(RenderError::TooLongForWav { hours });
        }
        for sample in left
            .iter()
            .zip(right)
            .flat_map(|(left, right)| [*left, *right])
        {
            let result = match sample_format {
                SampleFormat::Float => wav.write_sample(sample),
                SampleFormat::Int => wav.write_sample(quantizer.quantize(sample)),
            };
            result.map_err(error)?;
        }
        if !progress(written) {
            return Err(RenderError::Stopped);
        }
    }
    performance.check()?;
    wav.finalize().map_err(error)
}

fn error(error: hound::Error) -> RenderError {
    match error {
        hound::Error::IoError(error) => RenderError::Io(error),
        other => RenderError::Io(io::Error::other(other)),
    }
}
