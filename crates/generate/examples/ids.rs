//! Continues a piece from nothing and prints its ids.
//!
//! `cargo run --release -p generate --example ids MODEL_FOLDER`

use generate::{Engine, EngineOptions, Sample, Session, SessionOptions};
use model::{BOS, ModelFolder};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name a model folder")?;
    let folder = ModelFolder::read(folder.as_ref())?;
    let mut engine = Engine::new(&folder.config, folder.weights, EngineOptions::default())?;
    let sample = Sample {
        prompt: vec![BOS],
        seed: 0,
        grammar: None,
    };
    let options = SessionOptions {
        max_tokens: Some(100),
        ..SessionOptions::default()
    };
    for token in Session::new(&mut engine, vec![sample], options)? {
        println!("{}", token?.id);
    }
    Ok(())
}
