//! WAV and FLAC files, read back by other libraries.

use std::io::Cursor;

use render::{Depth, Performance, RenderError, write_flac, write_wav};

use super::support::*;

fn performance() -> Performance<render::Piano> {
    let notes = [(0, 400, 45, 100), (100, 300, 64, 90), (200, 900, 71, 110)];
    Performance::new(&score(&notes, &[]), dry_piano(), RATE, 1.0)
}

fn wav(depth: Depth) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    write_wav(&mut performance(), &mut file, depth, |_| true).unwrap();
    file.into_inner()
}

fn flac(depth: Depth) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    write_flac(&mut performance(), &mut file, depth, |_| true).unwrap();
    file.into_inner()
}

fn whole_numbers(wav: &[u8]) -> Vec<i32> {
    let mut reader = hound::WavReader::new(wav).unwrap();
    reader.samples().map(Result::unwrap).collect()
}

#[test]
fn a_float_wav_holds_the_very_samples() {
    let bytes = wav(Depth::Float);
    let mut reader = hound::WavReader::new(&bytes[..]).unwrap();
    assert_eq!(
        (reader.spec().channels, reader.spec().sample_rate),
        (2, RATE)
    );
    let read: Vec<f32> = reader.samples().map(Result::unwrap).collect();
    let mut played = Vec::new();
    let mut performance = performance();
    while let Some((left, right)) = performance.next_block() {
        played.extend(left.iter().zip(right).flat_map(|(l, r)| [*l, *r]));
    }
    assert!(read == played && read.len() > 100_000);
}

#[test]
fn whole_numbers_are_those_samples_to_the_last_bits() {
    let bytes = wav(Depth::Float);
    let mut reader = hound::WavReader::new(&bytes[..]).unwrap();
    let exact: Vec<f32> = reader.samples().map(Result::unwrap).collect();
    for (depth, scale) in [(Depth::Sixteen, 32_767.0), (Depth::TwentyFour, 8_388_607.0)] {
        let read = whole_numbers(&wav(depth));
        assert_eq!(read.len(), exact.len());
        for (read, exact) in read.iter().zip(&exact) {
            assert!((f64::from(*read) - f64::from(*exact) * scale).abs() <= 2.0);
        }
    }
}

#[test]
fn flac_holds_what_wav_holds() {
    for (depth, bits) in [
        (Depth::Sixteen, 16),
        (Depth::TwentyFour, 24),
        (Depth::Float, 24),
    ] {
        let bytes = flac(depth);
        let mut reader = claxon::FlacReader::new(&bytes[..]).unwrap();
        let info = reader.streaminfo();
        assert_eq!(
            (info.channels, info.bits_per_sample, info.sample_rate),
            (2, bits, RATE)
        );
        let read: Vec<i32> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(info.samples, Some(read.len() as u64 / 2));
        assert_eq!((info.min_block_size, info.max_block_size), (4096, 4096));
        let same = if depth == Depth::Float {
            Depth::TwentyFour
        } else {
            depth
        };
        let expected = whole_numbers(&wav(same));
        assert!(read[..expected.len()] == expected[..], "{depth:?}");
        assert!(read[expected.len()..].iter().all(|sample| *sample == 0));
        assert!(bytes.len() < expected.len() * bits as usize / 8 * 9 / 10);
    }
}

#[test]
fn files_are_the_same_each_time() {
    assert!(wav(Depth::Sixteen) == wav(Depth::Sixteen));
    assert!(flac(Depth::TwentyFour) == flac(Depth::TwentyFour));
}

#[test]
fn writing_stops_on_request() {
    let file = Cursor::new(Vec::new());
    let result = write_wav(&mut performance(), file, Depth::Sixteen, |n| n < 20_000);
    assert!(matches!(result, Err(RenderError::Stopped)));
    let file = Cursor::new(Vec::new());
    let result = write_flac(&mut performance(), file, Depth::Sixteen, |n| n < 20_000);
    assert!(matches!(result, Err(RenderError::Stopped)));
}
