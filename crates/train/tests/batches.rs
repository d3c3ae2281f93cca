//! The stream of examples.

use std::collections::HashMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use train::{Batches, Chunks, Limits, Pieces, Position};

const LIMITS: Limits = Limits { min: 6, max: 16 };

/// Piece `p` of length `n` holds ids that name piece and place.
fn pieces() -> Vec<Vec<u32>> {
    let lengths = [3, 4, 14, 15, 16, 40, 100];
    let piece = |(p, n): (usize, &u32)| (0..*n).map(|i| 1000 * (p as u32 + 1) + i).collect();
    lengths.iter().enumerate().map(piece).collect()
}

fn stream<'a>(pieces: &'a dyn Pieces, chunks: Chunks, position: Position) -> Batches<'a> {
    Batches::new(pieces, chunks, LIMITS, 7, position, Some(1)).unwrap()
}

#[test]
fn an_epoch_holds_every_label_of_every_long_enough_piece() {
    let pieces = pieces();
    for epoch in 0..20 {
        let mut batches = stream(&pieces, Chunks::Windows, Position { epoch, example: 0 });
        let mut seen = HashMap::<u32, usize>::new();
        let (mut ends, mut starts) = (0, 0);
        for _ in 0..batches.examples() {
            let batch = batches.next_batch(1).unwrap();
            assert!(batch.length() <= 16 && batch.tokens() >= 5);
            let (inputs, labels) = (batch.inputs(), batch.labels());
            assert_eq!(inputs[1..], labels[..labels.len() - 1]);
            starts += inputs.iter().filter(|&&id| id == 1).count();
            ends += labels.iter().filter(|&&id| id == 2).count();
            let at_start = inputs.iter().position(|&id| id == 1);
            assert!(at_start.is_none_or(|place| place == 0));
            let of_piece = |id: &u32| (*id > 2).then_some(id / 1000);
            let mut owners: Vec<_> = labels.iter().filter_map(of_piece).collect();
            owners.dedup();
            assert_eq!(owners.len(), 1, "a window crosses pieces");
            labels
                .iter()
                .for_each(|&id| *seen.entry(id).or_default() += 1);
        }
        assert_eq!((starts, ends), (6, 6));
        assert_eq!(
            batches.position(),
            Position {
                epoch,
                example: batches.examples()
            }
        );
        let kept = pieces.iter().filter(|piece| piece.len() + 2 >= 6);
        assert!(kept.flatten().all(|id| seen.contains_key(id)));
        assert!(
            !seen.contains_key(&1000),
            "a piece below the limit is dropped"
        );
    }
}

#[test]
fn epochs_differ_and_repeat_exactly() {
    let pieces = pieces();
    let first = |epoch| {
        let mut batches = stream(&pieces, Chunks::Windows, Position { epoch, example: 0 });
        let all = batches.examples();
        batches.next_batch(all).unwrap()
    };
    assert_eq!(first(3), first(3));
    assert_ne!(first(3), first(4));
}

#[test]
fn a_stream_goes_on_from_any_position_across_epochs() {
    let pieces = pieces();
    let mut whole = stream(&pieces, Chunks::Windows, Position::default());
    for _ in 0..40 {
        let position = whole.position();
        let mut resumed = stream(&pieces, Chunks::Windows, position);
        assert_eq!(resumed.next_batch(3).unwrap(), whole.next_batch(3).unwrap());
    }
    assert!(whole.position().epoch > 5);
}

#[test]
fn the_seed_s_chunks_are_miditok_s() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut cut = |length| {
        let windows = Chunks::Seed.cut(0, length, LIMITS, &mut rng);
        windows.iter().map(|w| (w.start, w.end)).collect::<Vec<_>>()
    };
    assert_eq!(cut(6), []);
    assert_eq!(cut(7), [(0, 7)]);
    assert_eq!(cut(38), [(0, 16), (16, 32)]);
    assert_eq!(cut(39), [(0, 16), (16, 32), (32, 39)]);
    assert_eq!(Chunks::Seed.frame(vec![5, 6]), [5, 6]);
}

#[test]
fn data_that_yields_nothing_says_why() {
    let pieces = vec![vec![9; 3], vec![9; 2]];
    let error = Batches::new(
        &pieces,
        Chunks::Windows,
        LIMITS,
        7,
        Position::default(),
        None,
    );
    let message = error.err().unwrap().to_string();
    for part in [
        "2 training pieces",
        "--min-sequence-length 6",
        "has 5 tokens",
    ] {
        assert!(message.contains(part), "{message}");
    }
}
