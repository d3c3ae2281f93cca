//! Fundamentals and partials are where the laws say.

use render::{fundamental, inharmonicity};

use super::support::*;

#[test]
fn the_measure_itself_finds_a_known_tone() {
    let found = peak_near(&tone(442.0, 48_000), 440.0);
    assert!((cents(found, 442.0)).abs() < 0.6, "{found}");
}

#[test]
fn a4_is_440_hz_and_octaves_are_widened_towards_both_ends() {
    let equal = |key: f64| 440.0 * ((key - 69.0) / 12.0).exp2();
    let stretch = |key: f64| cents(fundamental(key), equal(key));
    assert!(stretch(69.0).abs() < 1e-9);
    assert!((-40.0..-8.0).contains(&stretch(21.0)), "{}", stretch(21.0));
    assert!((10.0..50.0).contains(&stretch(108.0)), "{}", stretch(108.0));
    assert!((57..81).all(|key| stretch(f64::from(key)).abs() < 4.0));
}

#[test]
fn fundamentals_lie_within_two_cents() {
    for key in [36, 45, 57, 69, 76, 84, 93, 102] {
        let sound = held(&mut dry_piano(), key, 80, 2.0);
        let expected = fundamental(f64::from(key));
        let found = peak_near(part(&sound, 0.02, 1.8), expected);
        let error = cents(found, expected);
        assert!(error.abs() < 2.0, "key {key}: {error} cents");
    }
}

#[test]
fn partials_lie_where_inharmonicity_says() {
    for (key, partials) in [(28, 4..=16), (48, 2..=12), (64, 2..=8), (84, 2..=3)] {
        let sound = held(&mut dry_piano(), key, 110, 1.0);
        let (first, b) = (fundamental(f64::from(key)), inharmonicity(f64::from(key)));
        for n in partials.map(f64::from) {
            let expected = n * first * ((1.0 + b * n * n) / (1.0 + b)).sqrt();
            let found = peak_near(part(&sound, 0.02, 0.9), expected);
            let error = cents(found, expected);
            assert!(error.abs() < 3.0, "key {key}, partial {n}: {error} cents");
        }
    }
}
