//! Any bytes as a MIDI file: read, encode, write, read again.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use remi::{Config, Tokenizer};
use score::{measure, read_midi, to_performance_time, write_midi};

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let config = Config {
        use_chords: true,
        use_rests: true,
        use_tempos: true,
        use_sustain_pedals: true,
        ..Config::default()
    };
    Tokenizer::new(config).unwrap()
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(reading) = read_midi(bytes) else {
        return;
    };
    measure(&reading.score);
    for score in [to_performance_time(&reading.score), reading.score] {
        if let Ok(ids) = TOKENIZER.encode(&score) {
            assert_eq!(TOKENIZER.decode(&ids).senseless, 0);
        }
        let written = write_midi(&score).unwrap();
        let again = read_midi(&written).unwrap();
        assert_eq!(again.score.note_count(), score.note_count());
    }
});
