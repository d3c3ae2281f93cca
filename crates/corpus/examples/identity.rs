//! Encodes every file below a folder, decodes the ids, encodes again, and lists
//! the files whose ids changed.
//!
//!     cargo run --release -p corpus --example identity -- TOKENIZER.json FOLDER

use std::error::Error;
use std::path::Path;

use corpus::{midi_files, open_tokenizer};
use score::read_midi;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (tokenizer, folder) = args
        .next()
        .zip(args.next())
        .ok_or("name a tokenizer and a folder")?;
    let tokenizer = open_tokenizer(Path::new(&tokenizer))?;
    let folder = Path::new(&folder);
    let (mut files, mut changed) = (0, 0);
    for file in midi_files(folder)? {
        let score = read_midi(&std::fs::read(folder.join(&file))?)?.score;
        let ids = tokenizer.encode(&score)?;
        let decoded = tokenizer.decode(&ids);
        let again = tokenizer.encode(&decoded.score)?;
        files += 1;
        if again != ids {
            changed += 1;
            let lengths = |tracks: &[Vec<u32>]| tracks.iter().map(Vec::len).collect::<Vec<_>>();
            println!(
                "{}: {:?} became {:?}",
                file.display(),
                lengths(&ids),
                lengths(&again)
            );
        }
    }
    println!("{files} files, {changed} with other ids");
    Ok(())
}
