//! Plays a piece from nothing and prints each note as soon as it is complete.
//!
//! `cargo run --release -p generate --example notes MODEL_FOLDER`

use generate::{Engine, EngineOptions, Event, Follower, Sample, Session, SessionOptions};
use model::{BOS, ModelFolder};
use remi::{Grammar, Tokenizer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name a model folder")?;
    let folder = ModelFolder::read(folder.as_ref())?;
    let json = String::from_utf8(folder.tokenizer)?;
    let tokenizer = Tokenizer::from_json(&json, "tokenizer.json".as_ref())?;
    let mut engine = Engine::new(&folder.config, folder.weights, EngineOptions::default())?;
    let sample = Sample {
        prompt: vec![BOS],
        seed: 0,
        grammar: Some(Box::new(Grammar::new(&tokenizer).start())),
    };
    let options = SessionOptions {
        max_tokens: Some(200),
        ..SessionOptions::default()
    };
    let mut follower = Follower::new(&tokenizer, &[]);
    for token in Session::new(&mut engine, vec![sample], options)? {
        follower.push(token?.id, |follower, event| {
            if let Some(Event::Note(note)) = event {
                println!("{:.2} s: {note:?}", follower.seconds(note.onset));
            }
            true
        });
    }
    Ok(())
}
