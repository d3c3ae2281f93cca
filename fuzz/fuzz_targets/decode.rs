//! Any ids, decoded with several configurations: the score can be written, and
//! every note of it ends.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use remi::{Config, Tokenizer};
use score::{Loss, read_midi, write_midi};

static TOKENIZERS: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    let everything = Config {
        use_chords: true,
        use_rests: true,
        use_tempos: true,
        use_sustain_pedals: true,
        sustain_pedal_duration: true,
        use_bar_end_tokens: true,
        ..Config::default()
    };
    let pedals = Config {
        sustain_pedal_duration: false,
        ..everything.clone()
    };
    let configs = [
        Config::default(),
        Config::seed(),
        Config::performance(),
        everything,
        pedals,
    ];
    configs
        .into_iter()
        .map(|config| Tokenizer::new(config).unwrap())
        .collect()
});

fuzz_target!(|bytes: &[u8]| {
    for tokenizer in TOKENIZERS.iter() {
        let mut tracks = vec![Vec::new()];
        for pair in bytes.chunks_exact(2) {
            match u16::from_le_bytes([pair[0], pair[1]]) {
                u16::MAX => tracks.push(Vec::new()),
                id => tracks
                    .last_mut()
                    .unwrap()
                    .push(u32::from(id) % (tokenizer.len() as u32 + 2)),
            }
        }
        let decoded = tokenizer.decode(&tracks).score;
        let read = read_midi(&write_midi(&decoded).unwrap()).unwrap();
        assert_eq!(read.score.note_count(), decoded.note_count());
        let hanging = |loss: &Loss| matches!(loss, Loss::OpenNotes(_));
        assert!(!read.damage.losses.iter().any(hanging));
        if let Ok(ids) = tokenizer.encode(&decoded) {
            tokenizer.decode(&ids);
        }
    }
});
