//! The same weights from every layout in which they can lie, and what is
//! refused by name.

use std::fs;

use model::{OriginalCheckpoint, WeightsError};

use crate::support::{config, copy, expected, fixture, read};

#[track_caller]
fn holds(folder: &str, weights_of: &str) {
    let found = read(&fixture(folder), &config(weights_of)).unwrap();
    assert!(found == expected(weights_of), "{folder}");
}

#[test]
fn checkpoints_of_the_original_come_back_bit_for_bit() {
    for name in ["f32_ts0.1.49", "f32_ts0.1.86", "bf16_ts0.1.86"] {
        holds(&format!("{name}/checkpoint-001.eqx"), name);
    }
}

#[test]
fn so_do_those_of_other_shapes() {
    for name in ["wide", "one-layer-bf16", "tiny"] {
        holds(&format!("{name}/checkpoint-001.eqx"), name);
    }
}

#[test]
fn interior_nodes_are_followed() {
    holds("interior", "tiny");
}

#[test]
fn the_newest_of_many_versions_in_many_uncompressed_files_counts() {
    holds("plain", "tiny");
    holds("interior-plain-versions", "tiny");
}

#[test]
fn arrays_of_many_uncompressed_chunks_are_joined() {
    holds("chunked", "tiny");
}

#[test]
fn folders_of_arrays_without_a_database_are_read() {
    holds("folders", "tiny");
}

#[test]
fn names_of_other_models_and_shapes_are_refused() {
    let folder = fixture("tiny/checkpoint-001.eqx");
    let checkpoint = OriginalCheckpoint::open(&folder).unwrap();
    let mut other = config("tiny");
    other.vocab_size += 1;
    let error = checkpoint.check(&other).unwrap_err();
    assert!(matches!(error, WeightsError::Shape { found, .. } if found == [7, 4]));
    other = config("tiny");
    other.num_layers = 1;
    let error = checkpoint.check(&other).unwrap_err();
    assert!(matches!(error, WeightsError::Unknown { name } if name.contains("layers.1.")));
    other.num_layers = 3;
    let error = checkpoint.check(&other).unwrap_err();
    assert!(matches!(error, WeightsError::Missing { name } if name.contains("layers.2.")));
}

#[track_caller]
fn refused(folder: &str, word: &str) {
    let error = read(&fixture(folder), &config("tiny")).unwrap_err();
    assert!(error.contains(word), "{error}");
    assert!(error.contains(folder), "{error}");
}

#[test]
fn what_the_original_does_not_write_is_refused_by_name() {
    refused("sharded", "a sharded array of zarr version 3");
    refused("numbered", "numbered manifests");
    refused("tiny", "no Orbax checkpoint");
    refused("absent", "no Orbax checkpoint");
}

/// Descriptions of arrays that are in order, but not what the original writes.
#[test]
fn other_arrays_are_refused_by_name() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("folders");
    copy(&fixture("folders"), &folder);
    let path = folder.join("0.norm_out.bias/.zarray");
    let text = fs::read_to_string(&path).unwrap();
    let changes = [
        ("\"<f4\"", "\"<f8\"", "<f8"),
        ("\"<f4\"", "\">f4\"", ">f4"),
        ("\"C\"", "\"F\"", "order F"),
        ("\"zstd\"", "\"blosc\"", "blosc"),
        (
            "\"filters\":null",
            "\"filters\":[{\"id\":\"delta\"}]",
            "filters",
        ),
        ("\"zarr_format\":2", "\"zarr_format\":3", "zarr version 3"),
        ("\"shape\":[4]", "\"shape\":[4,4]", "[4, 4]"),
        ("\"chunks\":[4]", "\"chunks\":[0]", "[0]"),
        (
            "\"shape\":[4]",
            "\"shape\":[4611686018427387904]",
            "4611686018427387904",
        ),
        (
            "\"chunks\":[4]",
            "\"chunks\":[2000000000]",
            "not the 8000000000",
        ),
        ("\"chunks\":[4]", "\"chunks\":[3]", "more than 12 bytes"),
        ("\"shape\"", "\"size\"", "missing field `shape`"),
    ];
    for (from, to, word) in changes {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        fs::write(&path, changed).unwrap();
        let error = read(&folder, &config("tiny")).unwrap_err();
        assert!(error.contains(word), "{to}: {error}");
        assert!(error.contains("0.norm_out.bias"), "{to}: {error}");
    }
}

#[test]
fn values_that_are_no_numbers_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("folders");
    copy(&fixture("folders"), &folder);
    let array = folder.join("0.norm_out.bias");
    let description = fs::read_to_string(array.join(".zarray")).unwrap();
    let plain = description.replace("{\"id\":\"zstd\",\"level\":3}", "null");
    assert_ne!(plain, description);
    fs::write(array.join(".zarray"), plain).unwrap();
    let values = [1.0, f32::NAN, 2.0, 3.0_f32];
    fs::write(array.join("0"), values.map(f32::to_le_bytes).concat()).unwrap();
    let error = read(&folder, &config("tiny")).unwrap_err();
    assert!(
        error.contains("value 1 of tensor norm_out.bias is NaN"),
        "{error}"
    );
}
