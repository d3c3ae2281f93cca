//! Plays a MIDI file on the built-in piano into a WAV file and draws it.
//!
//!     cargo run --release -p render --example hear -- FILE.mid FILE.wav FILE.png

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::time::Instant;

use render::{Depth, Performance, Piano, PianoOptions, PictureOptions, draw, write_wav};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [midi, wav, png] = arguments.as_slice() else {
        return Err("give a MIDI file, and the names of a WAV and a PNG file to write".into());
    };
    let score = score::read_midi(&std::fs::read(midi)?)?.score;
    let rate = 48_000;
    let piano = Piano::new(rate, PianoOptions::default());
    let mut performance = Performance::new(&score, piano, rate, 1.0);
    let file = BufWriter::new(File::create(wav)?);
    let began = Instant::now();
    let mut samples = 0;
    write_wav(&mut performance, file, Depth::Float, |written| {
        samples = written;
        true
    })?;
    let (made, took) = (
        samples as f64 / f64::from(rate),
        began.elapsed().as_secs_f64(),
    );
    println!("{made:.1} s of sound in {took:.2} s");
    std::fs::write(png, draw(&score, &PictureOptions::default()).to_png()?)?;
    Ok(())
}
