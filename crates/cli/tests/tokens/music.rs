//! `evaluate --music`.

use std::fs;

use score::{Note, Score, Track, write_midi};
use serde_json::Value;

use crate::support::{Workplace, piece};

fn json(place: &Workplace, arguments: &str) -> Value {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    serde_json::from_str(&place.succeed(&arguments)).unwrap()
}

/// A figure of four notes, ten times.
fn stuck_piece() -> Vec<u8> {
    let mut track = Track::piano();
    let pitches = [60, 64, 67, 71].repeat(10);
    let onsets = (0..).step_by(240);
    let note = |(onset, pitch)| Note {
        onset,
        duration: 240,
        pitch,
        velocity: 64,
    };
    track.notes = onsets.zip(pitches).map(note).collect();
    let mut score = Score::new(480);
    score.tracks.push(track);
    write_midi(&score).unwrap()
}

#[test]
fn figures_of_each_piece_and_of_all_and_no_file_ends_the_work() {
    let place = Workplace::new(4);
    place.write("midis/broken.mid", b"no music");
    place.write("midis/silent.mid", &write_midi(&Score::new(480)).unwrap());
    place.write("midis/stuck.mid", &stuck_piece());
    let report = json(&place, "evaluate --music midis --json");
    let music = &report["music"];
    assert_eq!(music["pieces"], 5);
    assert_eq!(music["figures"]["notes"]["mean"], 40.0);
    // An eighth at 120 quarter notes a minute is a quarter of a second.
    assert_eq!(music["figures"]["seconds"]["most"], 10.0);
    assert_eq!(music["figures"]["mean_onset_interval"]["least"], 0.25);
    assert!(music["figures"]["structure_short"]["mean"].is_number());
    // Pieces 1 and 2 return after ten and eight notes.
    let stuck = serde_json::json!(["piece-1.mid", "piece-2.mid", "stuck.mid"]);
    assert_eq!(music["stuck"], stuck);
    assert_eq!(music["longest_copied_run"], Value::Null);
    let each = music["each"].as_array().unwrap();
    assert_eq!(each[4]["file"], "stuck.mid");
    assert_eq!(each[4]["figures"]["pitches_used"], 4.0);
    let skipped = music["skipped"].as_array().unwrap();
    assert_eq!(skipped[0]["file"], "broken.mid");
    assert_eq!(skipped[1]["reason"], "it holds no piano notes");

    let outcome = place.run(&["evaluate", "--music", "midis", "--no-structure"]);
    assert!(
        outcome.err.contains("skipped midis/broken.mid"),
        "{}",
        outcome.err
    );
    for words in [
        "5 pieces, 2 files skipped",
        "3 pieces are exact loops",
        "  stuck.mid",
    ] {
        assert!(outcome.out.contains(words), "{words}: {}", outcome.out);
    }
    assert!(!outcome.out.contains("structure"), "{}", outcome.out);

    let report = json(&place, "evaluate --music midis --first-seconds 2 --json");
    assert_eq!(report["music"]["figures"]["notes"]["mean"], 8.0);
}

#[test]
fn what_is_copied_and_how_alike_sets_are() {
    let place = Workplace::new(8);
    place.succeed(&[
        "tokenize",
        "--midis-dir=midis",
        "--out-dir=dataset",
        "--vocab-size=300",
        "--valid-proportion=0.5",
    ]);
    fs::create_dir(place.path("made")).unwrap();
    for index in [2, 3, 4, 20] {
        place.write(&format!("made/{index}.mid"), &piece(index));
    }
    let report = json(
        &place,
        "evaluate --music made --reference midis --training midis --json",
    );
    let copied = |index: usize| &report["music"]["each"][index];
    assert_eq!(copied(0)["file"], "2.mid");
    assert_eq!(copied(0)["longest_copied_run"], 40);
    assert_eq!(copied(0)["copied_patterns"], 1.0);
    // 20.mid moves by 23 semitones or back by 17, as none of the others.
    assert_eq!(copied(1)["file"], "20.mid");
    assert_eq!(copied(1)["copied_patterns"], 0.0);
    assert_eq!(report["reference"]["copied_patterns"]["mean"], 1.0);
    assert!(report["reference"]["each"].is_null());
    let alike = &report["likeness"]["histograms"]["onset_interval"]["notes"];
    assert_eq!(alike["overlapping_area"], 1.0);
    let area = &report["likeness"]["figures"]["pitch_entropy"]["overlapping_area"];
    assert!(
        area.as_f64()
            .is_some_and(|area| (0.0..=1.0).contains(&area)),
        "{area}"
    );

    // A dataset stands for its validation pieces, or for its training pieces.
    let report = json(
        &place,
        "evaluate --music dataset --reference dataset --training dataset --no-structure --json",
    );
    let held = report["music"]["pieces"].as_u64().unwrap();
    assert!((1..8).contains(&held), "{held}");
    assert_eq!(report["music"]["figures"]["notes"]["mean"], 40.0);
    assert_eq!(report["music"]["copied_patterns"]["mean"], 0.0);
    let words = place.succeed(&[
        "evaluate",
        "--music=made",
        "--reference=dataset",
        "--training=dataset",
    ]);
    for word in [
        "reference  dataset: ",
        "overlap",
        "copied_patterns",
        "pitch_class  ",
        "in a row",
    ] {
        assert!(words.contains(word), "{word}: {words}");
    }
}

#[test]
fn wrong_use_is_told() {
    let place = Workplace::new(1);
    place.write("broken.mid", b"no music");
    fs::create_dir(place.path("junk")).unwrap();
    place.write("junk/broken.mid", b"no music");
    fs::create_dir(place.path("empty")).unwrap();
    for (arguments, code, words) in [
        ("evaluate", 2, "--dataset DIR"),
        ("evaluate --reference midis --model m", 2, "--reference"),
        ("evaluate --reference midis", 2, "--music"),
        ("evaluate --music midis --model m", 2, "--model"),
        (
            "evaluate --music midis --first-seconds 0",
            2,
            "--first-seconds",
        ),
        ("evaluate --music empty", 1, "no .mid"),
        ("evaluate --music junk", 1, "none of the 1 files of junk"),
        ("evaluate --music absent", 1, "absent"),
    ] {
        place.fail(
            &arguments.split_whitespace().collect::<Vec<_>>(),
            code,
            &[words],
        );
    }
}
