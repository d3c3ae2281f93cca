//! `import`, `export`, and `generate` from a checkpoint of the JAX original.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use model::parameters::parameters;
use model::{ModelFolder, OriginalCheckpoint, Weights};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn golden(name: &str) -> PathBuf {
    fixture("model/tests/fixtures/orbax").join(name)
}

fn checkpoint() -> PathBuf {
    golden("f32_ts0.1.86/checkpoint-001.eqx")
}

/// The options that name a checkpoint and what belongs to it.
fn original(checkpoint: &Path) -> String {
    let beside = checkpoint.with_file_name("config.json");
    let config = match beside.is_file() {
        true => beside,
        false => golden("f32_ts0.1.86/config.json"),
    };
    let tokenizer = fixture("remi/tests/fixtures/miditok-2.1.8/seed-bpe/tokenizer.json");
    format!(
        "--config {} --checkpoint {} --tokenizer {}",
        config.display(),
        checkpoint.display(),
        tokenizer.display()
    )
}

fn run(folder: &TempDir, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tchaikovsky"));
    let command = command.current_dir(folder.path());
    command.args(arguments.split(' ')).output().unwrap()
}

#[track_caller]
fn succeed(folder: &TempDir, arguments: &str) -> String {
    let output = run(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments}: {errors}");
    errors
}

#[track_caller]
fn fail(folder: &TempDir, arguments: &str, code: i32, said: &str) {
    let before = fs::read_dir(folder.path()).unwrap().count();
    let output = run(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments}: {errors}");
    assert!(errors.contains(said), "{arguments}: {errors}");
    let after = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(before, after, "{arguments} leaves something behind");
}

#[test]
fn an_imported_model_plays_as_its_checkpoint_does() {
    let folder = TempDir::new().unwrap();
    let parts = original(&checkpoint());
    let told = succeed(&folder, &format!("import {parts} --out model"));
    assert!(told.contains("MidiTok 2.1.8"), "{told}");
    assert!(told.contains("1000 ids, its tokenizer 605"), "{told}");

    let model = ModelFolder::read(&folder.path().join("model")).unwrap();
    let checkpoint = OriginalCheckpoint::open(&checkpoint()).unwrap();
    for parameter in parameters(&model.config) {
        let (values, _) = model.weights.tensor(&parameter.name).unwrap();
        let expected = checkpoint.values(&parameter.name).unwrap();
        assert_eq!(values, expected, "{}", parameter.name);
    }

    let midi = fixture("remi/tests/fixtures/miditok-3.1.0/midi/performance-480.mid");
    let options = format!(
        "--prompt_midi {} --prompt_midi_slice 20 --max_to_generate 60 --seed 3",
        midi.display()
    );
    succeed(
        &folder,
        &format!("generate --model model {options} --output_file one.mid"),
    );
    succeed(
        &folder,
        &format!("generate {parts} {options} --output_file two.mid"),
    );
    let music = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(music("one.mid"), music("two.mid"));
}

#[test]
fn what_cannot_be_imported_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let parts = original(&checkpoint());
    fs::create_dir(folder.path().join("there")).unwrap();
    fail(
        &folder,
        &format!("import {parts} --out there"),
        2,
        "is there already",
    );
    let absent = original(Path::new("absent.eqx"));
    fail(
        &folder,
        &format!("import {absent} --out model"),
        1,
        "absent.eqx is no Orbax checkpoint",
    );
    fail(&folder, &format!("generate {absent}"), 1, "absent.eqx");

    let damaged = folder.path().join("damaged.eqx");
    copy_database(&damaged, |bytes| bytes.truncate(bytes.len() / 2));
    let parts = original(&damaged);
    fail(
        &folder,
        &format!("import {parts} --out model"),
        1,
        "is damaged",
    );
    fail(
        &folder,
        &format!("generate {parts} --output-file a.mid"),
        1,
        "is damaged",
    );

    let other = fixture("remi/tests/fixtures/miditok-3.1.0/default-bpe/tokenizer.json");
    let config = folder.path().join("config.json");
    fs::write(
        &config,
        r#"{"vocab_size": 300, "dim": 32, "heads": 2, "head_dim": 16}"#,
    )
    .unwrap();
    let small = format!(
        "--config config.json --checkpoint {} --tokenizer {}",
        checkpoint().display(),
        other.display()
    );
    fail(
        &folder,
        &format!("import {small} --out model"),
        1,
        "the model only 300",
    );
}

/// The model has 1,000 ids, its tokenizer, one of MidiTok 2.1.8, 605.
#[test]
fn an_imported_model_is_trained_further() {
    let folder = TempDir::new().unwrap();
    let parts = original(&golden("bf16_ts0.1.86/checkpoint-001.eqx"));
    succeed(&folder, &format!("import {parts} --out model"));
    let midis = fixture("remi/tests/fixtures/miditok-3.1.0/midi");
    let dataset = format!("--midis-dir {} --out-dir dataset", midis.display());
    succeed(
        &folder,
        &format!("tokenize {dataset} --tokenizer model --valid-proportion 0.3"),
    );
    let data = "--dataset dataset --min-sequence-length 8 --batch-size 4 --steps 2";
    let told = succeed(&folder, &format!("train --init model {data} --out tuned"));
    assert!(told.contains("trained in bf16"), "{told}");
    for model in ["model", "tuned"] {
        succeed(
            &folder,
            &format!("evaluate --model {model} --dataset dataset"),
        );
    }
    succeed(
        &folder,
        "generate --model tuned --notes 5 --output-file tuned.mid",
    );
    let read = |name: &str| ModelFolder::read(&folder.path().join(name)).unwrap();
    let (model, tuned) = (read("model"), read("tuned/step-00000002"));
    assert!(model.config.use_bf16 && !tuned.config.use_bf16);
    assert_eq!(tuned.config.vocab_size, 1000);
    assert_eq!(model.tokenizer, tuned.tokenizer);

    let fresh = "--heads 2 --head-dim 4 --num-layers 1 --max-sequence-length 32";
    let fresh = format!("train {data} {fresh} --out fresh");
    succeed(&folder, &format!("{fresh} --vocab-size 700"));
    assert_eq!(read("fresh/step-00000002").config.vocab_size, 700);
    fs::remove_dir_all(folder.path().join("fresh")).unwrap();
    fail(
        &folder,
        &format!("{fresh} --vocab-size 604"),
        2,
        "605 ids, the model only 604",
    );
}

#[test]
fn ids_that_the_tokenizer_lacks_are_never_chosen() {
    let folder = TempDir::new().unwrap();
    let parts = original(&checkpoint());
    succeed(&folder, &format!("import {parts} --out model"));
    let path = folder.path().join("model");
    let mut model = ModelFolder::read(&path).unwrap();
    let mut bias = model.weights.take("out_head.bias").unwrap();
    bias.values[605..].fill(1e3);
    let name = "out_head.bias".to_owned();
    model.weights.insert(name, bias.shape, bias.values);
    model.write(&path).unwrap();
    let options = "--free --no-end --max-to-generate 300 --output-file free.mid";
    succeed(&folder, &format!("generate --model model {options}"));
    let midi = fs::read(folder.path().join("free.mid")).unwrap();
    let score = score::read_midi(&midi).unwrap().score;
    let notes: usize = score.tracks.iter().map(|track| track.notes.len()).sum();
    assert!(notes > 0);
}

/// The database is whole, so the folder is begun; then a chunk is no zstd.
#[test]
fn a_chunk_that_fails_while_the_folder_is_written_leaves_no_folder() {
    let folder = TempDir::new().unwrap();
    let damaged = folder.path().join("damaged.eqx");
    copy_database(&damaged, |bytes| bytes[..4].fill(0));
    let parts = original(&damaged);
    fail(
        &folder,
        &format!("import {parts} --out model"),
        1,
        "no zstd frame",
    );
}

/// Copies the checkpoint; `change` is done to data files that begin with a chunk.
fn copy_database(target: &Path, change: impl Fn(&mut Vec<u8>)) {
    fs::create_dir_all(target.join("d")).unwrap();
    let manifest = "manifest.ocdbt";
    fs::copy(checkpoint().join(manifest), target.join(manifest)).unwrap();
    for entry in fs::read_dir(checkpoint().join("d")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            change(&mut bytes);
        }
        fs::write(target.join("d").join(path.file_name().unwrap()), bytes).unwrap();
    }
}

#[test]
fn exported_weights_have_the_names_of_a_torch_module() {
    let folder = TempDir::new().unwrap();
    succeed(
        &folder,
        &format!("import {} --out model", original(&checkpoint())),
    );
    succeed(
        &folder,
        "export --model model --to safetensors-torch torch.safetensors",
    );
    let exported = Weights::read(&folder.path().join("torch.safetensors")).unwrap();
    let shape = |name: &str| exported.tensor(name).unwrap().1.to_vec();
    assert_eq!(shape("layers.1.attention.in_proj_weight"), [96, 32]);
    assert_eq!(shape("layers.0.mlp.2.weight"), [32, 128]);
    assert_eq!(exported.iter().count(), 6 + 2 * 12);
    assert_eq!(exported.metadata("heads"), Some("2"));
    let model = ModelFolder::read(&folder.path().join("model")).unwrap();
    let (joined, _) = exported
        .tensor("layers.0.attention.in_proj_weight")
        .unwrap();
    let (keys, _) = model
        .weights
        .tensor("decoder.layers.0.attn.key_proj.weight")
        .unwrap();
    assert_eq!(&joined[32 * 32..2 * 32 * 32], keys);
    // The model in the box has rotary positions.
    #[cfg(feature = "built-in-model")]
    {
        succeed(&folder, "export --to safetensors-torch torch.safetensors");
        let exported = Weights::read(&folder.path().join("torch.safetensors")).unwrap();
        assert!(exported.tensor("position_embedding.weight").is_err());
        assert!(exported.tensor("head.weight").is_ok());
    }
    fail(
        &folder,
        "export --model model --to onnx a.onnx",
        2,
        "there are safetensors-torch, folder and folder-bf16",
    );
    fail(
        &folder,
        "export --model model --to safetensors-torch",
        2,
        "--to",
    );
}
