//! Grammar and follower: what an untrained model plays is music in form, and
//! notes come out one by one as the decoder finds them all at once.

use generate::{
    Engine, EngineOptions, Event, Follower, Grammar, Sample, Session, SessionOptions, Token,
};
use model::{ModelConfig, Weights};
use remi::Tokenizer;
use score::{Note, Pedal, measure, read_midi, write_midi};
use std::path::Path;

const CONFIGURATIONS: [&str; 11] = [
    "default",
    "default-bpe",
    "seed",
    "seed-bpe",
    "fine-grained",
    "fine-grained-bpe",
    "bar-ends",
    "chords-tempos-pedals",
    "everything",
    "no-velocity-no-duration",
    "rests",
];

fn tokenizer(configuration: &str) -> Tokenizer {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fixtures = fixtures.join("../remi/tests/fixtures/miditok-3.1.0");
    Tokenizer::load(fixtures.join(configuration).join("tokenizer.json")).unwrap()
}

/// What a random model of this vocabulary draws.
fn draw(tokenizer: &Tokenizer, tokens: usize, seed: u64, grammar: bool) -> Vec<u32> {
    let config = ModelConfig {
        dim: 16,
        heads: 1,
        num_layers: 1,
        vocab_size: tokenizer.len(),
        head_dim: 16,
        max_sequence_length: 64,
        ..ModelConfig::default()
    };
    let options = EngineOptions {
        threads: 1,
        ..EngineOptions::default()
    };
    let weights = Weights::initial(&config, 5);
    let mut engine = Engine::new(&config, weights, options).unwrap();
    let state = || Box::new(remi::Grammar::new(tokenizer).start()) as Box<dyn Grammar>;
    let sample = Sample {
        prompt: vec![tokenizer.special("BOS_None").unwrap()],
        seed,
        grammar: grammar.then(state),
    };
    let specials = 0..tokenizer.config().special_tokens.len() as u32;
    let options = SessionOptions {
        max_tokens: Some(tokens),
        end: None,
        never: specials.collect(),
        ..SessionOptions::default()
    };
    let session = Session::new(&mut engine, vec![sample], options).unwrap();
    session.map(|token| token.unwrap().id).collect()
}

/// The base tokens that are whole, the notes and the pedals.
fn follow(tokenizer: &Tokenizer, ids: &[u32]) -> (Vec<u16>, Vec<Note>, Vec<Pedal>) {
    let mut follower = Follower::new(tokenizer, &[]);
    let (mut notes, mut pedals, mut down) = (Vec::new(), Vec::new(), 0);
    for id in ids {
        follower.push(*id, |follower, event| {
            match event {
                Some(Event::Note(note)) => {
                    assert_eq!(note.onset, follower.tick());
                    notes.push(note);
                }
                Some(Event::Pedal(pedal)) => pedals.push(pedal),
                Some(Event::PedalDown(tick)) => down = tick,
                Some(Event::PedalUp(tick)) => pedals.push(Pedal {
                    onset: down,
                    duration: tick - down,
                }),
                None => {}
            }
            true
        });
    }
    assert_eq!(follower.notes(), notes.len());
    (follower.base()[..follower.whole()].to_vec(), notes, pedals)
}

#[test]
fn ten_thousand_random_tokens_are_well_formed_with_the_grammar() {
    for configuration in ["seed", "seed-bpe", "fine-grained-bpe", "everything"] {
        let tokenizer = tokenizer(configuration);
        let ids = draw(&tokenizer, 10_000, 3, true);
        assert_eq!(ids.len(), 10_000);
        let decoded = tokenizer.decode_base(&[follow(&tokenizer, &ids).0]);
        assert_eq!(decoded.senseless, 0, "{configuration}");
        let notes = decoded.score.note_count();
        assert!(notes > 1000, "{configuration}: {notes} notes");
        let reading = read_midi(&write_midi(&decoded.score).unwrap()).unwrap();
        assert!(reading.damage.is_sound(), "{configuration}");
        assert_eq!(reading.score.note_count(), notes, "{configuration}");
    }
}

#[test]
fn ten_thousand_random_tokens_give_a_valid_file_without_it() {
    for configuration in ["seed", "seed-bpe", "everything"] {
        let tokenizer = tokenizer(configuration);
        let decoded = tokenizer.decode(&[draw(&tokenizer, 10_000, 3, false)]);
        assert!(decoded.senseless > 1000, "{configuration}");
        let reading = read_midi(&write_midi(&decoded.score).unwrap()).unwrap();
        assert!(reading.damage.is_sound(), "{configuration}");
        assert!(reading.score.note_count() > 0, "{configuration}");
    }
}

#[test]
fn the_follower_finds_the_notes_of_the_decoder() {
    for configuration in CONFIGURATIONS {
        let tokenizer = tokenizer(configuration);
        for seed in 0..4 {
            let ids = draw(&tokenizer, 1500, seed, true);
            let (base, notes, pedals) = follow(&tokenizer, &ids);
            let decoded = tokenizer.decode_base(&[base]).score;
            let track = &decoded.tracks[0];
            assert_eq!(notes, track.notes, "{configuration} {seed}");
            assert_eq!(pedals, track.pedals, "{configuration} {seed}");
        }
    }
}

#[test]
fn the_follower_knows_the_seconds_of_its_tempo_tokens() {
    let tokenizer = tokenizer("chords-tempos-pedals");
    let ids = draw(&tokenizer, 10_000, 1, true);
    let mut follower = Follower::new(&tokenizer, &[]);
    ids.iter().for_each(|id| follower.push(*id, |_, _| true));
    let score = tokenizer.decode_base(&[follower.base()[..follower.whole()].to_vec()]);
    let tempos = score.score.tempos.len();
    assert!(tempos > 5, "{tempos} tempos");
    let seconds = follower.seconds(score.score.end());
    assert!((seconds - measure(&score.score).seconds).abs() < 1e-6);
}

#[test]
fn without_grammar_the_follower_takes_anything() {
    for configuration in CONFIGURATIONS {
        let tokenizer = tokenizer(configuration);
        let ids = draw(&tokenizer, 3000, 2, false);
        let (_, notes, _) = follow(&tokenizer, &ids);
        assert!(!tokenizer.config().use_velocities || notes.len() < 3000);
    }
}

#[test]
fn a_session_ends_one_sample_and_goes_on_with_the_other() {
    let tokenizer = tokenizer("seed");
    let config = ModelConfig {
        dim: 16,
        heads: 1,
        num_layers: 1,
        vocab_size: tokenizer.len(),
        head_dim: 16,
        max_sequence_length: 64,
        ..ModelConfig::default()
    };
    let options = EngineOptions {
        sequences: 2,
        threads: 1,
        ..EngineOptions::default()
    };
    let mut engine = Engine::new(&config, Weights::initial(&config, 5), options).unwrap();
    let sample = |seed| Sample {
        prompt: vec![1],
        seed,
        grammar: None,
    };
    let options = SessionOptions {
        max_tokens: Some(9),
        end: None,
        ..SessionOptions::default()
    };
    let mut session = Session::new(&mut engine, vec![sample(1), sample(2)], options).unwrap();
    let mut counts = [0; 2];
    while let Some(token) = session.next() {
        let Token { sample, .. } = token.unwrap();
        counts[sample] += 1;
        if counts[0] == 4 {
            session.stop(0);
        }
    }
    assert_eq!(counts, [4, 9]);
}
