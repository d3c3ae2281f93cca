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
    /// Bytes a group, two lines at most. Two are always asked for, if need be the same one,
    /// so that there is nothing to decide.
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
    // Two lines a group are for a product that memory limits.
    let taken = match HEIGHT == 2 && ahead.step <= 64 {
        true => E::two(s, lines, x, stride, (ahead.at, ahead.step), &mut sums),
        false => 0,
    };
    ahead.at = ahead.at.wrapping_byte_add(taken * ahead.step);
    let second = ahead.step.saturating_sub(64);
    for (group, lines) in lines.iter().enumerate().skip(taken) {
        s.prefetch(ahead.at);
        s.prefetch(ahead.at.wrapping_byte_add(second));
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

/// [`multiply`] of as many rows as are four and four, if there is a kernel for that,
/// and how much of what is read next has been asked for: in passes over the lines, of
/// which the first two should ask for half of it each.
#[inline(always)]
fn fours<S: Lanes, E: Element>(
    s: S,
    lines: &[[E::Line; 2]],
    next: Option<*const [E::Line; 2]>,
    x: &[E::Group],
    stride: usize,
    go_on: bool,
    sums: &mut [Sums<S, E>],
) -> (usize, usize) {
    let eighth = size_of_val(lines) / 8;
    let fours = sums.as_chunks_mut::<4>().0;
    for (index, sums) in fours.iter_mut().enumerate() {
        for half in 0..2 {
            let pass = 2 * index + half;
            let next = next.filter(|_| pass < 4);
            let at = |part| Some(next?.cast::<u32>().wrapping_byte_add(part * eighth));
            let next = [at(2 * pass), at(2 * pass + 1)];
            let mut from = [E::zero(s); 4];
            if go_on {
                for (from, sums) in from.iter_mut().zip(&*sums) {
                    *from = sums[half];
                }
            }
            let x = &x[4 * index * stride..];
            let Some(four) = E::four(s, lines, half, x, stride, next, from) else {
                return (0, 0);
            };
            for (sums, sum) in sums.iter_mut().zip(&four) {
                sums[half] = *sum;
            }
        }
    }
    (4 * fours.len(), fours.len())
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
    let rows = sums.len();
    let (mut row, mut pass) = fours::<S, E>(s, lines, next, x, stride, go_on, sums);
    // Tiles of two rows are so many passes that memory is asked for in all of them.
    let twos = row == 0 && S::TILE == 2 * E::REGISTERS;
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
                    _ if next.is_none() => Ahead { at, step: 0 },
                    _ if twos => {
                        let step = 128_usize.div_ceil(rows.div_ceil(2));
                        Ahead { at: at.wrapping_add(pass * step * lines.len()), step }
                    }
                    _ if pass > 1 => Ahead { at, step: 0 },
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
