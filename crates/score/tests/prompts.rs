//! The prompts in `examples/prompts` are those that the code writes.

#[path = "../examples/prompts/chords.rs"]
mod chords;
#[path = "../examples/prompts/dance.rs"]
mod dance;
#[path = "../examples/prompts/hand.rs"]
mod hand;
#[path = "../examples/prompts/melody.rs"]
mod melody;

use std::fs;
use std::path::Path;

use score::{read_midi, write_midi};

#[test]
fn files_hold_what_the_code_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/prompts");
    for (name, score) in [
        ("greensleeves.mid", melody::greensleeves()),
        ("chords.mid", chords::chords()),
        ("habanera.mid", dance::habanera()),
    ] {
        let bytes = fs::read(folder.join(name)).unwrap();
        let written = write_midi(&score).unwrap();
        assert!(
            bytes == written,
            "{name} differs; write it again: cargo run --release -p score --example prompts -- examples/prompts"
        );
        assert!(read_midi(&bytes).unwrap().damage.is_sound());
    }
}
