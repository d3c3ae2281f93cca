//! The register tile that every product is made of: 32 rows of weights by a few
//! rows of activations.
//!
//! For each group of columns, the two lines of the block are multiplied with the
//! same group of each row of activations. A line is read once and used for all
//! rows of the tile; sums stay in registers from the first column to the last.
//! The sum of each (weight row, activation row) runs over the columns in order
//! with one accumulator, so it has the same bits whatever the tile's height.

use crate::elements::Element;
use crate::lanes::Lanes;

/// Rows of weights in a block: two lines.
pub(crate) const BLOCK: usize = 32;
/// How far ahead weights are asked for, in bytes: what memory gives a core in the
/// time that it takes to answer. The processor's own prefetching ends with each
/// page.
const AHEAD: usize = 4096;

#[inline(always)]
fn tile<S: Lanes, E: Element, const ROWS: usize>(
    s: S,
    block: &[[E::Line; 2]],
    x: &[E::Group],
    stride: usize,
) -> [[E::Sum<S>; 2]; ROWS] {
    assert!(
        x.len() >= (ROWS - 1) * stride + block.len(),
        "activations too short"
    );
    let mut sums = [[E::zero(s); 2]; ROWS];
    for (group, lines) in block.iter().enumerate() {
        let ahead = std::ptr::from_ref(lines).wrapping_byte_add(AHEAD);
        s.prefetch(ahead);
        s.prefetch(ahead.wrapping_byte_add(64));
        for (row, sum) in sums.iter_mut().enumerate() {
            // SAFETY: row < ROWS and group < block.len(), asserted above.
            let x = unsafe { x.get_unchecked(row * stride + group) };
            sum[0] = E::dot(s, sum[0], &lines[0], x);
            sum[1] = E::dot(s, sum[1], &lines[1], x);
        }
    }
    sums
}

/// Takes the sums of a tile. A trait and not a closure: a closure would not be
/// compiled for the instruction set that calls it.
pub(crate) trait Sink<S: Lanes, E: Element> {
    /// The sums of `row` with the first (0) or second (1) sixteen weight rows.
    fn take(&mut self, row: usize, half: usize, sum: E::Sum<S>);
}

/// Multiplies a block of weights with `rows` rows of activations, `stride`
/// groups apart in `x`.
#[inline(always)]
pub(crate) fn block_product<S: Lanes, E: Element>(
    s: S,
    block: &[[E::Line; 2]],
    x: &[E::Group],
    stride: usize,
    rows: usize,
    sink: &mut impl Sink<S, E>,
) {
    let mut row = 0;
    macro_rules! tiles {
        ($($height:literal)*) => {$(
            while $height * E::REGISTERS <= S::TILE && row + $height <= rows {
                let sums = tile::<S, E, $height>(s, block, &x[row * stride..], stride);
                for (i, [first, second]) in sums.into_iter().enumerate() {
                    sink.take(row + i, 0, first);
                    sink.take(row + i, 1, second);
                }
                row += $height;
            }
        )*};
    }
    tiles!(12 8 6 4 2);
    while row < rows {
        let [[first, second]] = tile::<S, E, 1>(s, block, &x[row * stride..], stride);
        sink.take(row, 0, first);
        sink.take(row, 1, second);
        row += 1;
    }
}
