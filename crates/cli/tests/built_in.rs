//! The model in the box: it plays without a word, and can be taken out.

#![cfg(feature = "built-in-model")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use model::ModelFolder;
use model::folder::WEIGHTS_FILE;
use score::{Note, measure, read_midi};
use tempfile::TempDir;

fn run(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::cargo_bin("tchaikovsky").unwrap();
    let arguments = arguments.split_whitespace();
    command
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn succeed(folder: &Path, arguments: &str) -> String {
    let output = run(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder that the program was built from.
fn in_sources() -> PathBuf {
    sources().join("models/piano")
}

#[test]
fn generate_alone_makes_a_piece_and_says_where() {
    let folder = TempDir::new().unwrap();
    let said = succeed(folder.path(), "generate");
    let file = said.lines().next().unwrap();
    assert!(file.starts_with("generated_midis"), "{said}");
    let made = read_midi(&fs::read(folder.path().join(file)).unwrap()).unwrap();
    let figures = measure(&made.score);
    assert!(figures.notes > 50, "{} notes", figures.notes);
    // The last notes sound on, or bars without notes end the minute; very dense
    // music reaches the limit of tokens before.
    let minute = 40.0..75.0;
    assert!(minute.contains(&figures.seconds), "{} s", figures.seconds);
    assert!(said.contains(&format!("{} notes", figures.notes)), "{said}");
    assert!(said.contains("; seed 255"), "{said}");
}

#[test]
fn a_prompt_of_mine_is_kept_and_continued() {
    let folder = TempDir::new().unwrap();
    let prompt = sources().join("examples/prompts/greensleeves.mid");
    let read = |path: &Path| read_midi(&fs::read(path).unwrap()).unwrap().score;
    let options = "--seconds 5 --no-end --output-file more.mid";
    let arguments = format!("generate --prompt-midi {} {options}", prompt.display());
    succeed(folder.path(), &arguments);
    let pitches = |path: &Path| -> Vec<u8> {
        let mut notes: Vec<Note> = read(path)
            .tracks
            .into_iter()
            .flat_map(|t| t.notes)
            .collect();
        notes.sort_by_key(|note| (note.onset, note.pitch));
        notes.iter().map(|note| note.pitch).collect()
    };
    let (mine, whole) = (pitches(&prompt), pitches(&folder.path().join("more.mid")));
    // The last notes may begin together with the first new ones.
    let kept = mine.len() - 4;
    assert_eq!(whole[..kept], mine[..kept]);
    assert!(whole.len() > mine.len(), "{} notes", whole.len());
}

#[test]
fn what_is_exported_plays_the_same() {
    let folder = TempDir::new().unwrap();
    succeed(folder.path(), "export --to folder mine");
    succeed(folder.path(), "export --model mine --to folder-bf16 half");
    for (options, file) in [
        ("", "box.mid"),
        ("--model mine", "mine.mid"),
        ("--model half", "half.mid"),
    ] {
        let arguments = "--seconds 5 --no-end --seed 7 --output-file";
        succeed(
            folder.path(),
            &format!("generate {options} {arguments} {file}"),
        );
    }
    let bytes = |file: &str| fs::read(folder.path().join(file)).unwrap();
    assert!(bytes("box.mid") == bytes("mine.mid"));
    assert!(bytes("box.mid") == bytes("half.mid"));
    let size = |of: &str| {
        fs::metadata(folder.path().join(of).join(WEIGHTS_FILE))
            .unwrap()
            .len()
    };
    assert!(2 * size("half") < size("mine") + 10_000);
    let taken = run(folder.path(), "export --to folder mine");
    assert_eq!(taken.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("is there already"));
}

#[test]
fn it_is_evaluated_where_no_other_is_named() {
    let prompts = sources().join("examples/prompts");
    let mut prompts: Vec<PathBuf> = fs::read_dir(prompts)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "mid"))
        .collect();
    prompts.sort();
    let folder = TempDir::new().unwrap();
    let arguments = format!("evaluate --json {}", prompts[0].display());
    let said = succeed(folder.path(), &arguments);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let nats = report["all"]["nats_per_token"].as_f64().unwrap();
    // Any of its some 500 ids at random would cost more than 6 nats.
    assert!(nats < 5.0, "{nats} nats a token");
}

#[test]
fn it_is_small_whole_and_carries_its_card() {
    let model = ModelFolder::read(&in_sources()).unwrap();
    let files = fs::read_dir(in_sources()).unwrap();
    let bytes: u64 = files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes < 40 << 20, "{bytes} bytes");
    assert!(model.card.contains("CC BY-NC-SA 4.0"));
}

#[test]
fn parts_of_a_model_need_its_weights() {
    let folder = TempDir::new().unwrap();
    for part in ["--config config.json", "--tokenizer tokenizer.json"] {
        let output = run(folder.path(), &format!("generate {part}"));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains("--model"), "{errors}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
