//! Drives `tchaikovsky generate` with an untrained model: what it plays is
//! arbitrary, how it ends, is written and fails is not.

mod failures;
mod world;

use std::fs;

use serde_json::Value;
use tempfile::TempDir;
use world::{bytes, files, generate, model, notes, piece, score, summary};

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
