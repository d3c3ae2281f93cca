//! The frame of manifests and nodes: magic number, length, checksum, body.

use std::borrow::Cow;

use super::bytes::Bytes;
use super::error::{Flaw, damaged, unsupported};
use super::zstd::decompress;

/// The largest body; the original's nodes are at most 100,000,000 bytes.
const MAX_BODY: usize = 128 << 20;

const CRC_LENGTH: usize = 4;

/// Checks a frame and gives its body, decompressed.
pub(super) fn open(frame: &[u8], magic: u32) -> Result<Cow<'_, [u8]>, Flaw> {
    let mut bytes = Bytes::new(frame);
    let found = u32::from_be_bytes(bytes.array()?);
    if found != magic {
        return damaged(format!("it begins with {found:08x}, not {magic:08x}"));
    }
    let length = u64::from_le_bytes(bytes.array()?);
    if length != frame.len() as u64 {
        return damaged(format!(
            "it says that it has {length} bytes, but has {}",
            frame.len()
        ));
    }
    let Some((checked, stored)) = frame.split_last_chunk::<CRC_LENGTH>() else {
        return damaged("it is too short for a checksum");
    };
    let (computed, stored) = (crc32c::crc32c(checked), u32::from_le_bytes(*stored));
    if computed != stored {
        return damaged(format!(
            "its CRC-32C is {computed:08x}, but should be {stored:08x}"
        ));
    }
    let version = bytes.varint()?;
    if version != 0 {
        return unsupported(format!("version {version} of the OCDBT format"));
    }
    let compression = bytes.varint()?;
    let Some((body, _)) = bytes.rest().split_last_chunk::<CRC_LENGTH>() else {
        return damaged("it has no body");
    };
    match compression {
        0 => Ok(Cow::Borrowed(body)),
        1 => decompress(body, MAX_BODY).map(Cow::Owned),
        other => unsupported(format!("compression {other} of OCDBT nodes")),
    }
}
