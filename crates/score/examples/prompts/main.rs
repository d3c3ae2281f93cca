//! Writes the prompts that lie in `examples/prompts`: short pieces to be gone on
//! with, written as notes in code.
//!
//!     cargo run --release -p score --example prompts -- FOLDER

mod chords;
mod dance;
mod hand;
mod melody;

use std::error::Error;
use std::path::Path;

use score::write_midi;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("name the folder to write to")?;
    std::fs::create_dir_all(&folder)?;
    for (name, score) in [
        ("greensleeves", melody::greensleeves()),
        ("chords", chords::chords()),
        ("habanera", dance::habanera()),
    ] {
        let path = Path::new(&folder).join(name).with_extension("mid");
        std::fs::write(&path, write_midi(&score)?)?;
        println!("{}", path.display());
    }
    Ok(())
}
