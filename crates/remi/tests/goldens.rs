//! Ids, token names and decoded scores equal MidiTok's own, for every
//! configuration and file of the fixtures (made with MidiTok, not with this
//! project).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use remi::Tokenizer;
use score::{Score, read_midi};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    ids: Vec<Vec<u32>>,
    /// Absent where BPE is trained.
    tokens: Option<Vec<Vec<String>>>,
    decoded: Option<GoldenScore>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct GoldenScore {
    tpq: u16,
    tracks: Vec<GoldenTrack>,
    tempos: Vec<(u32, f64)>,
    time_signatures: Vec<(u32, u8, u8)>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct GoldenTrack {
    notes: Vec<(u32, u32, u8, u8)>,
    pedals: Vec<(u32, u32)>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/miditok-3.1.0")
}

fn read(name: &str) -> Score {
    let path = fixtures().join("midi").join(name).with_extension("mid");
    read_midi(&fs::read(path).unwrap()).unwrap().score
}

fn goldens(configuration: &str) -> BTreeMap<String, Golden> {
    let text = fs::read_to_string(fixtures().join(configuration).join("tokens.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn in_golden_form(score: &Score) -> GoldenScore {
    let note = |n: &score::Note| (n.onset, n.duration, n.pitch, n.velocity);
    let track = |track: &score::Track| GoldenTrack {
        notes: track.notes.iter().map(note).collect(),
        pedals: track.pedals.iter().map(|p| (p.onset, p.duration)).collect(),
    };
    GoldenScore {
        tpq: score.ticks_per_quarter,
        tracks: score.tracks.iter().map(track).collect(),
        tempos: score
            .tempos
            .iter()
            .map(|t| (t.onset, t.quarters_per_minute()))
            .collect(),
        time_signatures: score
            .time_signatures
            .iter()
            .map(|s| (s.onset, s.numerator, s.denominator))
            .collect(),
    }
}

fn assert_same_score(ours: GoldenScore, theirs: &GoldenScore, place: &str) {
    assert_eq!(ours.tpq, theirs.tpq, "{place}: ticks per quarter");
    assert_eq!(ours.tracks, theirs.tracks, "{place}: tracks");
    assert_eq!(
        ours.time_signatures, theirs.time_signatures,
        "{place}: time signatures"
    );
    assert_eq!(ours.tempos.len(), theirs.tempos.len(), "{place}: tempos");
    for (our, their) in ours.tempos.iter().zip(&theirs.tempos) {
        assert_eq!(our.0, their.0, "{place}: tempo onset");
        assert!(
            (our.1 - their.1).abs() < 1e-6,
            "{place}: tempo {our:?} {their:?}"
        );
    }
}

fn check(configuration: &str) {
    let tokenizer = Tokenizer::load(fixtures().join(configuration).join("tokenizer.json")).unwrap();
    let goldens = goldens(configuration);
    assert_eq!(goldens.len(), 18, "the fixtures are whole");
    for (name, golden) in goldens {
        let place = format!("{configuration}/{name}");
        let score = read(&name);
        let base = tokenizer.encode_base(&score).unwrap();
        let names: Vec<_> = base
            .iter()
            .map(|track| tokenizer.names(&track.ids))
            .collect();
        let ids = tokenizer.encode(&score).unwrap();
        if let Some(tokens) = &golden.tokens {
            assert_eq!(&names, tokens, "{place}: token names");
        }
        assert_eq!(ids, golden.ids, "{place}: ids");
        if let Some(expected) = &golden.decoded {
            let decoded = tokenizer.decode(&golden.ids);
            assert_same_score(in_golden_form(&decoded.score), expected, &place);
        }
    }
}

macro_rules! configurations {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { check($name); })*
    };
}

configurations! {
    default: "default",
    default_bpe: "default-bpe",
    seed: "seed",
    seed_bpe: "seed-bpe",
    fine_grained: "fine-grained",
    fine_grained_bpe: "fine-grained-bpe",
    bar_embedding: "bar-embedding",
    bar_ends: "bar-ends",
    chords_tempos_pedals: "chords-tempos-pedals",
    everything: "everything",
    no_velocity_no_duration: "no-velocity-no-duration",
    rests: "rests",
}
