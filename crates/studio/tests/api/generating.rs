//! Music as a stream of events.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use score::read_midi;
use serde_json::{Value, json};
use studio::Limits;

use crate::client::{events, generate, get, post_midi};
use crate::world::{midi, model, shared, start};

/// The events of a request that has to succeed.
fn made(request: &Value) -> Vec<(String, Value)> {
    let answer = generate(shared(), request);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{text}");
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let events = events(&answer.body);
    assert_eq!(events.last().unwrap().0, "done", "{text}");
    events
}

fn named<'a>(events: &'a [(String, Value)], name: &str) -> Vec<&'a Value> {
    let of_name = events.iter().filter(|(found, _)| found == name);
    of_name.map(|(_, data)| data).collect()
}

fn file(piece: &Value) -> Vec<u8> {
    STANDARD.decode(piece["midi"].as_str().unwrap()).unwrap()
}

/// Onset, pitch and velocity of notes as the API tells them.
fn heard<'a>(notes: impl IntoIterator<Item = &'a Value>) -> Vec<(i64, u64, u64)> {
    let note = |note: &Value| {
        let milliseconds = (note["onset"].as_f64().unwrap() * 1000.0).round() as i64;
        let number = |key: &str| note[key].as_u64().unwrap();
        (milliseconds, number("pitch"), number("velocity"))
    };
    let mut notes: Vec<_> = notes.into_iter().map(note).collect();
    notes.sort_unstable();
    notes
}

#[test]
fn a_piece_from_nothing_is_told_note_by_note_and_then_given_whole() {
    let request = json!({ "seed": 3, "may_end": false, "length": { "notes": 40 } });
    let events = made(&request);
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    let waited = names.iter().take_while(|name| **name == "queued").count();
    assert!(waited > 0);
    assert_eq!(names[waited], "begin");
    let begin = named(&events, "begin")[0];
    assert_eq!(begin["seed"], 3);
    assert_eq!(begin["model"], "first");
    assert_eq!(begin["prompt"]["notes"], json!([]));
    let notes = named(&events, "note");
    assert_eq!(notes.len(), 40);
    let onsets = notes.iter().map(|note| note["onset"].as_f64().unwrap());
    assert!(onsets.clone().is_sorted());
    let piece = named(&events, "piece")[0];
    assert_eq!(
        (&piece["ended"], &piece["new_notes"]),
        (&json!("notes"), &json!(40))
    );
    let score = post_midi(shared(), "/api/score", &file(piece)).json();
    let whole = score["notes"].as_array().unwrap();
    assert_eq!(heard(notes.iter().copied()), heard(whole));
}

#[test]
fn the_same_seed_gives_the_same_piece_and_variations_differ() {
    let request = |seed: u64, variations: u64| json!({ "seed": seed, "variations": variations, "may_end": false, "length": { "notes": 20 }, "model": "second" });
    let files = |events: &[(String, Value)]| -> Vec<Vec<u8>> {
        named(events, "piece").into_iter().map(file).collect()
    };
    let four = files(&made(&request(7, 4)));
    assert_eq!(four.len(), 4);
    assert!(four[0] != four[1] && four[1] != four[2] && four[2] != four[3]);
    assert_eq!(files(&made(&request(7, 1)))[0], four[0]);
    assert_eq!(files(&made(&request(9, 1)))[0], four[2]);
}

#[test]
fn a_prompt_goes_on_where_it_was_cut() {
    let prompt = json!({ "midi": STANDARD.encode(midi(20)), "seconds": 3.2 });
    let request =
        json!({ "prompt": prompt, "may_end": false, "length": { "seconds": 4.0 }, "seed": 1 });
    let events = made(&request);
    let begin = named(&events, "begin")[0];
    let notes = begin["prompt"]["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 7);
    let piece = named(&events, "piece")[0];
    assert_eq!(piece["ended"], "seconds");
    let score = read_midi(&file(piece)).unwrap().score;
    assert!(score.note_count() > 7);
    for note in named(&events, "note") {
        let onset = note["onset"].as_f64().unwrap();
        assert!((3.0..7.0).contains(&onset), "{onset}");
    }
    let example = json!({ "example": "canon", "seconds": 40 });
    let events = made(&json!({ "prompt": example, "length": { "notes": 5 }, "may_end": false }));
    assert!(
        named(&events, "begin")[0]["unseen_tokens"]
            .as_u64()
            .unwrap()
            > 0
    );
}

#[test]
fn senseless_requests_are_refused_with_a_reason() {
    let cases = [
        (json!([]), 400),
        (json!({ "tempo": 3 }), 400),
        (json!({ "seed": -1 }), 400),
        (json!({ "seed": 1_u64 << 60 }), 422),
        (json!({ "variations": 0 }), 422),
        (json!({ "variations": 5 }), 422),
        (json!({ "model": "../../etc" }), 404),
        (json!({ "length": { "seconds": 601 } }), 422),
        (json!({ "length": { "seconds": 0 } }), 400),
        (json!({ "length": { "notes": 0 } }), 422),
        (json!({ "length": { "tokens": 1_000_000 } }), 422),
        (json!({ "sampling": { "temperature": -1 } }), 422),
        (json!({ "sampling": { "temperature": 1e39 } }), 400),
        (json!({ "sampling": { "top_p": 0 } }), 400),
        (json!({ "sampling": { "min_p": 2 } }), 400),
        (
            json!({ "sampling": { "repetition_window": 1_000_000 } }),
            422,
        ),
        (json!({ "prompt": {} }), 400),
        (
            json!({ "prompt": { "midi": "AAAA", "example": "canon" } }),
            400,
        ),
        (json!({ "prompt": { "midi": "not base64!" } }), 400),
        (json!({ "prompt": { "example": "nothing" } }), 404),
        (
            json!({ "prompt": { "example": "canon", "seconds": -3 } }),
            400,
        ),
        (json!({ "prompt": { "file": "/etc/passwd" } }), 400),
    ];
    for (request, status) in cases {
        let answer = generate(shared(), &request);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "{request}: {text}");
        assert!(
            !answer.json()["error"]["message"]
                .as_str()
                .unwrap()
                .is_empty()
        );
    }
}

#[test]
fn a_prompt_without_music_is_an_error_of_the_stream() {
    let whole = |bytes: &[u8]| json!({ "prompt": { "midi": STANDARD.encode(bytes) } });
    let silent = score::write_midi(&score::Score::new(480)).unwrap();
    let nothing_yet = {
        let mut score = crate::world::piece(2);
        for note in &mut score.tracks[0].notes {
            note.onset += 9600;
        }
        json!({ "prompt": { "midi": STANDARD.encode(score::write_midi(&score).unwrap()), "seconds": 2 } })
    };
    for request in [whole(b"text"), whole(&silent), nothing_yet] {
        let answer = generate(shared(), &request);
        assert_eq!(answer.status, 200);
        let events = events(&answer.body);
        let (name, data) = events.last().unwrap();
        assert_eq!(name, "error");
        assert_eq!(data["code"], "unusable_music");
    }
}

#[test]
fn without_a_model_the_rest_works() {
    let address = start(Limits::default(), Vec::new());
    let answer = generate(address, &json!({}));
    assert_eq!((answer.status, answer.code().as_str()), (503, "no_model"));
    assert_eq!(get(address, "/api/models").json()["models"], json!([]));
    assert_eq!(post_midi(address, "/api/score", &midi(3)).status, 200);
}

#[test]
fn time_ends_a_piece_that_takes_too_long() {
    let limits = Limits {
        generation_seconds: 0,
        ..Limits::default()
    };
    let address = start(limits, vec![model("only")]);
    let answer = generate(address, &json!({ "may_end": false }));
    let events = events(&answer.body);
    assert_eq!(named(&events, "piece")[0]["ended"], "time");
}
