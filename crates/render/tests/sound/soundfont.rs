//! SoundFonts: a small one made here, and damaged ones.

use render::{Instrument, RenderError, SoundFontPlayer};

use super::support::*;

/// A chunk of a RIFF file.
fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = name.to_vec();
    chunk.extend((data.len() as u32).to_le_bytes());
    chunk.extend(data);
    chunk
}

fn list(kind: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut data = kind.to_vec();
    data.extend(chunks.concat());
    chunk(b"LIST", &data)
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Twenty bytes of name, then the rest.
fn named(name: &str, rest: &[u8]) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(20, 0);
    bytes.extend(rest);
    bytes
}

/// A SoundFont whose only sound is a looped sine wave of 441 Hz at A4.
fn sine_font() -> Vec<u8> {
    let wave = |i: i32| (f64::from(i) / 100.0 * std::f64::consts::TAU).sin() * 20_000.0;
    let samples: Vec<u16> = (0..4400).map(|i| wave(i) as i16 as u16).collect();
    let mut pcm = words(&samples);
    pcm.extend(vec![0; 92]);
    let numbers = |numbers: [u32; 5]| numbers.map(u32::to_le_bytes).concat();
    let mut header = named("Sine", &numbers([0, 4400, 100, 4300, 44_100]));
    header.extend([69, 0, 0, 0, 1, 0]);
    header.extend(named("EOS", &[0; 26]));
    let preset = |name: &str, bag: u16| named(name, &words(&[0, 0, bag, 0, 0, 0, 0, 0, 0]));
    let parts = [
        chunk(b"phdr", &[preset("Sine", 0), preset("EOP", 1)].concat()),
        chunk(b"pbag", &words(&[0, 0, 1, 0])),
        chunk(b"pmod", &[0; 10]),
        chunk(b"pgen", &words(&[41, 0, 0, 0])),
        chunk(
            b"inst",
            &[named("Sine", &words(&[0])), named("EOI", &words(&[1]))].concat(),
        ),
        chunk(b"ibag", &words(&[0, 0, 2, 0])),
        chunk(b"imod", &[0; 10]),
        chunk(b"igen", &words(&[54, 1, 53, 0, 0, 0])),
        chunk(b"shdr", &header),
    ];
    let mut data = b"sfbk".to_vec();
    data.extend(list(b"INFO", &[chunk(b"ifil", &words(&[2, 1]))]));
    data.extend(list(b"sdta", &[chunk(b"smpl", &pcm)]));
    data.extend(list(b"pdta", &parts));
    chunk(b"RIFF", &data)
}

#[test]
fn a_soundfont_plays_in_tune_and_ends() {
    let score = score(&[(0, 1000, 69, 100)], &[(500, 1500)]);
    let player = SoundFontPlayer::new(&sine_font()[..], &score, RATE).unwrap();
    let (left, right) = play(&score, player, 1.0);
    let sound: Vec<f64> = left
        .iter()
        .zip(&right)
        .map(|(l, r)| f64::from(l + r))
        .collect();
    let found = peak_near(part(&sound, 0.1, 0.9), 440.0);
    assert!(cents(found, 441.0).abs() < 2.0, "{found}");
    assert!(level(part(&sound, 1.5, 1.9)) > -40.0, "the pedal holds");
    let (held, over) = (part(&sound, 1.5, 1.9), part(&sound, 2.4, 2.8));
    assert!(level(over) < level(held) - 25.0, "and lets go");
    assert!(sound.len() < 8 * RATE as usize);
}

#[test]
fn what_is_no_soundfont_is_refused() {
    let score = score(&[(0, 1000, 69, 100)], &[]);
    let result = SoundFontPlayer::new(&b"MThd"[..], &score, RATE);
    assert!(matches!(result, Err(RenderError::SoundFont(_))));
    let result = SoundFontPlayer::new(&sine_font()[..], &score, 1_000);
    assert!(matches!(result, Err(RenderError::SampleRate(1_000))));
}

#[test]
fn a_damaged_soundfont_is_refused_or_played() {
    let score = score(&[(0, 100, 69, 100)], &[]);
    let font = sine_font();
    for length in (0..font.len()).step_by(97) {
        let result = SoundFontPlayer::new(&font[..length], &score, RATE);
        assert!(result.is_err(), "{length} bytes");
    }
    // Past the samples each byte says something.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut broken = 0;
    for place in (0..60).chain(8_900..font.len()) {
        let mut damaged = font.clone();
        damaged[place] ^= 0x55;
        if let Ok(mut player) = SoundFontPlayer::new(&damaged[..], &score, RATE) {
            player.note_on(0, 69, 100);
            player.process(&mut [0.0; 256], &mut [0.0; 256]);
            broken += usize::from(player.is_broken());
        }
    }
    std::panic::set_hook(hook);
    assert!(
        broken > 0,
        "damage that shows while playing is met here too"
    );
}
