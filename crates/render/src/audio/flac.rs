//! FLAC files, through `flacenc`, frame by frame: what is encoded is written, so
//! memory does not grow.

use std::io::{Seek, SeekFrom, Write};

use flacenc::bitsink::ByteSink;
use flacenc::component::{BitRepr, Stream, StreamInfo};
use flacenc::config::Encoder;
use flacenc::encode_fixed_size_frame;
use flacenc::error::{Verified, Verify};
use flacenc::source::{Context, Fill, FrameBuf};

use super::Depth;
use super::quantize::Quantizer;
use crate::{Instrument, Performance, RenderError};

/// Samples of a side in a frame, as the reference encoder has it.
const FRAME: usize = 4096;
/// A last frame of fewer samples is filled up with silence.
const SHORTEST_FRAME: usize = 32;

/// Plays a performance to its end into a FLAC file. `progress` is told after each
/// block how many samples of a side are played, and says whether to go on.
///
/// # Errors
/// [`RenderError::Io`] where `writer` refuses, [`RenderError::Flac`] where the
/// encoder does, [`RenderError::Stopped`] where `progress` says so, and what
/// [`Performance::check`] finds.
pub fn write_flac<I: Instrument>(
    performance: &mut Performance<I>,
    writer: impl Write + Seek,
    depth: Depth,
    mut progress: impl FnMut(u64) -> bool,
) -> Result<(), RenderError> {
    let bits = match depth {
        Depth::Sixteen => 16,
        Depth::TwentyFour | Depth::Float => 24,
    };
    let mut quantizer = Quantizer::new(bits);
    let mut flac = Flac::begin(writer, performance.sample_rate(), bits as usize)?;
    let mut samples = Vec::with_capacity(4 * FRAME);
    let mut played = 0;
    while let Some((left, right)) = performance.next_block() {
        played += left.len() as u64;
        for (left, right) in left.iter().zip(right) {
            samples.extend([quantizer.quantize(*left), quantizer.quantize(*right)]);
        }
        while samples.len() >= 2 * FRAME {
            flac.frame(&samples[..2 * FRAME])?;
            samples.drain(..2 * FRAME);
        }
        if !progress(played) {
            return Err(RenderError::Stopped);
        }
    }
    if !samples.is_empty() {
        samples.resize(samples.len().max(2 * SHORTEST_FRAME), 0);
        flac.frame(&samples)?;
    }
    performance.check()?;
    flac.finish()
}

struct Flac<W> {
    writer: W,
    config: Verified<Encoder>,
    info: StreamInfo,
    buffer: FrameBuf,
    context: Context,
    frames: usize,
}

impl<W: Write + Seek> Flac<W> {
    fn begin(writer: W, sample_rate: u32, bits: usize) -> Result<Self, RenderError> {
        let config = Encoder::default().into_verified();
        let mut flac = Self {
            writer,
            config: config.map_err(|(_, error)| refused(error))?,
            info: StreamInfo::new(sample_rate as usize, 2, bits).map_err(refused)?,
            buffer: FrameBuf::with_size(2, FRAME).map_err(refused)?,
            context: Context::new(bits, 2),
            frames: 0,
        };
        flac.info.set_block_sizes(FRAME, FRAME).map_err(refused)?;
        flac.header()?;
        Ok(flac)
    }

    /// Encodes interleaved samples.
    fn frame(&mut self, samples: &[i32]) -> Result<(), RenderError> {
        self.buffer.fill_interleaved(samples).map_err(refused)?;
        self.context.fill_interleaved(samples).map_err(refused)?;
        let frame = encode_fixed_size_frame(&self.config, &self.buffer, self.frames, &self.info)
            .map_err(refused)?;
        self.frames += 1;
        self.info.update_frame_info(&frame);
        let mut bytes = ByteSink::new();
        frame.write(&mut bytes).map_err(refused)?;
        Ok(self.writer.write_all(bytes.as_slice())?)
    }

    /// Writes the header again, now that length and checksum are known.
    fn finish(mut self) -> Result<(), RenderError> {
        // The last frame may be shorter without counting as a block size.
        self.info.set_block_sizes(FRAME, FRAME).map_err(refused)?;
        self.info.set_md5_digest(&self.context.md5_digest());
        self.writer.seek(SeekFrom::Start(0))?;
        self.header()?;
        Ok(self.writer.flush()?)
    }

    fn header(&mut self) -> Result<(), RenderError> {
        let mut bytes = ByteSink::new();
        let stream = Stream::with_stream_info(self.info.clone());
        stream.write(&mut bytes).map_err(refused)?;
        Ok(self.writer.write_all(bytes.as_slice())?)
    }
}

fn refused(error: impl std::fmt::Display) -> RenderError {
    RenderError::Flac(error.to_string())
}
