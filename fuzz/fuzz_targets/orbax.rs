//! Any bytes as the data file of an Orbax checkpoint, and as its manifest. The
//! checksums are put right first, so that what lies behind them is reached.
#![no_main]

#[path = "../../crates/model/src/orbax/mod.rs"]
mod orbax;

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use orbax::{Checkpoint, OrbaxError};

const MANIFEST: [u8; 4] = [0x0c, 0xdb, 0x3a, 0x2a];
const NODE: [u8; 4] = [0x0c, 0xdb, 0x20, 0xde];
const HEADER: usize = 14;
const LARGEST: usize = 1 << 16;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("fuzz-orbax-{}", std::process::id()));
    fs::create_dir_all(folder.join("d")).unwrap();
    folder
});

/// A frame with the right length and checksum around a body, uncompressed.
fn frame(magic: [u8; 4], body: &[u8]) -> Vec<u8> {
    let length = (HEADER + body.len() + 4) as u64;
    let mut frame = [&magic[..], &length.to_le_bytes(), &[0, 0], body].concat();
    frame.extend(crc32c::crc32c(&frame).to_le_bytes());
    frame
}

/// Puts the checksums of all nodes right; gives the place of the last.
fn mend(data: &mut [u8]) -> Option<(usize, usize)> {
    let mut last = None;
    for start in 0..data.len().saturating_sub(HEADER + 4) {
        let Some(rest) = data[start..].strip_prefix(&NODE) else {
            continue;
        };
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap());
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if (HEADER + 4..=data.len() - start).contains(&length) {
            let node = &mut data[start..start + length];
            let crc = crc32c::crc32c(&node[..length - 4]).to_le_bytes();
            node[length - 4..].copy_from_slice(&crc);
            last = Some((start, length));
        }
    }
    last
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A manifest whose only version has its root at a place in `d/data`.
fn manifest(height: u8, (offset, length): (usize, usize)) -> Vec<u8> {
    let mut body = vec![0; 16];
    body.extend([0, 1, 1, 4, 0]);
    body.extend([1, 6, 0]);
    body.extend(b"d/data");
    body.extend([1, 1, height, 0]);
    varint(offset, &mut body);
    varint(length, &mut body);
    body.extend([0; 3 + 8 + 1]);
    frame(MANIFEST, &body)
}

/// Writes the data file under its own name, and under that by which the first
/// of its nodes to name one knows it.
fn write_data(data: &[u8]) {
    fs::write(FOLDER.join("d/data"), data).unwrap();
    let hex = |byte: &u8| byte.is_ascii_hexdigit();
    let named = |window: &&[u8]| window.starts_with(b"d/") && window[2..].iter().all(hex);
    if let Some(name) = data.windows(2 + 32).find(named) {
        let name = String::from_utf8_lossy(name).into_owned();
        fs::write(FOLDER.join(name), data).unwrap();
    }
}

fn read() -> Result<(), OrbaxError> {
    let checkpoint = Checkpoint::open(&FOLDER)?;
    let shapes: Vec<_> = checkpoint.shapes().collect();
    for (name, shape) in shapes {
        let values = shape.iter().try_fold(1_usize, |all, axis| all.checked_mul(*axis));
        if values.is_some_and(|values| values <= LARGEST) {
            checkpoint.read(name)?;
        }
    }
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let mut data = bytes.to_vec();
    if let Some(root) = mend(&mut data) {
        let height = data[root.0 + HEADER];
        write_data(&data);
        fs::write(FOLDER.join("manifest.ocdbt"), manifest(height, root)).unwrap();
        let _either_way = read();
    }
    fs::write(FOLDER.join("manifest.ocdbt"), frame(MANIFEST, bytes)).unwrap();
    let _either_way = read();
});
