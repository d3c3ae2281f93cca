//! Figures equal to those of the programs that define them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use figures::groove::{Bars, groove_consistency};
use figures::{Piece, distances, pitch, polyphony, structure};
use score::{Score, read_midi};
use serde::Deserialize;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Lines of a golden file, or of the file that a variable names.
fn lines(variable: &str, name: &str) -> String {
    let file = std::env::var_os(variable).map_or(fixtures().join(name), PathBuf::from);
    fs::read_to_string(file).unwrap()
}

fn read(path: &str) -> Score {
    read_midi(&fs::read(fixtures().join(path)).unwrap())
        .unwrap()
        .score
}

#[derive(Deserialize)]
struct MusPy {
    path: String,
    figures: BTreeMap<String, Option<f64>>,
}

#[test]
fn figures_are_those_of_muspy() {
    for line in lines("MUSPY_GOLDEN", "muspy.jsonl").lines() {
        let golden: MusPy = serde_json::from_str(line).unwrap();
        let score = read(&golden.path);
        let notes: Vec<_> = score
            .tracks
            .iter()
            .flat_map(|track| track.notes.clone())
            .collect();
        let bar = 4 * u32::from(score.ticks_per_quarter);
        let bars = Bars {
            ticks: bar,
            cells: bar,
        };
        for (name, expected) in golden.figures {
            let found = match name.as_str() {
                "pitches_used" => Some(pitch::pitches_used(&notes) as f64),
                "pitch_classes_used" => Some(pitch::pitch_classes_used(&notes) as f64),
                "pitch_range" => Some(f64::from(pitch::pitch_range(&notes))),
                "pitch_entropy" => pitch::pitch_entropy(&notes),
                "pitch_class_entropy" => pitch::pitch_class_entropy(&notes),
                "scale_consistency" => pitch::scale_consistency(&notes),
                "polyphony" => polyphony::polyphony(&notes),
                "polyphony_rate" => polyphony::polyphony_rate(&notes),
                "groove_consistency" => groove_consistency(&notes, bars),
                other => panic!("{other}"),
            };
            let close = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
                (found, expected) => found == expected,
            };
            assert!(close, "{} {name}: {found:?}, not {expected:?}", golden.path);
        }
    }
}

#[derive(Deserialize)]
struct Libfmp {
    path: String,
    short: f64,
    middle: f64,
    long: f64,
}

#[test]
fn structure_is_that_of_libfmp() {
    for line in lines("STRUCTURE_GOLDEN", "structure.jsonl").lines() {
        let golden: Libfmp = serde_json::from_str(line).unwrap();
        let found = structure::structure(&Piece::new(&read(&golden.path)).unwrap());
        let pairs = [
            (found.short, golden.short),
            (found.middle, golden.middle),
            (found.long, golden.long),
        ];
        for (found, expected) in pairs {
            assert!(
                (found - expected).abs() < 1e-4,
                "{}: {found}, not {expected}",
                golden.path
            );
        }
    }
}

#[derive(Deserialize)]
struct SciPy {
    pieces: Vec<Vec<f64>>,
    reference: Vec<Vec<f64>>,
    overlapping_area: f64,
    divergence: f64,
}

#[test]
fn densities_of_distances_are_those_of_scipy() {
    let text = fs::read_to_string(fixtures().join("distances.json")).unwrap();
    let golden: SciPy = serde_json::from_str(&text).unwrap();
    let found = distances::likeness(&golden.pieces, &golden.reference).unwrap();
    assert!(
        (found.overlapping_area - golden.overlapping_area).abs() < 1e-4,
        "{found:?}"
    );
    assert!(
        (found.divergence - golden.divergence).abs() < 1e-3,
        "{found:?}"
    );
    // Nothing to estimate a density from.
    let pieces = &golden.pieces;
    assert_eq!(distances::likeness(pieces, &golden.reference[..2]), None);
    assert_eq!(distances::likeness(&pieces[..0], &golden.reference), None);
    assert_eq!(distances::likeness(&[[1.0]], &[[2.0], [2.0], [2.0]]), None);
}
