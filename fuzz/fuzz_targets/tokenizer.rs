//! Any text as a tokenizer file: what loads can be used and saved.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use remi::Tokenizer;
use score::{Note, Score, Track};

fuzz_target!(|text: &str| {
    let path = Path::new("tokenizer.json");
    let Ok(tokenizer) = Tokenizer::from_json(text, path) else {
        return;
    };
    let mut track = Track::piano();
    for step in 0..8 {
        track.notes.push(Note {
            onset: 700 * step,
            duration: 300,
            pitch: 60,
            velocity: 70,
        });
    }
    let mut score = Score::new(480);
    score.tracks.push(track);
    if let Ok(ids) = tokenizer.encode(&score) {
        tokenizer.decode(&ids);
    }
    let all: Vec<u32> = (0..tokenizer.len() as u32 + 2).collect();
    tokenizer.decode(&[all]);
    let saved = tokenizer.to_json().unwrap();
    let again = Tokenizer::from_json(&saved, path).unwrap();
    assert_eq!(again.vocabulary().names(), tokenizer.vocabulary().names());
});
