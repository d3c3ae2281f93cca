//! A server with an untrained model.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::thread;

use generate::{Engine, EngineOptions};
use model::{ModelConfig, Weights};
use remi::{Config, Time, Tokenizer};
use score::{Note, Pedal, Score, Track, write_midi};
use studio::{Limits, Model, OpenEngine, Studio};

static NEVER: AtomicBool = AtomicBool::new(false);

/// An untrained model of 64 positions that plays seconds, with the pedal.
pub fn model(name: &str) -> Model {
    let tokenizer = Tokenizer::new(Config::performance()).unwrap();
    let tokenizer = tokenizer.with_time(Time::Performance);
    let config = ModelConfig {
        dim: 32,
        heads: 2,
        head_dim: 16,
        num_layers: 2,
        vocab_size: tokenizer.len(),
        max_sequence_length: 64,
        ..ModelConfig::default()
    };
    let weights = Weights::initial(&config, 5);
    let shape = config.clone();
    let open: OpenEngine = Arc::new(move |sequences| {
        let options = EngineOptions {
            sequences,
            threads: 1,
            ..EngineOptions::default()
        };
        Ok(Box::new(Engine::new(&shape, weights.clone(), options)?))
    });
    Model::new(name, config, tokenizer, open)
}

/// Starts a server of its own.
pub fn start(limits: Limits, models: Vec<Model>) -> SocketAddr {
    let studio = Studio::start(models, vec!["piano.lan".to_owned()], limits).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || studio::serve(&studio, listener, &NEVER));
    address
}

/// A server with two models that all tests may share.
pub fn shared() -> SocketAddr {
    static SHARED: OnceLock<SocketAddr> = OnceLock::new();
    *SHARED.get_or_init(|| {
        let limits = Limits {
            waiting: 100,
            ..Limits::default()
        };
        start(limits, vec![model("first"), model("second")])
    })
}

/// A piece of that many notes, two a second, with the pedal in its first half.
pub fn piece(notes: u32) -> Score {
    let mut score = Score::new(480);
    let mut track = Track::piano();
    for index in 0..notes {
        track.notes.push(Note {
            onset: index * 480,
            duration: 400,
            pitch: 48 + (index * 7 % 30) as u8,
            velocity: 40 + (index * 11 % 60) as u8,
        });
    }
    track.pedals.push(Pedal {
        onset: 0,
        duration: notes * 240,
    });
    score.tracks.push(track);
    score
}

/// The same as a MIDI file.
pub fn midi(notes: u32) -> Vec<u8> {
    write_midi(&piece(notes)).unwrap()
}
