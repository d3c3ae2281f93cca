//! Prints all figures of MIDI files.
//!
//!     cargo run --release -p figures --example describe -- FILE.mid...

use std::error::Error;

use figures::{FIGURES, Measured, Piece};

fn main() -> Result<(), Box<dyn Error>> {
    for file in std::env::args_os().skip(1) {
        println!("{}", file.display());
        let score = score::read_midi(&std::fs::read(&file)?)?.score;
        let Some(piece) = Piece::new(&score) else {
            println!("  no piano notes");
            continue;
        };
        let values = Measured::new(piece, true).figures();
        for (figure, value) in FIGURES.iter().zip(values) {
            match value {
                Some(value) => println!("  {:20} {value:.4}", figure.name),
                None => println!("  {:20} -", figure.name),
            }
        }
    }
    Ok(())
}
