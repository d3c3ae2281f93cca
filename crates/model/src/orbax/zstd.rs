//! Decompressing one zstd frame into bounded memory.

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::error::{Flaw, damaged};

/// Bytes to decompress before they are taken out.
const BATCH: usize = 1 << 20;

/// A decoder keeps this much of its output, whatever is asked for.
const SMALL_WINDOW: u64 = 8 << 20;

/// A block of four bytes can stand for 128 KiB, no shorter one for more.
const LARGEST_RATIO: usize = 1 << 15;

/// Decompresses a single frame of at most `limit` bytes. Memory is taken for
/// what is really there, not for what the frame claims.
pub(super) fn decompress(frame: &[u8], limit: usize) -> Result<Vec<u8>, Flaw> {
    let window = window(frame)?;
    if window > SMALL_WINDOW.max(limit as u64) {
        return damaged(format!(
            "its zstd frame asks for a window of {window} bytes"
        ));
    }
    let failed = |error: &dyn std::fmt::Display| Flaw::Damaged(format!("zstd: {error}"));
    let mut source = frame;
    let mut decoder = FrameDecoder::new();
    decoder.reset(&mut source).map_err(|error| failed(&error))?;
    let mut out = Vec::new();
    let likely = usize::try_from(decoder.content_size()).unwrap_or(limit);
    let possible = frame.len().saturating_mul(LARGEST_RATIO);
    out.reserve_exact(likely.min(limit).min(possible));
    while !decoder.is_finished() {
        let strategy = BlockDecodingStrategy::UptoBytes(BATCH);
        let decoded = decoder.decode_blocks(&mut source, strategy);
        decoded.map_err(|error| failed(&error))?;
        let taken = decoder.collect_to_writer(&mut out);
        taken.map_err(|error| failed(&error))?;
        if out.len() > limit {
            return damaged(format!("its zstd frame holds more than {limit} bytes"));
        }
    }
    let stored = decoder.get_checksum_from_data();
    if stored.is_some() && stored != decoder.get_calculated_checksum() {
        return damaged("the checksum of its zstd frame is wrong");
    }
    if !source.is_empty() {
        return damaged(format!("{} bytes follow its zstd frame", source.len()));
    }
    Ok(out)
}

/// How much of its output a frame asks the decoder to keep, which is the whole
/// of a frame in a single segment (RFC 8878, section 3.1.1.1).
fn window(frame: &[u8]) -> Result<u64, Flaw> {
    let [0x28, 0xb5, 0x2f, 0xfd, descriptor, rest @ ..] = frame else {
        return damaged("it holds no zstd frame where one should be");
    };
    let single_segment = descriptor & 0x20 != 0;
    if !single_segment {
        let Some(window) = rest.first() else {
            return damaged("its zstd frame ends too early");
        };
        let base = 1_u64 << (10 + (window >> 3));
        return Ok(base + base / 8 * u64::from(window & 7));
    }
    let id_length = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size_length = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let Some(size) = rest.get(id_length..id_length + size_length) else {
        return damaged("its zstd frame ends too early");
    };
    let mut bytes = [0; 8];
    bytes[..size_length].copy_from_slice(size);
    let more = if size_length == 2 { 256 } else { 0 };
    Ok(u64::from_le_bytes(bytes).saturating_add(more))
}
