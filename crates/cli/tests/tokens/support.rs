//! A fresh folder, MIDI files in it, and the binary run there.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use score::{Note, Score, Track, write_midi};
use tempfile::TempDir;

/// A folder in which the binary runs; `midis` holds MIDI files.
pub struct Workplace(TempDir);

/// What a run of the binary gave.
pub struct Outcome {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Workplace {
    /// A folder with that many pieces in `midis`.
    pub fn new(pieces: u8) -> Self {
        let workplace = Self(tempfile::tempdir().unwrap());
        fs::create_dir(workplace.path("midis")).unwrap();
        for index in 0..pieces {
            workplace.write(&format!("midis/piece-{index}.mid"), &piece(index));
        }
        workplace
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with_input(arguments, b"")
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tchaikovsky"));
        let command = command.current_dir(self.0.path()).args(arguments);
        let output = command.write_stdin(input).output().unwrap();
        Outcome {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs what has to succeed; gives its standard output.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {}", outcome.err);
        outcome.out
    }

    /// Runs what has to fail with this code, a message that names all of
    /// `words`, and nothing new in the folder.
    pub fn fail(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let before = self.names();
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(code), "{arguments:?}: {}", outcome.err);
        for word in words {
            assert!(outcome.err.contains(word), "{word:?} in {:?}", outcome.err);
        }
        assert!(!outcome.err.contains("panicked"), "{}", outcome.err);
        assert_eq!(self.names(), before, "something is left behind");
    }

    /// Makes `dataset` and `tokenizer.json` from `midis`.
    pub fn tokenize(&self) {
        self.succeed(&[
            "tokenize",
            "--midis-dir=midis",
            "--out-dir=dataset",
            "--out-tokenizer=tokenizer.json",
            "--vocab-size=300",
        ]);
    }

    /// All that the folder holds, sorted; hidden files too.
    pub fn names(&self) -> Vec<String> {
        names(self.0.path())
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

/// The bytes of a piece of 40 notes, another for each index.
pub fn piece(index: u8) -> Vec<u8> {
    let mut track = Track::piano();
    for step in 0..40_u32 {
        track.notes.push(Note {
            onset: 240 * step,
            duration: 240,
            pitch: 40 + (step * (3 + u32::from(index)) % 40) as u8,
            velocity: 64,
        });
    }
    let mut score = Score::new(480);
    score.tracks.push(track);
    write_midi(&score).unwrap()
}
