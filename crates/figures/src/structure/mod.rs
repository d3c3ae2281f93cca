//! Structure indicators: how strongly a piece repeats itself over short, middle
//! and long times.
//!
//! SI of Wu and Yang 2020, *The Jazz Transformer on the Front Line* (MusDr): the
//! largest fitness of any segment of 3 to 8, 8 to 15, and 15 seconds and more.
//! Fitness (Müller, Jiang and Grosche 2013, *A robust fitness measure for
//! capturing repetitions in music recordings*) is 0 for a segment that never
//! returns and nears 1 where its returns, in any key and from half to double
//! tempo, are exact and fill the piece. MusDr hears pieces as sound; here the
//! chromagram is made of the notes themselves, and what is done with
//! it is the same: a self-similarity matrix and the fitness of every segment.

pub(crate) mod chroma;
pub(crate) mod fitness;
pub(crate) mod similarity;

use crate::Piece;
use fitness::strongest;

/// Seconds of a piece that its structure is told of. The work grows with the
/// fourth power of this.
pub const STRUCTURE_SECONDS: f64 = 120.0;

/// Structure indicators, 0 to 1; a piece that is shorter than a span has 0 there,
/// as in MusDr.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Structure {
    /// Of segments of 3 to 8 seconds.
    pub short: f64,
    /// Of segments of 8 to 15 seconds.
    pub middle: f64,
    /// Of segments of 15 seconds and more.
    pub long: f64,
}

/// The structure of the first [`STRUCTURE_SECONDS`] of a piece.
pub fn structure(piece: &Piece) -> Structure {
    let chroma = chroma::chroma(piece);
    let similarity = similarity::similarity(&chroma);
    // Two frames a second.
    Structure {
        short: strongest(&similarity, 6..=16),
        middle: strongest(&similarity, 16..=30),
        long: strongest(&similarity, 30..=similarity.size()),
    }
}
