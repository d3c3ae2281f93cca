//! The loops around the tile.
//!
//! For each panel of the right operand, all tiles of the left operand's rows: a
//! panel of up to [`DEPTH`] cells along `k` stays in the second-level cache while
//! the rows pass by, and so does the block of rows from panel to panel. What
//! becomes of a tile's sums is the [`Sink`]'s business: there, biases,
//! activations and conversions happen while the sums are still in the cache.

use std::ops::Range;

use super::cells::Cells;
use super::panels::{Right, starts};
use super::tile::{EMPTY, Left, TileRow, tile_before};
use crate::elements::Line;
use crate::lanes::{Lanes, WIDTH};

/// Cells along `k` that are multiplied at a time where the sink can add.
pub(crate) const DEPTH: usize = 1024;

/// Cells of a right operand that stays in a second-level cache of 1 MB from one block
/// of rows to the next.
const NEAR: usize = 1 << 18;

/// Whether panels are asked for while the panel before is multiplied: with few rows a
/// panel, the first tile would wait for one that is not in the second-level cache.
/// Processors with AVX-512 keep all there but operands as large as the head's weights;
/// others often have 512 KB. Tiles multiply so fast that the first-level cache matters.
#[inline(always)]
fn ask<S: Lanes>(right: Right) -> bool {
    S::LINES == 1 || S::TILED || right.cells.len() > NEAR
}

/// Takes the tiles of a product. A trait and not a closure: a closure would not
/// be compiled for the instruction set that calls it.
pub(crate) trait Sink<S: Lanes> {
    /// The sums of the rows from `row` on and of the panel of columns that begins at
    /// `column`. Rows and columns may reach past the matrix.
    fn take(&mut self, s: S, tile: &[TileRow], row: usize, column: usize);
    /// Comes before a tile is multiplied: asks for the memory that
    /// [`take`](Self::take) will meet.
    #[inline(always)]
    fn expect(&self, _: S, _rows: Range<usize>, _column: usize) {}
}

/// Multiplies `rows` rows of `left`, rounded up to whole tiles, with the panels
/// of `right` that begin in `columns`, over the cells `k`.
#[inline(always)]
pub(crate) fn product<S: Lanes, C: Cells>(
    s: S,
    left: Left,
    rows: usize,
    right: Right,
    columns: Range<usize>,
    k: Range<usize>,
    sink: &mut impl Sink<S>,
) {
    let left = left.tile(0, k.start);
    product_before::<S, C>(s, left, rows, right, [columns, k], None, sink);
}

/// [`product`] of a left operand that begins with the first of the cells `k`, after which the
/// panel `then` will be read.
#[inline(always)]
pub(crate) fn product_before<S: Lanes, C: Cells>(
    s: S,
    left: Left,
    rows: usize,
    right: Right,
    [columns, k]: [Range<usize>; 2],
    then: Option<&[u32]>,
    sink: &mut impl Sink<S>,
) {
    let mut sums = Line(EMPTY);
    let [tall, low] = tiles::<S>(left, rows);
    let tiles = tall + low;
    for column in starts::<S>(columns.clone(), right.columns) {
        let (panel, lines) = right.panel::<S>(column, k.start, k.end);
        let after = column + lines * WIDTH;
        let next = match after < columns.end {
            true if ask::<S>(right) => Some(right.panel::<S>(after, k.start, k.end).0),
            true => None,
            false => then,
        };
        let mut row = 0;
        for tile in 0..tiles {
            let height = if tile < tall { S::TALL } else { S::HEIGHT };
            // Each tile asks for its share of the next panel.
            let panel_next = next.map(|next| &next[next.len() / tiles * tile..]);
            let left_next = (left.k_step > 1 && column == columns.start && tile + 1 < tiles)
                .then(|| left.tile(row + height, 0).cells);
            sink.expect(s, row..row + height, column);
            let left = left.tile(row, 0);
            let next = [panel_next, left_next];
            tile_before::<S, C>(s, left, height, panel, lines, next, &mut sums.0);
            sink.take(s, &sums.0[..height], row, column);
            row += height;
        }
    }
}

/// How many tall and how many low tiles take `rows` rows of `left`: panels are of low
/// ones; of rows, as many are tall as leave whole low ones, so that none reaches past the
/// rows that there are.
#[inline(always)]
fn tiles<S: Lanes>(left: Left, rows: usize) -> [usize; 2] {
    let rows = rows.next_multiple_of(S::HEIGHT);
    let whole = (rows % S::TALL).is_multiple_of(S::HEIGHT);
    let tall = match left.k_step {
        1 => rows / S::TALL - usize::from(!whole),
        _ => 0,
    };
    [tall, (rows - tall * S::TALL) / S::HEIGHT]
}

/// [`product`] over all columns and all of `k`, [`DEPTH`] at a time: the sink
/// has to add.
#[inline(always)]
pub(crate) fn product_in_parts<S: Lanes, C: Cells>(
    s: S,
    left: Left,
    rows: usize,
    right: Right,
    sink: &mut impl Sink<S>,
) {
    for from in (0..right.k).step_by(DEPTH) {
        let k = from..right.k.min(from + DEPTH);
        product::<S, C>(s, left, rows, right, 0..right.columns, k, sink);
    }
}
