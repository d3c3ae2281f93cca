//! How a part of a score becomes a prompt.

use generate::{Part, Prompt, PromptError};
use remi::{Config, Time, Tokenizer};
use score::{Note, Pedal, Score, Track};

fn tokenizer() -> Tokenizer {
    let tokenizer = Tokenizer::new(Config::performance()).unwrap();
    tokenizer.with_time(Time::Performance)
}

/// Two notes a second for ten seconds, the pedal down from the first to the
/// eighth second.
fn piece() -> Score {
    let mut score = Score::new(480);
    let mut track = Track::piano();
    for index in 0..20 {
        track.notes.push(Note {
            onset: index * 480,
            duration: 400,
            pitch: 60,
            velocity: 64,
        });
    }
    track.pedals.push(Pedal {
        onset: 960,
        duration: 7 * 960,
    });
    score.tracks.push(track);
    score
}

fn first_seconds(seconds: f64) -> Result<Prompt, PromptError> {
    let part = Part {
        seconds: Some(seconds),
        ..Part::default()
    };
    Prompt::new(&piece(), &part, &tokenizer())
}

#[test]
fn a_pedal_that_is_lifted_after_the_cut_is_still_down() {
    let tokenizer = tokenizer();
    let prompt = first_seconds(3.2).unwrap();
    let follower = prompt.followed(&tokenizer);
    assert_eq!(follower.notes(), 7);
    assert!(follower.is_pedal_down());
    assert_eq!(follower.seconds(follower.tick()), 3.0);
    let whole = Prompt::new(&piece(), &Part::default(), &tokenizer).unwrap();
    assert!(whole.ids.starts_with(&prompt.ids));
    assert!(!whole.followed(&tokenizer).is_pedal_down());
}

#[test]
fn a_pedal_that_is_lifted_before_the_cut_is_up() {
    let tokenizer = tokenizer();
    let prompt = first_seconds(8.2).unwrap();
    let follower = prompt.followed(&tokenizer);
    assert_eq!((follower.notes(), follower.is_pedal_down()), (17, false));
}

#[test]
fn a_part_without_notes_is_no_prompt() {
    assert!(matches!(
        first_seconds(0.0),
        Err(PromptError::NoNotesInPart { .. })
    ));
    let tokens = Part {
        bars: Some(0),
        ..Part::default()
    };
    let none = Prompt::new(&piece(), &tokens, &tokenizer());
    assert!(matches!(none, Err(PromptError::NoNotesInPart { .. })));
}
