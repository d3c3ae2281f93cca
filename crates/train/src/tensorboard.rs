//! TensorBoard event files: scalars over steps.
//!
//! A file is a sequence of TFRecords (length, its checksum, payload, its
//! checksum; checksums are CRC-32C, rotated and offset), each payload an `Event`
//! message of TensorFlow's `event.proto`, of which three fields are written:
//! `wall_time` = 1, `step` = 2, and either `file_version` = 3 or `summary` = 5
//! with values of `tag` = 1 and `simple_value` = 2.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// TensorBoard reads files whose name holds this.
const MARK: &str = "events.out.tfevents.";

/// An event file, open for more events.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Opens the event file in `folder`, without what comes after the last event
    /// of step `steps`: later events are of steps that a kill undid. A new one
    /// is begun where there is none.
    ///
    /// # Errors
    /// What the system says, with the file's path.
    pub fn open(folder: &Path, steps: u64) -> Result<Self, (PathBuf, io::Error)> {
        let seconds = since_1970() as u64;
        let path = existing(folder).unwrap_or_else(|| folder.join(format!("{MARK}{seconds}.run")));
        let open = || {
            let bytes = match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                bytes => bytes?,
            };
            let kept = kept(&bytes, steps);
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.set_len(kept as u64)?;
            if kept == 0 {
                let mut event = event(0);
                bytes_field(&mut event, 3, b"brain.Event:2");
                file.write_all(&record(&event))?;
            }
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err((path, error)),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one event with these scalars (tag, value) of `step`.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self, step: u64, scalars: &[(&str, f64)]) -> io::Result<()> {
        let mut summary = Vec::new();
        for (tag, value) in scalars {
            let mut message = Vec::new();
            bytes_field(&mut message, 1, tag.as_bytes());
            message.push(2 << 3 | 5);
            message.extend_from_slice(&(*value as f32).to_le_bytes());
            bytes_field(&mut summary, 1, &message);
        }
        let mut event = event(step);
        bytes_field(&mut event, 5, &summary);
        self.file.write_all(&record(&event))
    }
}

fn existing(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let is_event_file = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(MARK))
    };
    entries.map(|entry| entry.path()).find(is_event_file)
}

fn since_1970() -> f64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH);
    passed.map_or(0.0, |passed| passed.as_secs_f64())
}

/// Length of the records up to the first that is of a later step, cut short or
/// damaged.
fn kept(bytes: &[u8], steps: u64) -> usize {
    let mut end = 0;
    while let Some(event) = next_record(&bytes[end..])
        && step(event).is_some_and(|step| step <= steps)
    {
        end += event.len() + 16;
    }
    end
}

/// The payload of the first record, where that is whole.
fn next_record(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let known = u32::from_le_bytes(*checksum) == masked_crc(length);
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let payload = rest.get(..length).filter(|_| known)?;
    let (checksum, _) = rest.get(length..)?.split_first_chunk::<4>()?;
    (u32::from_le_bytes(*checksum) == masked_crc(payload)).then_some(payload)
}

/// The step of an event as [`event`] begins it.
fn step(event: &[u8]) -> Option<u64> {
    let (tag, bytes) = event.get(9..)?.split_first()?;
    let mut value = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return (*tag == 2 << 3).then_some(value);
        }
    }
    None
}

fn event(step: u64) -> Vec<u8> {
    let mut event = vec![1 << 3 | 1];
    event.extend_from_slice(&since_1970().to_le_bytes());
    event.push(2 << 3);
    varint(&mut event, step);
    event
}

fn bytes_field(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    message.push(number << 3 | 2);
    varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn record(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(payload.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked_crc(&length).to_le_bytes());
    record.extend_from_slice(payload);
    record.extend_from_slice(&masked_crc(payload).to_le_bytes());
    record
}

fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_and_torn_events_are_cut_off() {
        let place = tempfile::tempdir().unwrap();
        let mut file = EventFile::open(place.path(), 0).unwrap();
        for step in [1, 2, 300] {
            file.write(step, &[("train/loss", 0.5)]).unwrap();
        }
        let path = file.path().to_owned();
        let whole = fs::read(&path).unwrap();
        assert_eq!(kept(&whole, 300), whole.len());
        assert_eq!(kept(&whole[..whole.len() - 1], 300), kept(&whole, 299));

        let mut file = EventFile::open(place.path(), 1).unwrap();
        assert_eq!(file.path(), path);
        let short = fs::read(&path).unwrap();
        assert_eq!(short, whole[..kept(&whole, 1)]);
        file.write(2, &[("train/loss", 0.25)]).unwrap();
        assert_eq!(fs::read(&path).unwrap().len(), kept(&whole, 2));
    }

    #[test]
    fn a_record_is_framed_as_tensorflow_does() {
        // CRC-32C of eight zero bytes is 0x8c28b28a; turned right by 15 bits and
        // with the mask added that is:
        assert_eq!(masked_crc(&[0; 8]), 0x0798_0329);
        assert_eq!(next_record(&record(b"abc")), Some(&b"abc"[..]));
    }
}
