//! The register tile that every product is made of: 32 rows of weights by a few
//! rows of activations.
//!
//! For each group of columns, the two lines of the block are multiplied with the
//! same group of each row of activations. A line is read once and used for all
//! rows of the tile. The sum of each (weight row, activation row) runs over the
//! columns in order with one accumulator, so it has the same bits whatever the
//! tile's height, and wherever the columns are cut.

use crate::elements::Element;
use crate::lanes::Lanes;

/// Rows of weights in a block: two lines.
pub(crate) const BLOCK: usize = 32;
/// Rows of activations that are multiplied together, at most.
pub(crate) const ROWS: usize = 12;
/// The sums of one row of activations with the sixteen first and the sixteen
/// other weight rows.
pub(crate) type Sums<S, E> = [<E as Element>::Sum<S>; 2];

/// What is asked for while groups are multiplied: the processor's own prefetching
/// ends with each page, and sees nothing to do while lines are passed over again.
#[derive(Clone, Copy)]
struct Ahead {
    at: *const u8,
    /// Bytes a group: two lines, one or none.
    step: usize,
}

#[inline(always)]
fn tile<S: Lanes, E: Element, const HEIGHT: usize>(
    s: S,
    lines: &[[E::Line; 2]],
    x: &[E::Group],
    stride: usize,
    mut ahead: Ahead,
    mut sums: [Sums<S, E>; HEIGHT],
) -> [Sums<S, E>; HEIGHT] {
    assert!(
        x.len() >= (HEIGHT - 1) * stride + lines.len(),
        "activations too short"
    );
    for (group, lines) in lines.iter().enumerate() {
        if ahead.step > 0 {
            s.prefetch(ahead.at);
        }
        if ahead.step > 64 {
            s.prefetch(ahead.at.wrapping_byte_add(64));
        }
        ahead.at = ahead.at.wrapping_byte_add(ahead.step);
        for (row, sum) in sums.iter_mut().enumerate() {
            // SAFETY: row < HEIGHT and group < lines.len(), asserted above.
            let x = unsafe { x.get_unchecked(row * stride + group) };
            sum[0] = E::dot(s, sum[0], &lines[0], x);
            sum[1] = E::dot(s, sum[1], &lines[1], x);
        }
    }
    sums
}

/// Multiplies some groups of a block of weights with as many rows of activations
/// as there are `sums`, at most [`ROWS`], `stride` groups apart in `x`. The sums go
/// on from what they are, or begin anew. At `next` is what will be read soon after,
/// as many lines.
#[inline(always)]
pub(crate) fn multiply<S: Lanes, E: Element>(
    s: S,
    lines: &[[E::Line; 2]],
    next: Option<*const [E::Line; 2]>,
    x: &[E::Group],
    stride: usize,
    go_on: bool,
    sums: &mut [Sums<S, E>],
) {
    let (mut row, mut pass, rows) = (0, 0, sums.len());
    macro_rules! tiles {
        ($($height:literal)*) => {$(
            // Eight rows that are too many are four and four, not six and two:
            // so memory is asked for evenly.
            while $height * E::REGISTERS <= S::TILE
                && rows - row >= $height
                && !($height == 6 && rows - row == 8)
            {
                let at = next.unwrap_or(lines.as_ptr()).cast::<u8>();
                let ahead = match pass {
                    _ if next.is_none() || pass > 1 => Ahead { at, step: 0 },
                    0 if $height == rows => Ahead { at, step: 128 },
                    _ => Ahead { at: at.wrapping_add(pass * 64 * lines.len()), step: 64 },
                };
                if let Some(sums) = sums[row..].first_chunk_mut::<$height>() {
                    let from = if go_on { *sums } else { [[E::zero(s); 2]; $height] };
                    let x = &x[row * stride..];
                    *sums = tile::<S, E, $height>(s, lines, x, stride, ahead, from);
                }
                row += $height;
                pass += 1;
            }
        )*};
    }
    tiles!(12 8 6 4 3 2 1);
}
