//! Drives `tchaikovsky generate` with an untrained model: what it plays is
//! arbitrary, how it ends, is written and fails is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use assert_cmd::Command;
use score::{Note, Pedal, Score, Tempo, TempoMap, Track, read_midi, write_midi};
use serde_json::Value;
use tempfile::TempDir;

/// Half-second notes in 4/4, a bar of pedal every other bar, 90 quarters a
/// minute.
fn piece(notes: u32, seed: u32) -> Score {
    let mut score = Score::new(480);
    score.tempos.push(Tempo {
        onset: 0,
        microseconds_per_quarter: 666_667,
    });
    let mut track = Track::piano();
    for index in 0..notes {
        track.notes.push(Note {
            onset: index * 480,
            duration: 400 + 40 * (index % 5),
            pitch: 48 + ((index * (7 + seed) + index / 5) % 30) as u8,
            velocity: 50 + (index * 11 % 60) as u8,
        });
    }
    for bar in (0..notes / 4).step_by(2) {
        track.pedals.push(Pedal {
            onset: bar * 1920,
            duration: 1900,
        });
    }
    score.tracks.push(track);
    score
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("tchaikovsky").unwrap();
    command
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with an untrained model `run`, of 64 positions, its dataset and the
/// pieces it would learn from.
fn world() -> &'static Path {
    static WORLD: OnceLock<PathBuf> = OnceLock::new();
    WORLD.get_or_init(|| {
        let world = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generate");
        let _ = fs::remove_dir_all(&world);
        fs::create_dir_all(world.join("midis")).unwrap();
        for seed in 0..12 {
            let bytes = write_midi(&piece(96, seed)).unwrap();
            fs::write(world.join(format!("midis/{seed}.mid")), bytes).unwrap();
        }
        let tokenize = "tokenize --midis-dir midis --out-dir dataset --out-tokenizer tokenizer.json --vocab-size 350 --use-sustain-pedal";
        succeed(&world, &tokenize.split(' ').collect::<Vec<_>>());
        let train = "train --dataset dataset --out run --size tiny --steps 0 --max-sequence-length 64 --min-sequence-length 16";
        succeed(&world, &train.split(' ').collect::<Vec<_>>());
        world
    })
}

/// Runs `generate` with the model, in a folder of its own.
fn generate(folder: &TempDir, arguments: &str) -> Output {
    let model = world().join("run");
    let midi = world().join("midis/3.mid");
    let arguments = arguments.replace("PROMPT", &midi.display().to_string());
    let mut all = vec!["generate"];
    let model = model.display().to_string();
    if !arguments.contains("--checkpoint") && !arguments.contains("--model") {
        all.extend(["--model", &model]);
    }
    all.extend(arguments.split(' '));
    run(folder.path(), &all)
}

/// The summary of a run that has to succeed.
fn summary(folder: &TempDir, arguments: &str) -> Value {
    let output = generate(folder, &format!("{arguments} --json"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

fn bytes(folder: &TempDir, file: &str) -> Vec<u8> {
    fs::read(folder.path().join(file)).unwrap()
}

fn score(folder: &TempDir, file: &str) -> Score {
    let reading = read_midi(&bytes(folder, file)).unwrap();
    assert!(reading.damage.is_sound());
    reading.score
}

/// Onset, end and pitch in microseconds of each note, sorted.
fn notes(score: &Score) -> Vec<(i64, i64, u8)> {
    let map = TempoMap::new(score);
    let micro = |tick| (map.seconds(tick) * 1e6).round() as i64;
    let all = score.tracks.iter().flat_map(|track| &track.notes);
    let mut notes: Vec<_> = all
        .map(|note| (micro(note.onset), micro(note.end()), note.pitch))
        .collect();
    notes.sort_unstable();
    notes
}

fn files(folder: &TempDir) -> usize {
    fs::read_dir(folder.path()).unwrap().count()
}

#[test]
fn same_seed_same_bytes_alone_together_and_with_any_threads() {
    let folder = TempDir::new().unwrap();
    let common = "--prompt-midi PROMPT --prompt-bars 2 --max-to-generate 150 --top-p 0.95";
    for (name, threads) in [("one", 1), ("three", 3)] {
        let made = summary(
            &folder,
            &format!(
                "{common} --seed 7 --num-samples 3 --threads {threads} --output-file {name}.mid"
            ),
        );
        assert_eq!(made["files"][2], format!("{name}-3.mid"));
    }
    for seed in 7..10 {
        summary(
            &folder,
            &format!("{common} --seed {seed} --output-file {seed}.mid"),
        );
        let alone = bytes(&folder, &format!("{seed}.mid"));
        let number = seed - 6;
        assert_eq!(alone, bytes(&folder, &format!("one-{number}.mid")));
        assert_eq!(alone, bytes(&folder, &format!("three-{number}.mid")));
    }
    assert_ne!(bytes(&folder, "7.mid"), bytes(&folder, "8.mid"));
    assert_eq!(files(&folder), 9);
}

#[test]
fn limits_in_tokens_notes_bars_and_seconds() {
    let folder = TempDir::new().unwrap();
    for prompt in ["", "--prompt-midi PROMPT --prompt-bars 3 "] {
        let made = summary(
            &folder,
            &format!("{prompt}--max-to-generate 40 --no-end --output-file a.mid"),
        );
        assert_eq!(made["tokens"], 40);
        assert_eq!(made["samples"][0]["finish"], "tokens");

        let made = summary(
            &folder,
            &format!("{prompt}--notes 17 --no-end --output-file a.mid"),
        );
        assert_eq!(made["samples"][0]["new_notes"], 17);
        assert_eq!(made["samples"][0]["finish"], "notes");

        let only = "--no-end --output-generated-only --output-file a.mid";
        let made = summary(&folder, &format!("{prompt}--bars 4 {only}"));
        assert_eq!(made["samples"][0]["finish"], "bars");
        let score = score(&folder, "a.mid");
        // A prompt's last bar may be filled up first.
        let bars = if prompt.is_empty() { 4 } else { 5 };
        let end = u32::from(score.ticks_per_quarter) * 4 * bars;
        assert!(score.tracks[0].notes.iter().all(|note| note.onset < end));
        assert!(
            score.tracks[0]
                .notes
                .iter()
                .any(|note| note.onset > end / 2)
        );

        let made = summary(
            &folder,
            &format!("{prompt}--seconds 6.5 --no-end --output-file a.mid"),
        );
        assert_eq!(made["samples"][0]["finish"], "seconds");
    }
    // Three bars of twelve notes last 8 seconds, the last begins at 7.3.
    let made = notes(&score(&folder, "a.mid"));
    assert!(
        made.iter().all(|(onset, ..)| *onset < 13_900_000),
        "{made:?}"
    );
    assert!(
        made.iter().any(|(onset, ..)| *onset > 9_000_000),
        "{made:?}"
    );
}

#[test]
fn what_is_streamed_is_what_is_written() {
    let folder = TempDir::new().unwrap();
    for only in ["", " --output-generated-only"] {
        let arguments = format!(
            "--prompt-midi PROMPT --prompt-bars 3 --bars 6 --no-end --stream --json{only} --output-file a.mid"
        );
        let output = generate(&folder, &arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let summary = lines.pop().unwrap();
        let micro = |value: &Value| (value.as_f64().unwrap() * 1e6).round() as i64;
        let mut streamed: Vec<_> = lines
            .iter()
            .filter(|line| line["pitch"].is_u64())
            .map(|line| {
                let onset = micro(&line["onset"]);
                assert!(line["velocity"].as_u64().unwrap() > 0 && line["pedal"].is_boolean());
                (
                    onset,
                    onset + micro(&line["duration"]),
                    line["pitch"].as_u64().unwrap() as u8,
                )
            })
            .collect();
        streamed.sort_unstable();
        assert_eq!(summary["samples"][0]["new_notes"], streamed.len());
        let first = streamed[0].0;
        let mut written = notes(&score(&folder, "a.mid"));
        if only.is_empty() {
            assert_eq!(written.len(), streamed.len() + 12);
            written.retain(|(onset, ..)| *onset >= first);
        }
        assert!(written.len() >= streamed.len());
        // The writer ends a note where its key is struck again.
        let near = |a: i64, b: i64| (a - b).abs() < 20;
        for (onset, _, pitch) in &streamed {
            assert!(
                written
                    .iter()
                    .any(|(o, _, p)| near(*o, *onset) && p == pitch),
                "{onset} {pitch} not in the file"
            );
        }
        assert!(
            lines.iter().any(|line| line.get("pitch").is_none()),
            "pedal events"
        );
    }
}

#[test]
fn the_prompt_keeps_its_tempo_and_can_be_left_out() {
    let folder = TempDir::new().unwrap();
    let arguments = "--prompt-midi PROMPT --prompt-bars 4 --notes 20 --no-end --output-file";
    let whole = summary(&folder, &format!("{arguments} whole.mid"));
    let new = summary(
        &folder,
        &format!("{arguments} new.mid --output-generated-only"),
    );
    assert_eq!(whole["samples"][0]["notes"], 36);
    assert_eq!(new["samples"][0]["notes"], 20);
    let (whole, new) = (score(&folder, "whole.mid"), score(&folder, "new.mid"));
    for score in [&whole, &new] {
        assert_eq!(score.tempos[0].microseconds_per_quarter, 666_667);
        assert_eq!(score.tempos[0].onset, 0);
    }
    let bar = u32::from(new.ticks_per_quarter) * 4;
    let mut shifted: Vec<_> = whole.tracks[0]
        .notes
        .iter()
        .map(|n| (n.onset, n.pitch))
        .collect();
    shifted.retain(|note| {
        !piece(16, 3).tracks[0]
            .notes
            .iter()
            .any(|n| (n.onset * u32::from(new.ticks_per_quarter) / 480, n.pitch) == *note)
    });
    let found: Vec<_> = new.tracks[0]
        .notes
        .iter()
        .map(|n| (n.onset, n.pitch))
        .collect();
    assert!(found[0].0 < bar, "begins in the first bar");
    let by = shifted[shifted.len() - 1].0 - found[found.len() - 1].0;
    assert_eq!(by % bar, 0, "shifted by whole bars");
}

#[test]
fn the_grammar_is_on_unless_freed() {
    let folder = TempDir::new().unwrap();
    let arguments = "--max-to-generate 600 --no-end --output-file a.mid";
    let made = summary(&folder, arguments);
    assert_eq!(made["samples"][0]["senseless_tokens"], 0);
    assert!(score(&folder, "a.mid").note_count() > 50);
    let made = summary(&folder, &format!("{arguments} --free"));
    assert!(made["samples"][0]["senseless_tokens"].as_u64().unwrap() > 50);
    score(&folder, "a.mid");
}

#[test]
fn a_prompt_beyond_the_window_keeps_its_end_and_says_so() {
    let folder = TempDir::new().unwrap();
    let arguments = "--prompt-midi PROMPT --notes 5 --no-end --output-file a.mid";
    let output = generate(&folder, arguments);
    assert!(output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("more than the model's window"), "{errors}");
    assert_eq!(score(&folder, "a.mid").note_count(), 101);
    fs::remove_file(folder.path().join("a.mid")).unwrap();
    let output = generate(&folder, &format!("{arguments} --strict-prompt"));
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("--prompt-midi-slice"), "{errors}");
    assert_eq!(files(&folder), 0);
    let output = generate(
        &folder,
        &format!("{arguments} --strict-prompt --prompt-midi-slice 20"),
    );
    assert!(output.status.success());
}

/// The untrained model's own folder.
fn model() -> PathBuf {
    world().join("run/step-00000000")
}

#[test]
fn parts_make_the_same_music_as_their_folder() {
    let folder = TempDir::new().unwrap();
    summary(&folder, "--notes 9 --output-file a.mid");
    let model = model().display().to_string();
    let parts = format!(
        "--checkpoint {model}/model.safetensors --config {model}/config.json --tokenizer {model}/tokenizer.json"
    );
    summary(&folder, &format!("{parts} --notes 9 --output-file b.mid"));
    summary(
        &folder,
        &format!("--checkpoint {model} --notes 9 --output-file c.mid"),
    );
    assert_eq!(bytes(&folder, "a.mid"), bytes(&folder, "b.mid"));
    assert_eq!(bytes(&folder, "a.mid"), bytes(&folder, "c.mid"));
}

#[test]
fn wrong_use_says_what_is_right_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let cases = [
        ("--prompt-mode file", "--prompt-midi"),
        (
            "--prompt-mode unconditional --prompt-midi PROMPT",
            "leave one of them out",
        ),
        ("--prompt-bars 2", "--prompt-midi"),
        ("--prompt-bars 0 --prompt-midi PROMPT", "--prompt-bars"),
        (
            "--prompt-midi-slice 0 --prompt-midi PROMPT",
            "--prompt-midi-slice",
        ),
        ("--temperature=-1", "0 or more"),
        ("--temperature nan", "0 or more"),
        ("--top-p 0", "over 0 and at most 1"),
        ("--min-p 2", "from 0 to 1"),
        ("--repetition-penalty 0", "over 0"),
        ("--seconds 0", "--seconds must be above 0"),
        ("--seconds inf", "--seconds must be above 0"),
        ("--bars 0", "--bars"),
        ("--num-samples 0", "--num-samples"),
        ("--num-samples 1000", "--num-samples"),
        ("--threads 0", "--threads"),
        ("--weights int3", "int8"),
    ];
    for (arguments, said) in cases {
        let output = generate(&folder, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {errors}");
        assert!(errors.contains(said), "{arguments}: {errors}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(files(&folder), 0);
}

#[test]
fn failures_name_their_remedy_and_leave_nothing() {
    let world = world();
    let folder = TempDir::new().unwrap();
    let broken = |name: &str, change: &dyn Fn(&Path)| {
        let broken = world.join(name);
        let _ = fs::remove_dir_all(&broken);
        fs::create_dir(&broken).unwrap();
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            fs::copy(model().join(file), broken.join(file)).unwrap();
        }
        change(&broken);
        format!("--model {}", broken.display())
    };
    let truncated = broken("truncated", &|folder| {
        let bytes = fs::read(folder.join("model.safetensors")).unwrap();
        fs::write(folder.join("model.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
    });
    let missing = broken("missing", &|folder| {
        fs::remove_file(folder.join("model.safetensors")).unwrap();
    });
    let other = broken("other", &|folder| {
        let text = fs::read_to_string(folder.join("tokenizer.json")).unwrap();
        fs::write(folder.join("tokenizer.json"), text + " ").unwrap();
    });
    let orbax = broken("orbax", &|folder| {
        fs::remove_file(folder.join("config.json")).unwrap();
        fs::write(folder.join("manifest.ocdbt"), "").unwrap();
    });
    let silent = world.join("silent.mid");
    fs::write(&silent, write_midi(&Score::new(480)).unwrap()).unwrap();
    let text = world.join("text.mid");
    fs::write(&text, "no music").unwrap();
    let apart = format!(
        "--checkpoint {0}/model.safetensors --config {0}/config.json --tokenizer {1}/other/tokenizer.json",
        model().display(),
        world.display()
    );
    let cases = [
        (truncated, "train it again"),
        (missing, "model.safetensors"),
        (other, "put the right tokenizer.json back"),
        (apart, "--tokenizer"),
        (orbax, "Orbax"),
        ("--model nowhere".to_owned(), "tchaikovsky train"),
        ("--model .".to_owned(), "holds no model"),
        (format!("--prompt-midi {}", silent.display()), "no notes"),
        (format!("--prompt-midi {}", text.display()), "text.mid"),
        ("--prompt-midi nothing.mid".to_owned(), "nothing.mid"),
        (
            "--output-file /proc/nowhere/a.mid".to_owned(),
            "--output-file",
        ),
        ("--output-file .".to_owned(), "it is a folder"),
    ];
    for (arguments, said) in cases {
        let output = generate(&folder, &format!("{arguments} --notes 3"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {errors}");
        assert!(errors.contains(said), "{arguments}: {errors}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(files(&folder), 0);
}
