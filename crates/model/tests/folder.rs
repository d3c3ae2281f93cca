//! The model folder: round trip, and each way in which one can be wrong.

use std::fs;
use std::path::Path;

use half::bf16;
use model::folder::{CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, read_config, sha256};
use model::save::Stored;
use model::{ConfigError, FolderError, ModelConfig, ModelFolder, Size, Weights, WeightsError};

fn small() -> ModelConfig {
    ModelConfig {
        dim: 8,
        heads: 2,
        head_dim: 4,
        num_layers: 1,
        vocab_size: 11,
        max_sequence_length: 6,
        ..ModelConfig::default()
    }
}

fn written(folder: &Path, seed: u64) -> ModelFolder {
    let config = small();
    let model = ModelFolder {
        weights: Weights::initial(&config, seed),
        config,
        tokenizer: format!("{{\"seed\":{seed}}}").into_bytes(),
        card: "# a model\n".to_owned(),
    };
    model.write(folder).unwrap();
    model
}

#[test]
fn sizes_have_the_published_parameter_counts() {
    let count = |size| ModelConfig::of_size(size).parameter_count();
    assert_eq!(ModelConfig::default().parameter_count(), 35_982_096);
    assert_eq!(count(Size::Default), 35_982_096);
    assert_eq!(count(Size::Large), 101_184_784);
    assert_eq!(count(Size::Small), 10_126_608);
    assert!(count(Size::Tiny) < 4_000_000);
    for size in [Size::Tiny, Size::Small, Size::Default, Size::Large] {
        assert_eq!(ModelConfig::of_size(size).validate(), Ok(()));
    }
}

#[test]
fn half_the_size_holds_the_nearest_values() {
    let place = tempfile::tempdir().unwrap();
    let model = written(&place.path().join("whole"), 3);
    let folder = place.path().join("half");
    model.write_as(&folder, Stored::Bf16).unwrap();
    let half = ModelFolder::read(&folder).unwrap();
    assert_eq!((half.config, half.card), (model.config, model.card));
    let mut rounded_up = 0;
    for ((name, kept), (_, array)) in half.weights.iter().zip(model.weights.iter()) {
        assert_eq!(kept.shape, array.shape, "{name}");
        for (kept, value) in kept.values.iter().zip(&array.values) {
            // Neither neighbour of the same sign is nearer.
            let bits = bf16::from_f32(*kept).to_bits();
            for neighbour in [bits.wrapping_sub(1), bits + 1] {
                let other = bf16::from_bits(neighbour).to_f32();
                assert!((kept - value).abs() <= (other - value).abs() || *kept == 0.0);
            }
            rounded_up += usize::from(kept.abs() > value.abs());
        }
    }
    assert!(rounded_up > 100, "{rounded_up}");
    let size = |folder: &Path| fs::metadata(folder.join(WEIGHTS_FILE)).unwrap().len();
    assert!(size(&folder) < size(&place.path().join("whole")) * 3 / 4);
}

#[test]
fn a_configuration_of_the_original_can_be_read() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("config.json");
    fs::write(
        &path,
        r#"{"seed": 255, "dim": 96, "heads": 3, "head_dim": 32, "wandb": false}"#,
    )
    .unwrap();
    let config = read_config(&path).unwrap();
    assert_eq!(
        (config.dim, config.heads, config.vocab_size),
        (96, 3, 10_000)
    );
}

#[test]
fn impossible_configurations_name_the_field() {
    let wrong = ModelConfig {
        dim: 500,
        ..ModelConfig::default()
    };
    assert!(
        wrong
            .validate()
            .unwrap_err()
            .to_string()
            .contains("512 wide")
    );
    let wrong = ModelConfig {
        num_layers: 0,
        ..ModelConfig::default()
    };
    assert_eq!(
        wrong.validate(),
        Err(ConfigError::Zero {
            field: "num_layers"
        })
    );
    let wrong = ModelConfig {
        dropout: f64::NAN,
        ..ModelConfig::default()
    };
    assert!(matches!(wrong.validate(), Err(ConfigError::Dropout(_))));
    let wrong = ModelConfig {
        vocab_size: 3,
        ..ModelConfig::default()
    };
    assert_eq!(wrong.validate(), Err(ConfigError::VocabTooSmall(3)));
}

#[test]
fn a_tokenizer_fits_that_has_no_more_ids_than_the_model() {
    let model = ModelConfig::default();
    for ids in [4, 9_999, 10_000] {
        assert_eq!(model.check_vocab(ids), Ok(()));
    }
    let error = model.check_vocab(10_001).unwrap_err().to_string();
    assert!(error.contains("10001 ids, the model only 10000"), "{error}");
}

#[test]
fn a_folder_comes_back_as_written_and_can_be_replaced() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("a/model");
    for seed in [1, 2] {
        let model = written(&folder, seed);
        let back = ModelFolder::read(&folder).unwrap();
        assert_eq!(back.config, model.config);
        assert!(back.weights.iter().eq(model.weights.iter()));
        assert_eq!(back.tokenizer, model.tokenizer);
        assert_eq!(back.card, model.card);
        assert_eq!(fs::read_dir(folder.parent().unwrap()).unwrap().count(), 1);
    }
    assert!(
        !Weights::initial(&small(), 1)
            .iter()
            .eq(Weights::initial(&small(), 2).iter())
    );
}

#[test]
fn a_failed_write_leaves_the_old_folder_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("model");
    let model = written(&folder, 1);
    let full = model.write_with(&folder, |_| Err(std::io::ErrorKind::StorageFull.into()));
    assert!(matches!(full, Err(FolderError::Write { .. })));
    assert!(ModelFolder::read(&folder).is_ok());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_foreign_tokenizer_is_refused_with_both_hashes() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("model");
    let model = written(&folder, 1);
    fs::write(folder.join(TOKENIZER_FILE), b"other").unwrap();
    let message = ModelFolder::read(&folder).unwrap_err().to_string();
    assert!(message.contains(&sha256(&model.tokenizer)), "{message}");
    assert!(message.contains(&sha256(b"other")), "{message}");
}

#[test]
fn weights_trained_with_another_tokenizer_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let (one, two) = (place.path().join("one"), place.path().join("two"));
    written(&one, 1);
    written(&two, 2);
    fs::copy(one.join(WEIGHTS_FILE), two.join(WEIGHTS_FILE)).unwrap();
    let error = ModelFolder::read(&two).unwrap_err();
    assert!(
        matches!(error, FolderError::OtherTokenizer { .. }),
        "{error}"
    );
}

#[test]
fn each_damage_has_its_error() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("model");
    assert!(matches!(
        ModelFolder::read(&folder),
        Err(FolderError::NoFolder(_))
    ));

    written(&folder, 1);
    let weights = folder.join(WEIGHTS_FILE);
    let bytes = fs::read(&weights).unwrap();
    for length in [0, 7, 100, bytes.len() - 1] {
        fs::write(&weights, &bytes[..length]).unwrap();
        let error = ModelFolder::read(&folder).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{length}: {error}");
    }
    fs::remove_file(&weights).unwrap();
    assert!(
        ModelFolder::read(&folder)
            .unwrap_err()
            .to_string()
            .contains("model.safetensors")
    );

    written(&folder, 1);
    let config = folder.join(CONFIG_FILE);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replace("\"vocab_size\": 11", "\"vocab_size\": 12"),
    )
    .unwrap();
    let error = ModelFolder::read(&folder).unwrap_err();
    let wrong_shape = |source: &WeightsError| matches!(source, WeightsError::Shape { .. });
    assert!(matches!(&error, FolderError::Weights { source, .. } if wrong_shape(source)));
    fs::write(
        &config,
        text.replace("\"num_layers\": 1", "\"num_layers\": 2"),
    )
    .unwrap();
    let error = ModelFolder::read(&folder).unwrap_err();
    assert!(
        error.to_string().contains("no tensor decoder.layers.1"),
        "{error}"
    );
    fs::write(&config, text.replace("tokenizer_sha256", "other_key")).unwrap();
    ModelFolder::read(&folder).unwrap();
    let plain = Weights::read(&weights).unwrap().to_bytes(&[]).unwrap();
    fs::write(&weights, plain).unwrap();
    assert!(matches!(
        ModelFolder::read(&folder),
        Err(FolderError::NoTokenizerHash { .. })
    ));
    fs::write(&config, "{").unwrap();
    assert!(matches!(
        ModelFolder::read(&folder),
        Err(FolderError::ConfigJson { .. })
    ));
}
