//! The grammar accepts what the encoder writes, and what it allows decodes
//! without a senseless token.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use remi::{Grammar, Tokenizer};
use score::read_midi;

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

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/miditok-3.1.0")
}

fn tokenizer(configuration: &str) -> Tokenizer {
    Tokenizer::load(fixtures().join(configuration).join("tokenizer.json")).unwrap()
}

#[test]
fn whatever_is_encoded_is_well_formed() {
    for configuration in CONFIGURATIONS {
        let tokenizer = tokenizer(configuration);
        let grammar = Grammar::new(&tokenizer);
        for file in fs::read_dir(fixtures().join("midi")).unwrap() {
            let path = file.unwrap().path();
            let score = read_midi(&fs::read(&path).unwrap()).unwrap().score;
            for ids in tokenizer.encode(&score).unwrap() {
                let mut state = grammar.start();
                for (index, id) in ids.iter().enumerate() {
                    let names = tokenizer
                        .names(&tokenizer.expand(&ids[index.saturating_sub(2)..=index]).0)
                        .join(" ");
                    assert!(
                        state.allows(*id),
                        "{configuration} {}: {names}",
                        path.display()
                    );
                    state.accept(*id);
                }
            }
        }
    }
}

#[test]
fn malformed_sequences_are_refused() {
    let tokenizer = tokenizer("chords-tempos-pedals");
    let grammar = Grammar::new(&tokenizer);
    let refused = |names: &[&str]| {
        let mut state = grammar.start();
        let mut id = |name: &str| {
            let id = u32::from(tokenizer.vocabulary().id(name).unwrap());
            let allowed = state.allows(id);
            state.accept(id);
            allowed
        };
        let (last, before) = names.split_last().unwrap();
        let before: Vec<bool> = before.iter().map(|name| id(name)).collect();
        assert!(
            before.iter().all(|allowed| *allowed),
            "{names:?}: {before:?}"
        );
        !id(last)
    };
    let start = ["Bar_None", "TimeSig_4/4", "Position_8"];
    let after = |more: &[&'static str]| [&start[..], more].concat();
    assert!(refused(&["Position_8"]), "no bar");
    assert!(refused(&["Bar_None", "Position_8"]), "no time signature");
    assert!(
        refused(&["Bar_None", "TimeSig_4/4", "Position_40"]),
        "beyond the bar"
    );
    assert!(
        refused(&after(&["Pitch_60", "Duration_1.0.8"])),
        "no velocity"
    );
    assert!(
        refused(&after(&[
            "Pitch_60",
            "Velocity_63",
            "Duration_1.0.8",
            "Position_8"
        ])),
        "no later"
    );
    assert!(refused(&after(&["PedalOff_0"])), "the pedal is up");
    assert!(
        refused(&after(&["Pedal_0", "Pedal_0"])),
        "the pedal is down"
    );
    assert!(refused(&after(&["Pitch_60", "EOS_None"])), "an open note");
    assert!(!refused(&after(&[
        "Pitch_60",
        "Velocity_63",
        "Duration_1.0.8",
        "EOS_None"
    ])));
}

#[test]
fn a_piano_has_no_drums_and_a_key_is_struck_once_at_a_time() {
    let tokenizer = tokenizer("seed");
    let after = |grammar: Grammar, names: &[&str]| {
        let mut state = grammar.start();
        for name in names {
            state.accept(u32::from(tokenizer.vocabulary().id(name).unwrap()));
        }
        state.allows(u32::from(tokenizer.vocabulary().id("Pitch_60").unwrap()))
    };
    let same_tick = [
        "Bar_None",
        "Position_0",
        "Pitch_60",
        "Velocity_63",
        "Duration_1.0.8",
    ];
    let later = [&same_tick[..], &["Position_1"]].concat();
    assert!(after(Grammar::new(&tokenizer), &same_tick));
    assert!(!after(Grammar::new(&tokenizer).for_piano(), &same_tick));
    assert!(after(Grammar::new(&tokenizer).for_piano(), &later));
}

/// Bars before each note of a model that plays none as long as it need not: it goes on
/// to the next bar where it may (`hurries`, by base tokens alone, in which bars can be
/// counted), or takes anything but a note.
fn silent_bars(tokenizer: &Tokenizer, hurries: bool) -> Vec<u32> {
    let mut state = Grammar::new(tokenizer).for_piano().start();
    let name = |id: u32| {
        let base = tokenizer.expand(&[id]).0;
        let names = base
            .iter()
            .filter_map(|id| tokenizer.vocabulary().name(*id));
        names.collect::<Vec<_>>().join(" ")
    };
    let end = tokenizer.special("EOS_None").unwrap();
    let (mut bars, mut silent, mut choice) = (Vec::new(), 0, 1_u64);
    let (mut notes, mut may_end) = (0, false);
    for _ in 0..400 {
        let ids = match hurries {
            true => tokenizer.vocabulary().len(),
            false => tokenizer.len(),
        };
        let allowed = (0..ids as u32).filter(|id| state.allows(*id));
        let allowed: Vec<u32> = allowed.collect();
        assert!(
            notes >= 16 || !allowed.contains(&end),
            "a piece of {notes} notes"
        );
        may_end |= allowed.contains(&end);
        let those = |wanted: &dyn Fn(&str) -> bool| {
            let chosen = allowed.iter().copied();
            let chosen = chosen.filter(|id| *id != end && wanted(&name(*id)));
            Some(chosen.collect::<Vec<u32>>()).filter(|chosen| !chosen.is_empty())
        };
        let from = match hurries {
            true => those(&|name| name.starts_with("Bar"))
                .or_else(|| those(&|name| name.starts_with("Pitch"))),
            false => those(&|name| !name.contains("Pitch")),
        };
        let from = from.or_else(|| those(&|_| true));
        let from = from.expect("a dead end");
        choice = choice.wrapping_mul(6_364_136_223_846_793_005) + 1;
        let id = from[(choice >> 33) as usize % from.len()];
        notes += name(id).matches("Pitch").count();
        if name(id).contains("Pitch") {
            bars.push(silent);
            silent = 0;
        }
        silent += u32::from(name(id).starts_with("Bar_") && name(id) != "Bar_End");
        state.accept(id);
    }
    assert!(
        may_end || notes <= 16,
        "a piece of {notes} notes without end"
    );
    bars
}

#[test]
fn a_piano_is_never_silent_for_long() {
    for configuration in CONFIGURATIONS {
        let tokenizer = tokenizer(configuration);
        // Where bars have an end of their own, that is counted, so the first is free.
        let first = 2 + u32::from(tokenizer.config().use_bar_end_tokens);
        let bars = silent_bars(&tokenizer, true);
        assert_eq!(bars[0], first, "{configuration}");
        let later = &bars[1..];
        assert!(later.len() > 5, "{configuration}: {bars:?}");
        assert!(
            later.iter().all(|bars| *bars <= 4),
            "{configuration}: {bars:?}"
        );
        assert!(later.contains(&4), "{configuration}: {bars:?}");
        silent_bars(&tokenizer, false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_is_allowed_makes_sense(configuration in 0..CONFIGURATIONS.len(), piano: bool, choices in prop::collection::vec(any::<u32>(), 1..120)) {
        let tokenizer = tokenizer(CONFIGURATIONS[configuration]);
        let grammar = Grammar::new(&tokenizer);
        let mut state = if piano { grammar.for_piano() } else { grammar }.start();
        let end = tokenizer.special("EOS_None");
        let mut drawn = Vec::new();
        for choice in choices {
            let mut mask = vec![true; tokenizer.len()];
            state.restrict(&mut mask);
            let ids = 0..tokenizer.len() as u32;
            prop_assert!(ids.clone().all(|id| mask[id as usize] == state.allows(id)));
            let allowed = ids.filter(|id| mask[*id as usize]);
            let going_on: Vec<u32> = allowed.filter(|id| Some(*id) != end).collect();
            prop_assert!(!going_on.is_empty(), "a dead end");
            let id = going_on[choice as usize % going_on.len()];
            state.accept(id);
            drawn.push(id);
        }
        // The last note may be cut off by the end of the choices.
        prop_assert!(tokenizer.decode(&[drawn]).senseless <= 2);
    }
}
