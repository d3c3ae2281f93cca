//! Damaged files: what is sound is read, what was lost is told, nothing panics
//! or takes memory out of proportion.

use proptest::prelude::*;
use score::{Loss, ReadError, read_midi, to_performance_time, write_midi};

use super::support::{chunk, file, header, notes};

const NOTE: [u8; 8] = [0, 0x90, 60, 9, 5, 0x80, 60, 0];

fn rich() -> Vec<u8> {
    let conductor = [
        0, 0xff, 0x51, 3, 7, 0xa1, 0x20, 0, 0xff, 0x58, 4, 3, 3, 24, 8, 3, 0xff, 5, 1, 65,
    ];
    let piano = [
        &NOTE[..],
        &[0x81, 0, 0xb0, 64, 127, 2, 64, 0, 0, 0xf0, 2, 1, 0xf7],
        &[0, 0xc0, 4, 0, 0xe0, 1, 2, 0, 0xd0, 3],
        &NOTE,
    ]
    .concat();
    file(1, 96, &[&conductor, &piano, &NOTE])
}

/// Everything that is done with a score that was read.
fn use_all(bytes: &[u8]) {
    if let Ok(reading) = read_midi(bytes) {
        let score = reading.score;
        let _told = reading.damage.to_string();
        score::measure(&score);
        to_performance_time(&score);
        write_midi(&score).unwrap();
    }
}

#[test]
fn every_prefix_reads_without_panic() {
    let bytes = rich();
    for end in 0..bytes.len() {
        use_all(&bytes[..end]);
        let shorter = read_midi(&bytes[..end]);
        // The last byte only says that the end of the track holds no data.
        let cut = end + 1 < bytes.len();
        assert!(!cut || shorter.is_err() || !shorter.unwrap().damage.is_sound());
    }
    assert!(read_midi(&bytes).unwrap().damage.is_sound());
}

#[test]
fn notes_before_a_break_are_kept() {
    let broken = [&NOTE[..], &[0, 0xf4, 1, 2, 3]].concat();
    let reading = read_midi(&file(1, 96, &[&broken, &NOTE])).unwrap();
    assert_eq!(notes(&reading.score).len(), 2);
    let loss = &reading.damage.losses[0];
    assert!(
        matches!(loss, Loss::TrackBroken { track: 0, unread_bytes } if *unread_bytes >= 5),
        "{loss:?}"
    );
}

#[test]
fn no_file_and_no_tracks_are_refused() {
    assert!(matches!(read_midi(b""), Err(ReadError::NotMidi(_))));
    assert!(matches!(
        read_midi(b"not a midi file at all"),
        Err(ReadError::NotMidi(_))
    ));
    let empty = header(1, 96, 0);
    assert!(matches!(read_midi(&empty), Err(ReadError::NoTracks)));
}

#[test]
fn a_zero_division_is_read_as_480() {
    for division in [0, 0xe700] {
        let reading = read_midi(&file(0, division, &[&NOTE])).unwrap();
        assert_eq!(reading.score.ticks_per_quarter, 480);
        assert!(reading.damage.losses.contains(&Loss::ZeroDivision));
    }
}

#[test]
fn frame_rates_that_do_not_exist_are_refused() {
    for division in [0x8000, 0x8028, 0xff28] {
        let read = read_midi(&file(0, division, &[&NOTE]));
        assert!(matches!(read, Err(ReadError::NotMidi(_))), "{division:x}");
    }
}

#[test]
fn absurd_lengths_take_no_memory() {
    let mut bytes = file(0, 96, &[&NOTE]);
    bytes[18..22].copy_from_slice(&u32::MAX.to_be_bytes());
    let reading = read_midi(&bytes).unwrap();
    assert_eq!(notes(&reading.score), [[(0, 5, 60, 9)]]);
    let text = [&NOTE[..], &[0, 0xff, 1, 0xff, 0xff, 0xff, 0x7f, 65]].concat();
    let reading = read_midi(&file(0, 96, &[&text])).unwrap();
    assert_eq!(notes(&reading.score), [[(0, 5, 60, 9)]]);
    assert!(!reading.damage.is_sound());
}

/// A data byte over 127 is no data: symusic refuses the whole file.
#[test]
fn data_beyond_127_ends_the_track() {
    let events = [&NOTE[..], &[0, 0x90, 200, 129, 5, 0x80, 200, 0]].concat();
    let reading = read_midi(&file(1, 96, &[&events, &NOTE])).unwrap();
    assert_eq!(notes(&reading.score), [[(0, 5, 60, 9)], [(0, 5, 60, 9)]]);
    assert!(!reading.damage.is_sound());
}

#[test]
fn signatures_and_tempos_of_nonsense_are_read_as_they_stand() {
    let events = [
        0, 0xff, 0x51, 3, 0, 0, 0, 0, 0xff, 0x58, 4, 3, 9, 24, 8, 0, 0x90, 60, 9, 9, 0x80, 60, 0,
    ];
    // As symusic: a denominator beyond 8 bits is 0, a tempo can be 0.
    let bytes = file(0, 96, &[&events]);
    let score = read_midi(&bytes).unwrap().score;
    assert_eq!(score.tempos[0].microseconds_per_quarter, 0);
    assert_eq!(score.time_signatures[0].denominator, 0);
    use_all(&bytes);
}

#[test]
fn ten_thousand_tracks_are_read() {
    let tracks = vec![&NOTE[..]; 10_000];
    let reading = read_midi(&file(1, 96, &tracks)).unwrap();
    assert_eq!(reading.score.note_count(), 10_000);
    assert!(reading.damage.is_sound());
}

#[test]
fn time_ends_before_it_overflows() {
    let gap = [0xff, 0xff, 0xff, 0x7f, 0xb0, 7, 1];
    let mut events = NOTE.to_vec();
    (0..40).for_each(|_| events.extend(gap));
    events.extend(NOTE);
    let bytes = file(0, 1, &[&events]);
    let reading = read_midi(&bytes).unwrap();
    assert_eq!(notes(&reading.score), [[(0, 5, 60, 9)]]);
    assert!(
        reading
            .damage
            .losses
            .contains(&Loss::BeyondLastTick { track: 0 })
    );
    use_all(&bytes);
}

#[test]
fn declared_and_found_tracks_are_compared() {
    let more = [header(1, 96, 1), chunk(&NOTE), chunk(&NOTE)].concat();
    let reading = read_midi(&more).unwrap();
    let expected = Loss::TrackCount {
        declared: 1,
        found: 2,
    };
    assert!(reading.damage.losses.contains(&expected));
    assert_eq!(
        reading.score.note_count(),
        1,
        "symusic reads as many as declared"
    );
}

proptest! {
    #[test]
    fn flipped_bytes_never_panic(changes in prop::collection::vec((14_usize..140, any::<u8>()), 1..6)) {
        let mut bytes = rich();
        for (place, value) in changes {
            let place = place % bytes.len();
            bytes[place] = value;
        }
        use_all(&bytes);
    }

    #[test]
    fn any_events_are_read(events in prop::collection::vec(any::<u8>(), 0..200), division in any::<u16>()) {
        use_all(&file(1, division, &[&events, &NOTE]));
    }
}
