//! What is kept, what is reported, how it is split, and what a failure leaves.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use corpus::{CorpusError, Dataset, Manifest, Observer, Split, Stage, TokenizerChoice, build};
use remi::{Config, Tokenizer};
use score::write_midi;

use super::support::{Nobody, Workplace, bytes, piece};

#[test]
fn duplicates_are_kept_once_whatever_their_bytes() {
    let workplace = Workplace::new(0..3);
    let mut slower = piece(0);
    // The same music at twice the resolution: other ticks, the same seconds.
    slower.ticks_per_quarter *= 2;
    for note in &mut slower.tracks[0].notes {
        note.onset *= 2;
        note.duration *= 2;
    }
    workplace.add("z-other-bytes.mid", &write_midi(&slower).unwrap());
    workplace.add("z-same-bytes.MIDI", &bytes(1));
    let report = workplace.build().report;
    assert_eq!((report.files, report.pieces), (5, 3));
    let duplicates: Vec<_> = report
        .duplicates
        .iter()
        .map(|duplicate| (duplicate.file.as_str(), duplicate.reason.as_str()))
        .collect();
    let expected = [
        ("z-other-bytes.mid", "the same notes as piece-000.mid"),
        ("z-same-bytes.MIDI", "the same notes as piece-001.mid"),
    ];
    assert_eq!(duplicates, expected);
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_used() {
    let workplace = Workplace::new(0..2);
    workplace.add("broken.mid", b"no midi");
    let sound = bytes(5);
    workplace.add("below/cut.mid", &sound[..sound.len() - 40]);
    let mut drums = piece(6);
    drums.tracks[0].is_drum = true;
    workplace.add("drums.mid", &write_midi(&drums).unwrap());
    workplace.add("notes.txt", b"no midi either");
    let report = workplace.build().report;
    assert_eq!((report.files, report.pieces), (5, 3));
    let failed: Vec<_> = report
        .failures
        .iter()
        .map(|failure| failure.file.as_str())
        .collect();
    assert_eq!(failed, ["broken.mid", "drums.mid"]);
    assert!(report.failures[0].reason.contains("not a MIDI file"));
    let damaged: Vec<_> = report
        .damaged
        .iter()
        .map(|damage| damage.file.as_str())
        .collect();
    assert_eq!(damaged, ["below/cut.mid"]);
    let written = fs::read(workplace.out().join("report.json")).unwrap();
    let written: corpus::Report = serde_json::from_slice(&written).unwrap();
    assert_eq!(written, report);
}

#[test]
fn a_split_does_not_change_when_files_are_added() {
    let splits = |workplace: &Workplace| -> BTreeMap<String, Split> {
        workplace.build();
        let dataset = Dataset::open(&workplace.out()).unwrap();
        let pieces = dataset.pieces().iter();
        pieces
            .map(|piece| (piece.source.clone(), piece.split))
            .collect()
    };
    let few = splits(&Workplace::new(0..20));
    let many = splits(&Workplace::new(0..60));
    assert!(few.iter().all(|(source, split)| many[source] == *split));
    let valid = many
        .values()
        .filter(|split| **split == Split::Valid)
        .count();
    assert!((6..=32).contains(&valid), "{valid} of 60 at a share of 0.3");
    assert!(few.values().any(|split| *split == Split::Valid));
}

#[test]
fn a_manifest_decides_and_bpe_learns_from_its_training_pieces_alone() {
    let workplace = Workplace::new(0..6);
    let manifest = workplace.path().join("manifest.csv");
    let rows = "split,path\ntest,piece-000.mid\nvalidation,piece-001.mid\ntrain,piece-002.mid\ntrain,piece-003.mid\nvalid,piece-004.mid\nvalid,piece-005.mid\n";
    fs::write(&manifest, rows).unwrap();
    let mut options = workplace.options();
    options.manifest = Some(Manifest::load(&manifest).unwrap());
    let with_all = build(&options, &Nobody, &AtomicBool::new(false)).unwrap();
    let report = &with_all.report;
    let counts = (report.test_pieces, report.valid_pieces, report.train_pieces);
    assert_eq!(counts, (1, 3, 2));
    let training = Workplace::new(2..4).build();
    assert_eq!(
        with_all.tokenizer.bpe().unwrap().json(),
        training.tokenizer.bpe().unwrap().json()
    );
    fs::write(&manifest, "path,split\na.mid,practice\n").unwrap();
    let error = Manifest::load(&manifest).unwrap_err().to_string();
    assert!(
        error.contains("practice") && error.contains("manifest.csv"),
        "{error}"
    );
}

/// Asks to stop when a stage begins.
struct StopsAt<'a>(Stage, &'a AtomicBool);

impl Observer for StopsAt<'_> {
    fn begin(&self, stage: Stage, _: usize) {
        if stage == self.0 {
            self.1.store(true, Ordering::Relaxed);
        }
    }
    fn advance(&self, _: usize) {}
}

#[test]
fn an_interrupted_build_leaves_nothing() {
    for stage in [Stage::Encode, Stage::Train, Stage::Apply] {
        let workplace = Workplace::new(0..4);
        let stop = AtomicBool::new(false);
        let stopped = build(&workplace.options(), &StopsAt(stage, &stop), &stop);
        assert!(matches!(stopped, Err(CorpusError::Stopped)), "{stage:?}");
        workplace.assert_nothing_left();
    }
}

#[test]
fn failures_leave_nothing() {
    let workplace = Workplace::new(0..2);
    let mut options = workplace.options();
    options.midis = workplace.path().join("absent");
    assert!(matches!(
        workplace.failure(&options),
        CorpusError::Io { .. }
    ));
    workplace.add("broken.mid", b"");
    let mut options = workplace.options();
    options.strict = true;
    assert!(matches!(
        workplace.failure(&options),
        CorpusError::Strict { .. }
    ));
    let mut options = workplace.options();
    let tokenizer = Tokenizer::new(Config::seed()).unwrap();
    options.tokenizer = TokenizerChoice::Train(Box::new(tokenizer), 200);
    assert!(matches!(workplace.failure(&options), CorpusError::Bpe(_)));
    workplace.assert_nothing_left();

    let empty = Workplace::new(0..0);
    assert!(matches!(
        empty.failure(&empty.options()),
        CorpusError::NoFiles(_)
    ));
    empty.add("broken.mid", b"");
    let nothing = empty.failure(&empty.options());
    assert!(matches!(
        nothing,
        CorpusError::NothingReadable { files: 1, .. }
    ));
    empty.assert_nothing_left();
}

#[test]
fn what_is_there_is_not_written_over() {
    let workplace = Workplace::new(0..2);
    fs::create_dir(workplace.out()).unwrap();
    fs::write(workplace.out().join("precious"), "mine").unwrap();
    let refused = workplace.failure(&workplace.options());
    assert!(matches!(refused, CorpusError::Exists(_)));
    assert_eq!(fs::read(workplace.out().join("precious")).unwrap(), b"mine");
}
