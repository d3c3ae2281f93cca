//! Scores to play and figures of what is heard.

use std::f64::consts::{PI, TAU};

use render::{Instrument, Performance, Piano, PianoOptions};
use score::{Note, Pedal, Score, Track};

pub const RATE: u32 = 48_000;

/// A piano whose strings alone are heard.
pub fn dry_piano() -> Piano {
    let options = PianoOptions {
        room: 0.0,
        sympathy: false,
    };
    Piano::new(RATE, options)
}

/// One key, held: so many seconds of left and right together.
pub fn held(piano: &mut Piano, key: u8, velocity: u8, seconds: f64) -> Vec<f64> {
    piano.note_on(key, velocity);
    listen(piano, seconds)
}

/// The next seconds of left and right together.
pub fn listen(piano: &mut Piano, seconds: f64) -> Vec<f64> {
    let samples = (seconds * f64::from(RATE)) as usize;
    let (mut left, mut right) = (vec![1.0; samples], vec![1.0; samples]);
    piano.process(&mut left, &mut right);
    let both = left.iter().zip(&right);
    both.map(|(l, r)| f64::from(l + r) / 2.0).collect()
}

/// A part of a sound, by seconds.
pub fn part(sound: &[f64], from: f64, to: f64) -> &[f64] {
    let at = |seconds: f64| ((seconds * f64::from(RATE)) as usize).min(sound.len());
    &sound[at(from)..at(to)]
}

/// Level in decibels.
pub fn level(sound: &[f64]) -> f64 {
    let power = sound.iter().map(|x| x * x).sum::<f64>() / sound.len() as f64;
    10.0 * (power + 1e-30).log10()
}

/// Amplitude of a frequency under a Hann window.
pub fn amplitude(sound: &[f64], frequency: f64) -> f64 {
    let step = TAU * frequency / f64::from(RATE);
    let (mut re, mut im) = (0.0, 0.0);
    for (index, sample) in sound.iter().enumerate() {
        let place = index as f64;
        let window = 0.5 - 0.5 * (TAU * place / sound.len() as f64).cos();
        re += window * sample * (step * place).cos();
        im += window * sample * (step * place).sin();
    }
    4.0 * re.hypot(im) / sound.len() as f64
}

/// The frequency of the strongest tone within 40 cents of one.
pub fn peak_near(sound: &[f64], frequency: f64) -> f64 {
    let at = |cents: f64| frequency * (cents / 1200.0).exp2();
    let best = |from: f64, step: f64, count: i32| {
        let places = (0..=count).map(|index| from + step * f64::from(index));
        let loud = |cents: &f64| amplitude(sound, at(*cents));
        places.max_by(|a, b| loud(a).total_cmp(&loud(b))).unwrap()
    };
    let coarse = best(-40.0, 5.0, 16);
    at(best(coarse - 5.0, 0.5, 20))
}

pub fn cents(frequency: f64, from: f64) -> f64 {
    1200.0 * (frequency / from).log2()
}

/// Mean frequency of a sound, each by its power.
pub fn centroid(sound: &[f64]) -> f64 {
    let bands = (0..140).map(|index| 40.0 * (f64::from(index) / 17.0).exp2());
    let (mut sum, mut weighted) = (0.0, 0.0);
    for frequency in bands.filter(|f| *f < f64::from(RATE) / 2.2) {
        // Bands grow with frequency: so does their share of a white noise.
        let power = amplitude(sound, frequency).powi(2) * frequency;
        sum += power;
        weighted += power * frequency;
    }
    weighted / sum
}

/// Every sample of a performance.
pub fn play<I: Instrument>(score: &Score, instrument: I, gain: f32) -> (Vec<f32>, Vec<f32>) {
    let mut performance = Performance::new(score, instrument, RATE, gain);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    while let Some(block) = performance.next_block() {
        left.extend_from_slice(block.0);
        right.extend_from_slice(block.1);
    }
    (left, right)
}

/// A score of notes (onset and length in milliseconds, key, velocity).
pub fn score(notes: &[(u32, u32, u8, u8)], pedals: &[(u32, u32)]) -> Score {
    let mut score = Score::new(500);
    let note = |&(onset, duration, pitch, velocity): &(u32, u32, u8, u8)| Note {
        onset,
        duration,
        pitch,
        velocity,
    };
    let pedal = |&(onset, duration): &(u32, u32)| Pedal { onset, duration };
    let mut track = Track::piano();
    track.notes = notes.iter().map(note).collect();
    track.pedals = pedals.iter().map(pedal).collect();
    score.tracks.push(track);
    score
}

/// As dense as the densest seconds of real recordings (62 notes a second for
/// five seconds), and louder: all keys at full velocity, the pedal down.
pub fn densest() -> Score {
    let keys = |index: u32| 21 + (index * 37 % 88) as u8;
    let notes: Vec<_> = (0..620).map(|i| (i * 16, 400, keys(i), 127)).collect();
    score(&notes, &[(0, 10_000)])
}

/// A sine wave that fades in and out.
pub fn tone(frequency: f64, samples: usize) -> Vec<f64> {
    let sample = |index: usize| {
        let place = index as f64;
        (TAU * frequency * place / f64::from(RATE)).sin() * (PI * place / samples as f64).sin()
    };
    (0..samples).map(sample).collect()
}
