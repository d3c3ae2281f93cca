//! Silence, full scale, sameness, and messages that make no sense.

use render::{Limiter, Piano, PianoOptions};
use score::{Score, Tempo, Track};

use super::support::*;

#[test]
fn silence_is_exactly_silence() {
    let mut piano = Piano::new(RATE, PianoOptions::default());
    assert!(piano.is_silent());
    assert!(listen(&mut piano, 0.5).iter().all(|sample| *sample == 0.0));
    held(&mut piano, 60, 100, 0.2);
    piano.note_off(60);
    assert!(!piano.is_silent());
    listen(&mut piano, 8.0);
    assert!(piano.is_silent());
    assert!(listen(&mut piano, 0.5).iter().all(|sample| *sample == 0.0));
}

#[test]
fn a_performance_begins_at_once_and_ends_in_silence() {
    let (left, right) = play(&score(&[(1000, 100, 60, 90)], &[]), dry_piano(), 1.0);
    let begin = left.iter().position(|sample| *sample != 0.0).unwrap();
    assert!(
        (RATE as usize..RATE as usize + 3).contains(&begin),
        "{begin}"
    );
    assert!(left.len() < 4 * RATE as usize, "{}", left.len());
    let last = left.len() - 1;
    assert!(left[last].abs() < 1e-4 && right[last].abs() < 1e-4);
    assert!(play(&Score::new(480), dry_piano(), 1.0).0.is_empty());
}

#[test]
fn a_pedal_that_stays_down_fades_in_the_end() {
    let notes = [(0, 100, 21, 127), (40_000, 10, 108, 1)];
    let (left, _) = play(&score(&notes[..1], &[(0, 20_000)]), dry_piano(), 1.0);
    assert!(left.len() < 33 * RATE as usize);
    let largest_step = left
        .windows(2)
        .map(|w| (w[1] - w[0]).abs())
        .fold(0.0, f32::max);
    assert!(left[left.len() - 1].abs() < 1e-4 && largest_step < 0.5);
}

#[test]
fn nothing_is_beyond_full_scale_however_dense_and_loud() {
    for gain in [1.0, 30.0] {
        let (left, right) = play(&densest(), Piano::new(RATE, PianoOptions::default()), gain);
        let peak = left
            .iter()
            .chain(&right)
            .fold(0.0_f32, |most, x| most.max(x.abs()));
        assert!(peak <= 0.892 && peak > 0.6, "gain {gain}: {peak}");
    }
}

#[test]
fn the_limiter_passes_what_is_soft_and_meets_a_click_in_time() {
    let mut limiter = Limiter::new(RATE);
    let soft: Vec<f32> = tone(440.0, 4800).iter().map(|x| *x as f32 * 0.8).collect();
    let (mut left, mut right) = (soft.clone(), soft.clone());
    limiter.process(&mut left, &mut right);
    let late = limiter.latency();
    assert_eq!(left[late..], soft[..soft.len() - late]);
    left.fill(0.1);
    right.fill(0.1);
    left[1000] = 9.0;
    right[2000] = f32::NAN;
    limiter.process(&mut left, &mut right);
    let peak = left
        .iter()
        .chain(&right)
        .fold(0.0_f32, |most, x| most.max(x.abs()));
    assert!(peak > 0.85 && peak <= 0.892, "{peak}");
}

#[test]
fn the_same_score_gives_the_same_samples() {
    let make = || play(&densest(), Piano::new(RATE, PianoOptions::default()), 1.0);
    assert!(make() == make());
}

#[test]
fn the_samples_are_those_of_every_machine() {
    let (left, right) = play(&densest(), Piano::new(RATE, PianoOptions::default()), 1.0);
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for bits in left.iter().chain(&right).map(|sample| sample.to_bits()) {
        hash = (hash ^ u64::from(bits)).wrapping_mul(0x100_0000_01b3);
    }
    assert_eq!(
        hash, 0xa20f_ed55_b5f1_5e17,
        "{hash:#018x}: the sound has changed"
    );
}

#[test]
fn any_message_and_rate_is_taken() {
    for rate in [0, 8_000, 16_000, 44_100, 192_000, u32::MAX] {
        let mut piano = Piano::new(rate, PianoOptions::default());
        piano.pedal(false);
        piano.note_off(3);
        for key in [0, 1, 20, 109, 127, 128, 255] {
            piano.note_on(key, 255);
            piano.note_off(key);
        }
        let (mut left, mut right) = (vec![0.0; 777], vec![0.0; 700]);
        piano.process(&mut left, &mut right);
        assert!(left.iter().all(|sample| sample.is_finite()));
        piano.process(&mut [], &mut []);
    }
}

#[test]
fn notes_of_no_length_and_tempos_of_no_time_are_played() {
    let mut score = score(&[(0, 0, 60, 90), (500, 0, 60, 90)], &[(0, 0)]);
    score.tempos.push(Tempo {
        onset: 0,
        microseconds_per_quarter: 0,
    });
    let (left, _) = play(&score, dry_piano(), 1.0);
    assert!(left.iter().any(|sample| sample.abs() > 0.01));
}

#[test]
fn drums_are_left_out() {
    let mut drums = score(&[(0, 500, 60, 90)], &[]);
    drums.tracks[0].is_drum = true;
    drums.tracks.push(Track::piano());
    assert!(play(&drums, dry_piano(), 1.0).0.is_empty());
}
