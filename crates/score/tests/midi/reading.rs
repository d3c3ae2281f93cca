//! What sound files mean. Expected values are what symusic 0.6.0 reads from the
//! same bytes, but for RMID and SMPTE, which it refuses.

use score::read_midi;

use super::support::{file, notes, one, pedals, sound};

#[test]
fn running_status_survives_meta_events() {
    let score = one(&[
        0, 0x90, 60, 80, 10, 60, 0, 0, 0xff, 1, 1, 65, 5, 62, 70, 5, 62, 0,
    ]);
    assert_eq!(notes(&score), [[(0, 10, 60, 80), (15, 5, 62, 70)]]);
}

#[test]
fn a_note_off_ends_the_earliest_open_note() {
    let score = one(&[
        0, 0x90, 60, 10, 10, 0x90, 60, 20, 10, 0x80, 60, 0, 10, 0x80, 60, 0,
    ]);
    assert_eq!(notes(&score), [[(0, 20, 60, 10), (10, 20, 60, 20)]]);
}

#[test]
fn a_note_off_of_another_channel_ends_nothing() {
    let score = one(&[0, 0x90, 60, 9, 5, 0x81, 60, 0, 5, 0x80, 60, 0]);
    assert_eq!(notes(&score), [[(0, 10, 60, 9)]]);
}

#[test]
fn notes_of_no_length_stay() {
    let score = one(&[
        0, 0x90, 60, 10, 0, 0x80, 60, 0, 5, 0x90, 61, 10, 5, 0x80, 61, 0,
    ]);
    assert_eq!(notes(&score), [[(0, 0, 60, 10), (5, 5, 61, 10)]]);
}

#[test]
fn open_notes_and_pedals_vanish_and_are_told() {
    let bytes = file(
        0,
        96,
        &[&[
            0, 0x90, 60, 10, 5, 0x90, 62, 10, 5, 0x80, 62, 0, 0, 0xb0, 64, 127,
        ]],
    );
    let reading = read_midi(&bytes).unwrap();
    assert_eq!(notes(&reading.score), [[(5, 5, 62, 10)]]);
    assert_eq!(pedals(&reading.score), []);
    assert!(reading.damage.is_sound(), "sound files have open notes too");
    let told = reading.damage.to_string();
    assert!(told.contains("1 notes never end") && told.contains("1 pedals are never lifted"));
}

#[test]
fn each_program_of_a_channel_is_a_track() {
    let score = one(&[
        0, 0xc0, 5, 0, 0x90, 60, 10, 5, 0xc0, 3, 0, 0x90, 64, 10, 5, 0x80, 60, 0, 5, 0x80, 64, 0,
        0, 0xc0, 5, 0, 0x90, 67, 9, 5, 0x80, 67, 0,
    ]);
    let programs: Vec<u8> = score.tracks.iter().map(|track| track.program).collect();
    assert_eq!(programs, [3, 5]);
    assert_eq!(
        notes(&score),
        [vec![(5, 10, 64, 10)], vec![(0, 10, 60, 10), (15, 5, 67, 9)]]
    );
}

#[test]
fn tracks_are_in_the_order_of_their_channels() {
    let score = one(&[
        0, 0x92, 60, 10, 5, 0x82, 60, 0, 0, 0x90, 61, 10, 5, 0x80, 61, 0,
    ]);
    assert_eq!(notes(&score), [[(5, 5, 61, 10)], [(0, 5, 60, 10)]]);
}

#[test]
fn the_pedal_is_down_from_64_upwards() {
    let score = one(&[
        0, 0x90, 60, 10, 5, 0xb0, 64, 64, 5, 0xb0, 64, 63, 5, 0xb0, 64, 0, 5, 0x80, 60, 0,
    ]);
    assert_eq!(pedals(&score), [(5, 5)]);
}

#[test]
fn beyond_the_first_channel_the_pedal_is_down_from_the_beginning() {
    let score = one(&[
        0, 0x91, 60, 10, 5, 0xb1, 64, 64, 5, 0xb1, 64, 63, 5, 0xb1, 64, 0, 3, 0xb1, 64, 100, 2,
        0xb1, 64, 1, 5, 0x81, 60, 0,
    ]);
    assert_eq!(pedals(&score), [(0, 10), (18, 2)]);
}

#[test]
fn a_pedal_before_the_first_note_belongs_to_its_program() {
    let score = one(&[
        0, 0xc0, 9, 0, 0xb0, 64, 127, 9, 0xb0, 64, 0, 0, 0x90, 60, 9, 9, 0x80, 60, 0,
    ]);
    assert_eq!((score.tracks[0].program, pedals(&score)), (9, vec![(0, 9)]));
}

#[test]
fn the_tenth_channel_holds_drums() {
    let score = one(&[
        0, 0x99, 36, 10, 5, 0x89, 36, 0, 0, 0xc9, 8, 0, 0x99, 38, 9, 4, 0x89, 38, 0,
    ]);
    let tracks: Vec<_> = score
        .tracks
        .iter()
        .map(|track| (track.program, track.is_drum))
        .collect();
    assert_eq!(tracks, [(0, true), (8, true)]);
}

#[test]
fn tracks_of_types_1_and_2_lie_over_one_another() {
    let tempo_and_signature = [
        0, 0xff, 0x51, 3, 7, 0xa1, 0x20, 0, 0xff, 0x58, 4, 3, 3, 24, 8,
    ];
    let note = [0, 0x90, 62, 10, 5, 0x80, 62, 0];
    for format in [1, 2] {
        let score = sound(&file(format, 96, &[&tempo_and_signature, &note, &note]));
        assert_eq!(notes(&score), [[(0, 5, 62, 10)], [(0, 5, 62, 10)]]);
        assert_eq!(score.tempos[0].microseconds_per_quarter, 500_000);
        let signature = score.time_signatures[0];
        assert_eq!((signature.numerator, signature.denominator), (3, 8));
    }
}

#[test]
fn foreign_chunks_are_passed_over() {
    let plain = file(1, 96, &[&[0, 0x90, 62, 10, 5, 0x80, 62, 0]]);
    let foreign = [&plain[..14], b"XFIH\0\0\0\x03abc", &plain[14..]].concat();
    assert_eq!(sound(&foreign), sound(&plain));
}

#[test]
fn an_rmid_wrapper_is_opened() {
    let plain = file(0, 96, &[&[0, 0x90, 62, 10, 5, 0x80, 62, 0]]);
    let length = plain.len() as u32;
    let wrapped = [
        &b"RIFF"[..],
        &(length + 12).to_le_bytes(),
        b"RMIDdata",
        &length.to_le_bytes(),
        &plain,
    ]
    .concat();
    assert_eq!(sound(&wrapped), sound(&plain));
}

/// 25 frames of 40 ticks are 1,000 ticks a second: 500 in a quarter note at 120.
/// Tempo events do not bend time that is counted in frames.
#[test]
fn smpte_ticks_are_real_time() {
    let events = [
        0, 0xff, 0x51, 3, 1, 0, 0, 10, 0x90, 62, 10, 100, 0x80, 62, 0,
    ];
    let score = sound(&file(0, 0xe728, &[&events]));
    assert_eq!(score.ticks_per_quarter, 500);
    let tempos: Vec<u32> = score
        .tempos
        .iter()
        .map(|tempo| tempo.microseconds_per_quarter)
        .collect();
    assert_eq!(tempos, [500_000]);
    // 25 frames of 41 ticks: an odd number, so a quarter note is a second.
    let odd = sound(&file(0, 0xe729, &[&events]));
    assert_eq!(
        (
            odd.ticks_per_quarter,
            odd.tempos[0].microseconds_per_quarter
        ),
        (1025, 1_000_000)
    );
    // The rate called 29 is 30 frames in 1.001 seconds.
    let dropped = sound(&file(0, 0xe350, &[&events]));
    assert_eq!(
        (
            dropped.ticks_per_quarter,
            dropped.tempos[0].microseconds_per_quarter
        ),
        (1200, 500_500)
    );
}

/// Clock ticks and active sensing, which recorders of live streams leave in.
#[test]
fn system_messages_are_passed_over() {
    let score = one(&[
        0, 0x90, 60, 20, 5, 0xf8, 5, 0x80, 60, 0, 1, 0xfe, 3, 0x90, 61, 20, 3, 0x80, 61, 0,
    ]);
    assert_eq!(notes(&score), [[(0, 10, 60, 20), (14, 3, 61, 20)]]);
}
