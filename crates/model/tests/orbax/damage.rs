//! Damaged databases: an error that names the file, or, where nothing could
//! notice, other values in the one array whose bytes were changed.

use std::fs;
use std::path::Path;

use rayon::prelude::*;

use crate::support::{Bits, config, copy, expected, files, fixture, read};

/// How many of the changes gave an error, the right weights, and other weights
/// of one array.
#[derive(Debug, Default, PartialEq)]
struct Outcomes {
    refused: usize,
    unharmed: usize,
    other_values: usize,
}

impl Outcomes {
    fn add(self, other: Self) -> Self {
        Self {
            refused: self.refused + other.refused,
            unharmed: self.unharmed + other.unharmed,
            other_values: self.other_values + other.other_values,
        }
    }
}

/// Reads a database once for each byte of each of its files, with that byte's
/// bits flipped.
fn flip_each_byte(database: &Path, right: &Bits) -> Outcomes {
    let outcomes = files(database).into_par_iter().map(|file| {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("checkpoint-001.eqx");
        copy(database, &folder);
        let path = folder.join(file.strip_prefix(database).unwrap());
        let bytes = fs::read(&path).unwrap();
        let mut outcomes = Outcomes::default();
        for index in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[index] ^= 0xff;
            fs::write(&path, &flipped).unwrap();
            match read(&folder, &config("tiny")) {
                Err(error) => {
                    let named = error.contains(&*folder.to_string_lossy());
                    assert!(named || error.contains("tensor "), "byte {index}: {error}");
                    outcomes.refused += 1;
                }
                Ok(weights) if weights == *right => outcomes.unharmed += 1,
                Ok(weights) => {
                    let pairs = weights.iter().zip(right);
                    let differ = pairs.filter(|(found, right)| found != right).count();
                    assert_eq!(differ, 1, "byte {index} of {}", path.display());
                    outcomes.other_values += 1;
                }
            }
        }
        outcomes
    });
    outcomes.reduce(Outcomes::default, Outcomes::add)
}

/// All of a compressed database but the chunks is under checksums.
#[test]
fn each_byte_flipped_of_a_database_with_interior_nodes() {
    let database = fixture("interior");
    let size: u64 = files(&database)
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    let outcomes = flip_each_byte(&database, &expected("tiny"));
    let Outcomes {
        refused,
        unharmed,
        other_values,
    } = outcomes;
    assert_eq!((refused + other_values) as u64, size);
    assert_eq!(unharmed, 0, "it has only one version");
    assert!(other_values < refused / 5, "{other_values} of {size}");
}

/// A manifest is one checksummed whole: no flipped byte goes unnoticed.
#[test]
fn each_bit_flipped_of_a_manifest() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("checkpoint");
    copy(&fixture("interior-plain-versions"), &folder);
    let path = folder.join("manifest.ocdbt");
    let bytes = fs::read(&path).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).unwrap();
        let error = read(&folder, &config("tiny")).unwrap_err();
        assert!(
            error.contains("manifest.ocdbt is damaged"),
            "bit {bit}: {error}"
        );
    }
}

#[test]
fn files_cut_short_at_any_length_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("checkpoint");
    let database = fixture("interior");
    copy(&database, &folder);
    for file in files(&database) {
        let path = folder.join(file.strip_prefix(&database).unwrap());
        let bytes = fs::read(&path).unwrap();
        for length in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
            fs::write(&path, &bytes[..length]).unwrap();
            let error = read(&folder, &config("tiny")).unwrap_err();
            assert!(
                error.contains(&*path.to_string_lossy()),
                "{length}: {error}"
            );
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert!(read(&folder, &config("tiny")).is_ok());
}

#[test]
fn missing_files_are_named() {
    for layout in ["interior", "interior-plain-versions", "folders"] {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("checkpoint");
        let database = fixture(layout);
        let mut refused = 0;
        for file in files(&database) {
            copy(&database, &folder);
            let path = folder.join(file.strip_prefix(&database).unwrap());
            fs::remove_file(&path).unwrap();
            match read(&folder, &config("tiny")) {
                Err(error) => {
                    let array = path.parent().and_then(Path::file_name).unwrap();
                    let parts = [
                        "no Orbax checkpoint",
                        &*path.to_string_lossy(),
                        array.to_str().unwrap().trim_start_matches("0."),
                    ];
                    assert!(parts.iter().any(|part| error.contains(part)), "{error}");
                    refused += 1;
                }
                Ok(weights) => assert!(weights == expected("tiny")),
            }
        }
        assert!(refused > 1, "{layout}");
    }
}

/// Lengths in manifests and nodes that are larger than any file, under a right
/// checksum.
#[test]
fn absurd_lengths_under_a_right_checksum_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("checkpoint");
    let database = fixture("interior-plain-versions");
    copy(&database, &folder);
    for file in files(&database) {
        let path = folder.join(file.strip_prefix(&database).unwrap());
        let bytes = fs::read(&path).unwrap();
        let body = 14..bytes.len() - 4;
        for index in body.step_by(61) {
            let mut absurd = bytes.clone();
            let nines = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
            let end = (index + nines.len()).min(bytes.len() - 4);
            absurd[index..end].copy_from_slice(&nines[..end - index]);
            let crc = crc32c::crc32c(&absurd[..absurd.len() - 4]).to_le_bytes();
            let end = absurd.len() - 4;
            absurd[end..].copy_from_slice(&crc);
            fs::write(&path, &absurd).unwrap();
            // What is read may be right: bytes of older versions do not matter.
            if let Err(error) = read(&folder, &config("tiny")) {
                assert!(
                    error.contains("checkpoint") || error.contains("tensor"),
                    "{error}"
                );
            }
        }
        fs::write(&path, &bytes).unwrap();
    }
}
