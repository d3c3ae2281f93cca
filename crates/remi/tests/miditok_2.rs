//! Tokenizers that MidiTok 2.1.8 saved, the version the seed project was
//! written for: they load, and their ids decode to the scores that 2.1.8
//! decoded (first tracks only; it decoded to 384 ticks a quarter note).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use remi::{BaseTokens, Scratch, Token, Tokenizer};
use score::read_midi;
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

fn tokenizer(name: &str) -> Tokenizer {
    Tokenizer::load(folder(name).join("tokenizer.json")).unwrap()
}

fn goldens(name: &str) -> BTreeMap<String, Golden> {
    let text = fs::read_to_string(folder(name).join("tokens.json")).unwrap();
    let goldens: BTreeMap<String, Golden> = serde_json::from_str(&text).unwrap();
    assert_eq!(goldens.len(), 18, "the fixtures are whole");
    goldens
}

fn check(name: &str) {
    let (tokenizer, goldens) = (tokenizer(name), goldens(name));
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

/// Its BPE joins tokens across bars: the whole sequence is one word.
#[test]
fn bpe_of_its_base_ids_gives_its_ids() {
    let (tokenizer, expected) = (tokenizer("seed-bpe"), goldens("seed-bpe"));
    let mut joined_across_bars = 0;
    for (file, golden) in goldens("seed") {
        for (base, ids) in golden.ids.iter().zip(&expected[&file].ids) {
            let whole = BaseTokens {
                ids: base.iter().map(|id| *id as u16).collect(),
                word_starts: vec![0],
            };
            let found = tokenizer.apply_bpe(&whole, &mut Scratch::default());
            assert_eq!(found, *ids, "{file}");
            let bars = |id: &u32| {
                let (base, _) = tokenizer.expand(&[*id]);
                let names = tokenizer.names(&base);
                names.iter().skip(1).any(|name| *name == "Bar_None")
            };
            joined_across_bars += found.iter().filter(|id| bars(id)).count();
        }
    }
    assert!(joined_across_bars > 0, "the fixtures could not tell");
}

/// Scores are cut into base tokens by the rules of 3.1.0: which files of the
/// fixtures that changes, and by how many base tokens (longest common
/// subsequence left out on both sides).
#[test]
fn what_cutting_by_the_rules_of_3_1_0_changes_is_known() {
    let tokenizer = tokenizer("seed");
    let midis = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/miditok-3.1.0/midi");
    let mut differ = Vec::new();
    for (file, golden) in goldens("seed") {
        let bytes = fs::read(midis.join(format!("{file}.mid"))).unwrap();
        let mut score = read_midi(&bytes).unwrap().score;
        score.tracks.truncate(1);
        let found = tokenizer.encode_base(&score).unwrap().remove(0).ids;
        let theirs: Vec<u16> = golden
            .ids
            .iter()
            .take(1)
            .flatten()
            .map(|id| *id as u16)
            .collect();
        let common = longest_common_subsequence(&found, &theirs);
        let changed = found.len().max(theirs.len()) - common;
        if changed > 0 {
            differ.push((file, changed, theirs.len()));
        }
    }
    let known = [
        ("duplicates", 11, 15),
        ("late-start", 1, 24),
        ("low-tpq-8", 151, 504),
        ("odd-tpq-221", 278, 679),
        ("pedal-only-overlaps", 64, 325),
        ("performance-384", 250, 724),
        ("performance-480", 877, 2303),
        ("performance-960-long-notes", 261, 784),
        ("scale", 1, 34),
        ("tempo-changes", 163, 493),
        ("time-signatures", 275, 804),
        ("tpq-96-dense", 154, 394),
        ("two-tracks", 208, 548),
        ("unsupported-signature", 77, 207),
    ];
    let differ: Vec<_> = differ
        .iter()
        .map(|(file, n, of)| (file.as_str(), *n, *of))
        .collect();
    assert_eq!(differ, known);
}

fn longest_common_subsequence(one: &[u16], other: &[u16]) -> usize {
    let mut lengths = vec![0; other.len() + 1];
    for a in one {
        let mut diagonal = 0;
        for (index, b) in other.iter().enumerate() {
            let above = lengths[index + 1];
            lengths[index + 1] = match a == b {
                true => diagonal + 1,
                false => above.max(lengths[index]),
            };
            diagonal = above;
        }
    }
    lengths[other.len()]
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

#[test]
fn a_score_of_many_bars_is_one_word_for_its_bpe() {
    let path = folder("../miditok-3.1.0/midi/performance-480.mid");
    let score = read_midi(&fs::read(path).unwrap()).unwrap().score;
    for track in tokenizer("seed-bpe").encode_base(&score).unwrap() {
        assert_eq!(track.words().count(), 1);
    }
}
