//! Decay, loudness, brightness, dampers and the pedal.

use render::{Piano, PianoOptions, fundamental};

use super::support::*;

/// Decibels a second that a held key loses at first.
fn decay(key: u8) -> f64 {
    let sound = held(&mut dry_piano(), key, 80, 1.0);
    let before = level(part(&sound, 0.1, 0.3));
    (before - level(part(&sound, 0.6, 0.8))) / 0.5
}

#[test]
fn higher_keys_die_sooner() {
    let decays: Vec<f64> = [30, 42, 54, 66, 78, 90, 102].map(decay).into();
    assert!(decays.is_sorted(), "{decays:?}");
    assert!(decays[0] > 2.0 && decays[0] < 9.0, "{decays:?}");
    assert!(decays[6] > 30.0, "{decays:?}");
}

#[test]
fn the_second_decay_is_slower_than_the_first() {
    for key in [45, 60, 72] {
        let sound = held(&mut dry_piano(), key, 90, 6.0);
        let loss = |from: f64| {
            level(part(&sound, from, from + 0.4)) - level(part(&sound, from + 1.0, from + 1.4))
        };
        assert!(
            loss(0.05) > 1.4 * loss(4.0),
            "key {key}: {} {}",
            loss(0.05),
            loss(4.0)
        );
    }
}

#[test]
fn louder_is_brighter_and_louder() {
    for key in [33, 60, 84] {
        let figures = [20, 50, 80, 110].map(|velocity| {
            let sound = held(&mut dry_piano(), key, velocity, 0.5);
            (level(&sound), centroid(&sound))
        });
        for pair in figures.windows(2) {
            let ((soft, dull), (loud, bright)) = (pair[0], pair[1]);
            assert!(
                loud > soft + 5.0 && loud < soft + 15.0,
                "key {key}: {figures:?}"
            );
            assert!(bright > dull * 1.02, "key {key}: {figures:?}");
        }
        assert!(figures[3].1 > figures[0].1 * 1.2, "key {key}: {figures:?}");
    }
}

#[test]
fn dampers_stop_what_is_let_go_and_the_pedal_holds_it() {
    let after = |pedal: bool, let_go: bool| {
        let mut piano = dry_piano();
        if pedal {
            piano.pedal(true);
        }
        held(&mut piano, 55, 90, 0.3);
        if let_go {
            piano.note_off(55);
        }
        let sound = listen(&mut piano, 1.0);
        level(part(&sound, 0.7, 1.0))
    };
    let held = after(false, false);
    assert!((after(true, true) - held).abs() < 1e-9, "the pedal holds");
    assert!(after(false, true) < held - 40.0, "the damper stops");
}

#[test]
fn lifting_the_pedal_stops_all_but_held_keys() {
    let mut piano = dry_piano();
    piano.pedal(true);
    piano.note_on(48, 90);
    piano.note_on(64, 90);
    piano.note_off(48);
    piano.pedal(false);
    let sound = listen(&mut piano, 2.0);
    let late = part(&sound, 1.0, 2.0);
    let heard = |key: f64| amplitude(late, fundamental(key));
    assert!(heard(48.0) < 1e-3 * heard(64.0));
}

#[test]
fn the_highest_keys_have_no_dampers() {
    let after = |key: u8, let_go: bool| {
        let mut piano = dry_piano();
        held(&mut piano, key, 90, 0.1);
        if let_go {
            piano.note_off(key);
        }
        level(&listen(&mut piano, 0.3))
    };
    assert_eq!(after(95, true), after(95, false));
    assert!(after(86, true) < after(86, false) - 3.0);
}

#[test]
fn a_key_struck_twice_needs_to_be_let_go_twice() {
    let mut piano = dry_piano();
    piano.note_on(60, 80);
    piano.note_on(60, 80);
    piano.note_off(60);
    assert!(level(part(&listen(&mut piano, 1.0), 0.8, 1.0)) > -60.0);
    piano.note_off(60);
    assert!(level(part(&listen(&mut piano, 1.0), 0.8, 1.0)) < -90.0);
}

#[test]
fn strings_sound_along_only_under_the_pedal() {
    let at_a3 = |pedal: bool| {
        let options = PianoOptions {
            room: 0.0,
            sympathy: true,
        };
        let mut piano = Piano::new(RATE, options);
        if pedal {
            piano.pedal(true);
        }
        let sound = held(&mut piano, 76, 110, 2.0);
        amplitude(part(&sound, 0.5, 2.0), fundamental(57.0))
    };
    assert!(
        at_a3(true) > 5.0 * at_a3(false),
        "{} {}",
        at_a3(true),
        at_a3(false)
    );
}

#[test]
fn both_sides_are_heard_and_differ() {
    let score = score(&[(0, 500, 40, 80), (2000, 500, 90, 80)], &[]);
    let (left, right) = play(&score, dry_piano(), 1.0);
    let power = |side: &[f32]| side.iter().map(|x| f64::from(x * x)).sum::<f64>();
    let half = 2 * RATE as usize;
    assert!(
        power(&left[..half]) > 1.2 * power(&right[..half]),
        "the bass is left"
    );
    assert!(
        power(&left[half..]) < power(&right[half..]) / 1.2,
        "the treble is right"
    );
}
