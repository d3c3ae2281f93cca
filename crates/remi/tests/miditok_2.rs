//! Tokenizers that MidiTok 2.1.8 saved, the version the seed project was
//! written for: they load, and their ids decode to the scores that 2.1.8
//! decoded (first tracks only; it decoded to 384 ticks a quarter note).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use remi::{Token, Tokenizer};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    ids: Vec<Vec<u32>>,
    /// Absent where there were no notes to decode.
    decoded: Option<Decoded>,
}

#[derive(Deserialize)]
struct Decoded {
    tpq: u32,
    tracks: Vec<DecodedTrack>,
}

#[derive(Deserialize)]
struct DecodedTrack {
    /// Onset, duration, pitch, velocity.
    notes: Vec<(u32, u32, u8, u8)>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/miditok-2.1.8")
        .join(name)
}

fn check(name: &str) {
    let tokenizer = Tokenizer::load(folder(name).join("tokenizer.json")).unwrap();
    let text = fs::read_to_string(folder(name).join("tokens.json")).unwrap();
    let goldens: BTreeMap<String, Golden> = serde_json::from_str(&text).unwrap();
    assert_eq!(goldens.len(), 18, "the fixtures are whole");
    for (file, golden) in goldens {
        let decoded = tokenizer.decode(&golden.ids[..golden.ids.len().min(1)]);
        assert_eq!(decoded.senseless, 0, "{name}/{file}");
        let Some(expected) = golden.decoded else {
            assert!(decoded.score.tracks.is_empty(), "{name}/{file}");
            continue;
        };
        let scale = expected.tpq / u32::from(decoded.score.ticks_per_quarter);
        let ours: Vec<Vec<_>> = decoded
            .score
            .tracks
            .iter()
            .map(|track| {
                let scaled =
                    |n: &score::Note| (n.onset * scale, n.duration * scale, n.pitch, n.velocity);
                track.notes.iter().map(scaled).collect()
            })
            .collect();
        let theirs = expected.tracks.iter().map(|track| track.notes.clone());
        let theirs: Vec<Vec<_>> = theirs.filter(|notes| !notes.is_empty()).collect();
        assert_eq!(ours, theirs, "{name}/{file}");
    }
}

#[test]
fn base_ids_decode_to_the_same_notes() {
    check("seed");
}

#[test]
fn ids_of_bpe_decode_to_the_same_notes() {
    check("seed-bpe");
}

/// Their positions are counted in another way, and nothing in the file says so.
#[test]
fn its_time_signatures_are_refused_by_name() {
    let text = fs::read_to_string(folder("seed").join("tokenizer.json")).unwrap();
    let told = text.replace(
        r#""use_time_signatures": false"#,
        r#""use_time_signatures": true"#,
    );
    assert_ne!(text, told);
    let error = Tokenizer::from_json(&told, Path::new("old.json")).unwrap_err();
    assert!(error.to_string().contains("use_time_signatures"), "{error}");
}

#[test]
fn drums_have_no_tokens_of_their_own() {
    let tokenizer = Tokenizer::load(folder("seed").join("tokenizer.json")).unwrap();
    let tokens = tokenizer.vocabulary().tokens();
    assert!(
        !tokens
            .iter()
            .any(|token| matches!(token, Token::PitchDrum(_)))
    );
    assert_eq!(tokenizer.special("PAD_None"), Some(0));
}
