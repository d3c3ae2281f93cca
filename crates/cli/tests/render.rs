//! The render command, driven as users drive it.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use score::{Note, Score, Track, write_midi};
use tempfile::TempDir;

/// A folder with `piece.mid` and `empty.mid`.
struct Workplace(TempDir);

impl Workplace {
    fn new() -> Self {
        let workplace = Self(tempfile::tempdir().unwrap());
        let mut score = Score::new(480);
        fs::write(workplace.path("empty.mid"), write_midi(&score).unwrap()).unwrap();
        let mut track = Track::piano();
        track.notes = [60, 64, 67]
            .map(|pitch| Note {
                onset: 0,
                duration: 480,
                pitch,
                velocity: 80,
            })
            .to_vec();
        score.tracks.push(track);
        fs::write(workplace.path("piece.mid"), write_midi(&score).unwrap()).unwrap();
        workplace
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tchaikovsky"));
        let command = command.current_dir(self.0.path()).arg("render");
        let output = command.args(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!error.contains("panicked"), "{error}");
        (output.status.code(), error)
    }

    fn succeed(&self, arguments: &[&str]) {
        let (code, error) = self.run(arguments);
        assert_eq!(code, Some(0), "{error}");
    }

    /// Fails with this code and words, and leaves nothing behind.
    fn fail(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let names = || fs::read_dir(self.0.path()).unwrap().count();
        let before = names();
        let (found, error) = self.run(arguments);
        assert_eq!(found, Some(code), "{error}");
        for word in words {
            assert!(error.contains(word), "{word:?} in {error:?}");
        }
        assert_eq!(names(), before, "something is left behind");
    }
}

fn begins(path: &Path, bytes: &[u8]) -> bool {
    fs::read(path).unwrap().starts_with(bytes)
}

#[test]
fn all_formats_are_written_at_once() {
    let here = Workplace::new();
    here.succeed(&[
        "piece.mid",
        "--out",
        "a.wav",
        "--out",
        "a.FLAC",
        "--out",
        "new/a.png",
        "-o",
        "a.svg",
    ]);
    assert!(begins(&here.path("a.wav"), b"RIFF"));
    assert!(begins(&here.path("a.FLAC"), b"fLaC"));
    assert!(begins(&here.path("new/a.png"), b"\x89PNG"));
    assert!(begins(&here.path("a.svg"), b"<svg"));
}

#[test]
fn the_options_of_sound_are_heard() {
    let here = Workplace::new();
    let make = |name: &str, options: &[&str]| {
        here.succeed(&[&["piece.mid", "--out", name], options].concat());
        fs::read(here.path(name)).unwrap()
    };
    let usual = make("usual.wav", &[]);
    assert_eq!(usual, make("again.wav", &[]));
    assert_eq!(
        u32::from_le_bytes(usual[24..28].try_into().unwrap()),
        48_000
    );
    let small = make("small.wav", &["--sample-rate", "22050", "--bits", "float"]);
    assert_eq!(
        u32::from_le_bytes(small[24..28].try_into().unwrap()),
        22_050
    );
    assert!(usual != make("soft.wav", &["--gain", "-12"]));
    assert!(usual != make("dry.wav", &["--room", "0"]));
}

#[test]
fn wrong_use_is_explained() {
    let here = Workplace::new();
    let fail = |arguments: &[&str], words: &[&str]| here.fail(arguments, 2, words);
    fail(&["piece.mid", "--out", "a.mp3"], &["a.mp3", ".wav", ".png"]);
    fail(&["piece.mid", "--out", "a"], &[".flac"]);
    fail(&["piece.mid"], &["--out"]);
    fail(
        &["piece.mid", "--out", "a.wav", "--sample-rate", "7"],
        &["16000", "192000"],
    );
    fail(
        &["piece.mid", "--out", "a.wav", "--gain", "nan"],
        &["--gain"],
    );
    fail(&["piece.mid", "--out", "a.wav", "--room", "2"], &["--room"]);
    fail(
        &["piece.mid", "--out", "a.png", "--line-seconds=-1"],
        &["above 0"],
    );
    fail(
        &["piece.mid", "--out", "a.png", "--width", "9"],
        &["--width"],
    );
}

#[test]
fn what_cannot_be_read_or_written_is_named() {
    let here = Workplace::new();
    fs::create_dir(here.path("folder.wav")).unwrap();
    let fail = |arguments: &[&str], words: &[&str]| here.fail(arguments, 1, words);
    fail(&["none.mid", "--out", "a.wav"], &["cannot read none.mid"]);
    fail(&["empty.mid", "--out", "a.wav"], &["empty.mid", "no notes"]);
    fail(&["piece.mid", "--out", "folder.wav"], &["folder.wav"]);
    let font = ["piece.mid", "--out", "a.wav", "--soundfont"];
    fail(&[&font[..], &["none.sf2"]].concat(), &["none.sf2"]);
    fail(
        &[&font[..], &["piece.mid"]].concat(),
        &["piece.mid", "SoundFont"],
    );
}
