//! Generated pieces, and datasets of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use corpus::{Built, CorpusError, Observer, Options, Stage, TokenizerChoice, build};
use remi::{Config, Tokenizer};
use score::{Merge, Note, Score, Track, write_midi};
use tempfile::TempDir;

/// Observes nothing.
pub struct Nobody;

impl Observer for Nobody {
    fn begin(&self, _: Stage, _: usize) {}
    fn advance(&self, _: usize) {}
}

/// A piece that is another for each seed.
pub fn piece(seed: u32) -> Score {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % below
    };
    let mut track = Track::piano();
    let mut onset = 0;
    for _ in 0..60 {
        onset += 120 * random(5);
        track.notes.push(Note {
            onset,
            duration: 120 + 120 * random(6),
            pitch: 40 + random(40) as u8,
            velocity: 30 + random(80) as u8,
        });
    }
    let mut score = Score::new(480);
    score.tracks.push(track);
    score
}

/// A folder of work with MIDI files in `midis`.
pub struct Workplace(TempDir);

impl Workplace {
    pub fn new(pieces: std::ops::Range<u32>) -> Self {
        let workplace = Self(tempfile::tempdir().unwrap());
        fs::create_dir(workplace.midis()).unwrap();
        for seed in pieces {
            workplace.add(&format!("piece-{seed:03}.mid"), &bytes(seed));
        }
        workplace
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn midis(&self) -> PathBuf {
        self.path().join("midis")
    }

    pub fn out(&self) -> PathBuf {
        self.path().join("dataset")
    }

    pub fn add(&self, name: &str, bytes: &[u8]) {
        let path = self.midis().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn options(&self) -> Options {
        let tokenizer = Tokenizer::new(Config::seed()).unwrap();
        Options {
            midis: self.midis(),
            out: self.out(),
            tokenizer: TokenizerChoice::Train(Box::new(tokenizer), 400),
            merge: Merge::All,
            valid_proportion: 0.3,
            seed: 1,
            manifest: None,
            strict: false,
        }
    }

    pub fn build(&self) -> Built {
        build(&self.options(), &Nobody, &AtomicBool::new(false)).unwrap()
    }

    pub fn failure(&self, options: &Options) -> CorpusError {
        build(options, &Nobody, &AtomicBool::new(false)).unwrap_err()
    }

    /// Asserts that the folder holds the MIDI files and nothing else.
    pub fn assert_nothing_left(&self) {
        let entries = fs::read_dir(self.path()).unwrap();
        let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["midis"]);
    }
}

/// The bytes of a piece's MIDI file.
pub fn bytes(seed: u32) -> Vec<u8> {
    write_midi(&piece(seed)).unwrap()
}
