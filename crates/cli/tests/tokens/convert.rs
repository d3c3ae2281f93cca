//! `encode`, `decode` and `inspect`.

use std::fs;

use score::read_midi;
use serde_json::Value;

use super::support::{Workplace, piece};

#[test]
fn a_piece_goes_to_ids_and_back() {
    let workplace = Workplace::new(2);
    workplace.tokenize();
    let encode = ["encode", "--tokenizer=tokenizer.json", "midis/piece-0.mid"];
    let line = workplace.succeed(&encode);
    let parsed: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(parsed["file"], "midis/piece-0.mid");
    assert!(parsed["tokens"].is_null());
    workplace.write("ids.json", line.as_bytes());
    let decode = [
        "decode",
        "--tokenizer=dataset",
        "ids.json",
        "--out=again.mid",
    ];
    assert!(workplace.succeed(&decode).contains("40 notes"));
    let again = read_midi(&fs::read(workplace.path("again.mid")).unwrap()).unwrap();
    assert_eq!(again.score.note_count(), 40);
    let encode = ["encode", "--tokenizer=tokenizer.json", "again.mid"];
    let second: Value = serde_json::from_str(&workplace.succeed(&encode)).unwrap();
    assert_eq!(second["ids"], parsed["ids"]);
}

#[test]
fn encode_reads_standard_input_and_adds_names() {
    let workplace = Workplace::new(2);
    workplace.tokenize();
    let outcome = workplace.run_with_input(
        &["encode", "--tokenizer=tokenizer.json", "--tokens", "-"],
        &piece(1),
    );
    let line: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(line["file"], "-");
    assert_eq!(line["tokens"][0][0], "Bar_None");
}

#[test]
fn ids_without_sense_still_decode() {
    let workplace = Workplace::new(2);
    workplace.tokenize();
    workplace.write("ids.json", br#"{"ids": [7, 7, 100000, 290, 3]}"#);
    let decode = [
        "decode",
        "--tokenizer=tokenizer.json",
        "ids.json",
        "--out=x.mid",
    ];
    assert!(workplace.succeed(&decode).contains("made no sense"));
    assert!(read_midi(&fs::read(workplace.path("x.mid")).unwrap()).is_ok());
}

#[test]
fn what_cannot_be_read_is_named() {
    let workplace = Workplace::new(2);
    let encode = ["encode", "--tokenizer=absent.json", "midis/piece-0.mid"];
    workplace.fail(&encode, 1, &["absent.json"]);
    workplace.write(
        "tokenizer.json",
        b"{\"config\": {}, \"tokenization\": \"TSD\"}",
    );
    let encode = ["encode", "--tokenizer=tokenizer.json", "midis/piece-0.mid"];
    workplace.fail(&encode, 1, &["tokenizer.json", "TSD"]);
    workplace.write("tokenizer.json", b"{");
    workplace.fail(&encode, 1, &["tokenizer.json", "not a MidiTok tokenizer"]);
    fs::remove_file(workplace.path("tokenizer.json")).unwrap();
    workplace.tokenize();
    let encode = ["encode", "--tokenizer=tokenizer.json", "absent.mid"];
    workplace.fail(&encode, 1, &["absent.mid"]);
    let decode = [
        "decode",
        "--tokenizer=tokenizer.json",
        "ids.json",
        "--out=x.mid",
    ];
    workplace.fail(&decode, 1, &["ids.json"]);
    workplace.write("ids.json", b"{\"ids\": [[1, -2]]}");
    workplace.fail(&decode, 1, &["ids.json", "holds no ids"]);
    workplace.write("ids.json", b"{\"ids\": [[4]]}");
    let decode = [
        "decode",
        "--tokenizer=tokenizer.json",
        "ids.json",
        "--out=ids.json/x.mid",
    ];
    workplace.fail(&decode, 1, &["cannot write"]);
}

#[test]
fn inspect_shows_a_midi_file() {
    let workplace = Workplace::new(1);
    let shown = workplace.succeed(&["inspect", "midis/piece-0.mid"]);
    assert!(
        shown.contains("40 in 1 tracks") && shown.contains('\u{2588}'),
        "{shown}"
    );
    let line = workplace.succeed(&["inspect", "--json", "midis/piece-0.mid"]);
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&line["notes"], &line["polyphony"]),
        (&40.into(), &1.into())
    );
    assert_eq!(line["seconds"], 10.0);
    workplace.write("broken.mid", b"no midi");
    workplace.fail(
        &["inspect", "broken.mid"],
        1,
        &["broken.mid", "not a MIDI file"],
    );
}
