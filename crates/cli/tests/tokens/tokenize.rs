//! `tokenize`: what it makes, and how it fails.

use std::fs;

use super::support::{Workplace, piece};

#[test]
fn makes_a_dataset_and_a_tokenizer() {
    let workplace = Workplace::new(4);
    workplace.write("midis/broken.mid", b"no midi");
    workplace.tokenize();
    assert_eq!(workplace.names(), ["dataset", "midis", "tokenizer.json"]);
    let read = |name: &str| fs::read(workplace.path(name)).unwrap();
    assert_eq!(read("tokenizer.json"), read("dataset/tokenizer.json"));
    let report: serde_json::Value = serde_json::from_slice(&read("dataset/report.json")).unwrap();
    assert_eq!(
        (&report["files"], &report["pieces"]),
        (&5.into(), &4.into())
    );
    assert_eq!(report["failures"][0]["file"], "broken.mid");
}

#[test]
fn options_may_be_spelled_with_underscores() {
    let workplace = Workplace::new(2);
    let out = workplace.succeed(&[
        "tokenize",
        "--midis_dir",
        "midis",
        "--out_dir=data_set",
        "--out_tokenizer=my_tokenizer.json",
        "--vocab_size",
        "300",
        "--num_velocities",
        "8",
        "--use_sustain_pedal",
        "--json",
    ]);
    assert_eq!(
        workplace.names(),
        ["data_set", "midis", "my_tokenizer.json"]
    );
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["vocabulary"], 300);
}

#[test]
fn a_tokenizer_that_is_there_is_used() {
    let workplace = Workplace::new(3);
    workplace.tokenize();
    workplace.succeed(&[
        "tokenize",
        "--midis-dir=midis",
        "--out-dir=second",
        "--tokenizer=tokenizer.json",
    ]);
    let read = |name: &str| fs::read(workplace.path(name)).unwrap();
    assert_eq!(read("tokenizer.json"), read("second/tokenizer.json"));
    assert_eq!(
        read("dataset/tokens-00000.bin"),
        read("second/tokens-00000.bin")
    );
}

const TOKENIZE: [&str; 3] = ["tokenize", "--midis-dir=midis", "--out-dir=dataset"];

#[test]
fn empty_and_unreadable_folders_are_told() {
    let empty = Workplace::new(0);
    empty.fail(&TOKENIZE, 1, &["midis", "no .mid", "name a folder"]);
    empty.write("midis/broken.mid", b"no midi");
    empty.fail(&TOKENIZE, 1, &["none of the 1 MIDI files", "broken.mid"]);
    empty.fail(&["tokenize", "--midis-dir=absent"], 1, &["absent"]);
}

#[test]
fn outputs_that_cannot_be_written_are_told() {
    let workplace = Workplace::new(2);
    workplace.write("file", b"in the way");
    let within_file = ["tokenize", "--midis-dir=midis", "--out-dir=file/dataset"];
    workplace.fail(&within_file, 1, &["file"]);
    workplace.tokenize();
    workplace.fail(&TOKENIZE, 1, &["dataset exists already", "choose another"]);
}

#[test]
fn wrong_use_has_exit_code_2() {
    let workplace = Workplace::new(2);
    let with = |option: &'static str| [&TOKENIZE[..], &[option]].concat();
    workplace.fail(&with("--vocab-size=200"), 2, &["200", "269"]);
    workplace.fail(&with("--valid-proportion=1.5"), 2, &["--valid-proportion"]);
    workplace.fail(&with("--num-velocities=0"), 2, &["num_velocities"]);
    workplace.fail(&with("--beat-res=4"), 2, &["0_4:8"]);
    workplace.fail(&with("--no-such-option"), 2, &["no-such-option"]);
    workplace.fail(&["tokenize"], 2, &["--midis-dir"]);
}

#[test]
fn strict_ends_at_a_bad_file() {
    let workplace = Workplace::new(2);
    let sound = piece(7);
    workplace.write("midis/cut.mid", &sound[..sound.len() - 30]);
    let strict = [&TOKENIZE[..], &["--strict"]].concat();
    workplace.fail(&strict, 1, &["cut.mid", "--strict"]);
}
