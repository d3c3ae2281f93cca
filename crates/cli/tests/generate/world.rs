//! An untrained model, and how to play it.

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
pub fn piece(notes: u32, seed: u32) -> Score {
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

pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("tchaikovsky").unwrap();
    command
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

pub fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with an untrained model `run`, of 64 positions, its dataset and the
/// pieces it would learn from.
pub fn world() -> &'static Path {
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
pub fn generate(folder: &TempDir, arguments: &str) -> Output {
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
pub fn summary(folder: &TempDir, arguments: &str) -> Value {
    let output = generate(folder, &format!("{arguments} --json"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

pub fn bytes(folder: &TempDir, file: &str) -> Vec<u8> {
    fs::read(folder.path().join(file)).unwrap()
}

pub fn score(folder: &TempDir, file: &str) -> Score {
    let reading = read_midi(&bytes(folder, file)).unwrap();
    assert!(reading.damage.is_sound());
    reading.score
}

/// Onset, end and pitch in microseconds of each note, sorted.
pub fn notes(score: &Score) -> Vec<(i64, i64, u8)> {
    let map = TempoMap::new(score);
    let micro = |tick| (map.seconds(tick) * 1e6).round() as i64;
    let all = score.tracks.iter().flat_map(|track| &track.notes);
    let mut notes: Vec<_> = all
        .map(|note| (micro(note.onset), micro(note.end()), note.pitch))
        .collect();
    notes.sort_unstable();
    notes
}

pub fn files(folder: &TempDir) -> usize {
    fs::read_dir(folder.path()).unwrap().count()
}

/// The untrained model's own folder.
pub fn model() -> PathBuf {
    world().join("run/step-00000000")
}
