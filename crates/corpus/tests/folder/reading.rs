//! A dataset gives back what was encoded, and damage to it is found.

use std::fs::{self, OpenOptions};
use std::path::Path;

use corpus::{CorpusError, Dataset, TokenizerChoice, build, piano_score};
use remi::Time;
use score::{Merge, read_midi};

use super::support::{Nobody, Workplace, bytes};

#[test]
fn tokens_come_back_as_they_were_encoded() {
    let workplace = Workplace::new(0..9);
    let built = workplace.build();
    let dataset = Dataset::open(&workplace.out()).unwrap();
    dataset.verify().unwrap();
    assert_eq!(dataset.pieces().len(), 9);
    let mut tokens = 0;
    for (index, stored) in dataset.pieces().iter().enumerate() {
        assert_eq!(stored.source, format!("piece-{index:03}.mid"));
        let file = read_midi(&bytes(index as u32)).unwrap();
        let score = piano_score(&file.score, Merge::All, Time::Score).unwrap();
        let encoded = built.tokenizer.encode_base(&score).unwrap();
        let read = dataset.base_tokens(index).unwrap();
        assert_eq!(read, encoded[0], "ids and where words begin");
        assert_eq!((stored.notes, stored.tokens), (60, read.ids.len() as u64));
        tokens += stored.tokens;
    }
    assert_eq!(
        (dataset.tokens(), built.report.base_tokens),
        (tokens, tokens)
    );
    assert!(dataset.base_tokens(9).unwrap().ids.is_empty());
    assert_eq!(
        dataset.tokenizer().to_json().unwrap(),
        built.tokenizer.to_json().unwrap()
    );
}

#[test]
fn a_given_tokenizer_is_used_as_it_is() {
    let first = Workplace::new(0..4);
    let trained = first.build().tokenizer;
    // Another program lays the same file out in another way.
    let file = first.path().join("tokenizer.json");
    let text = trained.to_json().unwrap().replace("\n", "\n  ");
    fs::write(&file, &text).unwrap();
    let second = Workplace::new(4..8);
    let mut options = second.options();
    options.tokenizer = TokenizerChoice::open(&file).unwrap();
    let built = build(&options, &Nobody, &false.into()).unwrap();
    assert_eq!(
        built.tokenizer.to_json().unwrap(),
        trained.to_json().unwrap()
    );
    let kept = fs::read_to_string(options.out.join("tokenizer.json")).unwrap();
    assert!(kept == text, "the file is written anew");
}

#[test]
fn the_same_files_make_the_same_dataset() {
    let (one, other) = (Workplace::new(0..5), Workplace::new(0..5));
    one.build();
    other.build();
    for name in [
        "dataset.json",
        "pieces.jsonl",
        "tokenizer.json",
        "tokens-00000.bin",
    ] {
        let read = |workplace: &Workplace| fs::read(workplace.out().join(name)).unwrap();
        assert_eq!(read(&one), read(&other), "{name}");
    }
}

fn flip(path: &Path, place: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[place] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_byte_is_found() {
    let workplace = Workplace::new(0..3);
    workplace.build();
    let file = |name: &str| workplace.out().join(name);
    for name in ["pieces.jsonl", "tokenizer.json"] {
        flip(&file(name), 30);
        let refused = Dataset::open(&workplace.out()).unwrap_err();
        assert!(
            matches!(refused, CorpusError::Damaged { .. }),
            "{name}: {refused}"
        );
        flip(&file(name), 30);
    }
    flip(&file("tokens-00000.bin"), 100);
    let dataset = Dataset::open(&workplace.out()).unwrap();
    assert!(matches!(dataset.verify(), Err(CorpusError::Damaged { .. })));
    flip(&file("tokens-00000.bin"), 100);
    dataset.verify().unwrap();
}

#[test]
fn missing_and_cut_files_are_refused() {
    for name in [
        "dataset.json",
        "pieces.jsonl",
        "tokenizer.json",
        "tokens-00000.bin",
    ] {
        let workplace = Workplace::new(0..2);
        workplace.build();
        let path = workplace.out().join(name);
        let length = fs::metadata(&path).unwrap().len();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(length - 2).unwrap();
        let refused = Dataset::open(&workplace.out()).unwrap_err().to_string();
        assert!(
            refused.contains(name) && refused.contains("tokenize"),
            "{refused}"
        );
        fs::remove_file(&path).unwrap();
        assert!(Dataset::open(&workplace.out()).is_err(), "{name}");
    }
}

#[test]
fn another_format_is_refused() {
    let workplace = Workplace::new(0..2);
    workplace.build();
    let path = workplace.out().join("dataset.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(r#""format": 1"#, r#""format": 2"#)).unwrap();
    let refused = Dataset::open(&workplace.out()).unwrap_err().to_string();
    assert!(refused.contains("its format is 2"), "{refused}");
}
