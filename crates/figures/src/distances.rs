//! One set of pieces beside another, after Yang and Lerch 2020, *On the
//! evaluation of generative models in music* (mgeval).
//!
//! Of each figure the distances between the pieces of a set (intra-set) and those
//! from each piece of one set to each of the other (inter-set) are taken:
//! Euclidean, so absolute differences for a number. Where the sets are alike, so
//! are the densities of these distances. Of the reference's intra-set and the
//! inter-set distances we give
//!
//! - the overlapping area of both densities, 1 where they are equal, and
//! - the Kullback-Leibler divergence of the inter-set density from the intra-set
//!   one, in nats.
//!
//! Densities are estimated with Gaussian kernels (Scott's rule) at 1,000 places
//! between the least and the largest of all distances. Here we part from mgeval's
//! code, which for the divergence takes each density at places of its own, and
//! from both sets as many pieces as the smaller has.

use crate::density::Density;

const PLACES: usize = 1000;

/// How alike two sets of pieces are in a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// Area under both densities, 0 to 1.
    pub overlapping_area: f64,
    /// Divergence in nats; infinite where the densities do not overlap.
    pub divergence: f64,
}

/// Compares a figure of pieces with that of a reference's pieces. A piece's
/// figure is a vector, all of the same length. `None` where there are fewer than
/// three pieces in the reference or none beside it, or where all distances of a
/// kind are equal.
pub fn likeness<V: AsRef<[f64]>>(pieces: &[V], reference: &[V]) -> Option<Likeness> {
    let ends = 0..reference.len();
    let pairs = ends.flat_map(|a| (0..a).map(move |b| (&reference[a], &reference[b])));
    let intra: Vec<f64> = pairs.map(|(a, b)| distance(a, b)).collect();
    let pairs = pieces
        .iter()
        .flat_map(|a| reference.iter().map(move |b| (a, b)));
    let inter: Vec<f64> = pairs.map(|(a, b)| distance(a, b)).collect();
    let all = || intra.iter().chain(&inter).copied();
    let (least, most) = (all().reduce(f64::min)?, all().reduce(f64::max)?);
    let density = |distances: &[f64]| Density::new(distances, least, most, PLACES);
    let (intra, inter) = (density(&intra)?, density(&inter)?);
    Some(Likeness {
        overlapping_area: intra.overlapping_area(&inter),
        divergence: intra.divergence(&inter),
    })
}

fn distance(a: &impl AsRef<[f64]>, b: &impl AsRef<[f64]>) -> f64 {
    let squares = a
        .as_ref()
        .iter()
        .zip(b.as_ref())
        .map(|(a, b)| (a - b).powi(2));
    squares.sum::<f64>().sqrt()
}
