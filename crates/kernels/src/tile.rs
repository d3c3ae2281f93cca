//! The register tile that every product is made of: 32 rows of weights by a few
//! rows of activations.
//!
//! For each group of columns, the two lines of the block are multiplied with the
//! same group of each row of activations. A line is read once and used for all
//! rows of the tile. The sum of each (weight row, activation row) runs over the
//! columns in order with one accumulator, so it has the same bits whatever the
//! tile's height, and wherever the columns are cut.

use crate::elements::Element;
use crate::lanes::{Lanes, Next};

/// Rows of weights in a block: two lines.
pub(crate) const BLOCK: usize = 32;
/// [`most`] where vectors multiply.
pub(crate) const ROWS: usize = 12;
/// [`most`] where [tiles](Lanes::TILED) multiply.
pub(crate) const TILED_ROWS: usize = 16;
/// How many rows of activations past those that are multiplied tiles may look at.
pub(crate) const BEHIND: usize = 15;

/// Whether tiles multiply `E`.
#[inline(always)]
pub(crate) const fn tiled<S: Lanes, E: Element>() -> bool {
    S::TILED && E::TILED
}

/// Rows of activations that are multiplied together, at most.
#[inline(always)]
pub(crate) const fn most<S: Lanes, E: Element>() -> usize {
    if tiled::<S, E>() { TILED_ROWS } else { ROWS }
}

/// The sums of one row of activations with the sixteen first and the sixteen
/// other weight rows.
pub(crate) type Sums<S, E> = [<E as Element>::Sum<S>; 2];

/// What is multiplied: groups of a block of weights with rows of activations.
pub(crate) struct Operands<'a, E: Element> {
    pub(crate) lines: &'a [[E::Line; 2]],
    /// What will be read soon after.
    pub(crate) next: Next,
    /// Rows of activations, from the first group on.
    pub(crate) x: &'a [E::Group],
    /// Groups from one row to the next.
    pub(crate) stride: usize,
}

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
    let second = ahead.step.saturating_sub(64);
    for (group, lines) in lines.iter().enumerate() {
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

/// Rows that a kernel of the instruction set has multiplied, and its passes over the lines.
#[derive(Clone, Copy, Default)]
struct Done {
    rows: usize,
    passes: usize,
}

impl<E: Element> Operands<'_, E> {
    /// Bytes of what is read next that each pass asks for with a group, where rows are taken
    /// two at a time and so are many passes.
    #[inline(always)]
    fn step(&self, rows: usize) -> usize {
        let next = self.next.start();
        next.map_or(0, |_| 128_usize.div_ceil(rows.div_ceil(2)))
    }

    /// [`multiply`] of as many rows as are four and four, if there is a kernel for that, of
    /// whose passes the first two should ask for half of what is read next each.
    #[inline(always)]
    fn fours<S: Lanes>(&self, s: S, go_on: bool, sums: &mut [Sums<S, E>]) -> Done {
        let eighth = size_of_val(self.lines) / 8;
        let fours = sums.as_chunks_mut::<4>().0;
        for (index, sums) in fours.iter_mut().enumerate() {
            for half in 0..2 {
                let pass = 2 * index + half;
                let next = self.next.start().filter(|_| pass < 4);
                let at = |part| Some(next?.cast::<u32>().wrapping_byte_add(part * eighth));
                let next = [at(2 * pass), at(2 * pass + 1)];
                let mut from = [E::zero(s); 4];
                if go_on {
                    for (from, sums) in from.iter_mut().zip(&*sums) {
                        *from = sums[half];
                    }
                }
                let x = &self.x[4 * index * self.stride..];
                let four = E::four(s, self.lines, half, x, self.stride, next, from);
                let Some(four) = four else {
                    return Done::default();
                };
                for (sums, sum) in sums.iter_mut().zip(&four) {
                    sums[half] = *sum;
                }
            }
        }
        Done {
            rows: 4 * fours.len(),
            passes: fours.len(),
        }
    }

    /// [`multiply`] of as many rows as are two and two, if there is a kernel for that.
    #[inline(always)]
    fn twos<S: Lanes>(&self, s: S, go_on: bool, sums: &mut [Sums<S, E>]) -> Done {
        let (rows, step) = (sums.len() / 2 * 2, self.step(sums.len()));
        // Two lines a group are for a product that memory limits.
        if rows == 0 || step > 64 {
            return Done::default();
        }
        let sums = &mut sums[..rows];
        let next = self.next.start().unwrap_or(self.lines.as_ptr().cast());
        let taken = E::twos(
            s,
            self.lines,
            self.x,
            self.stride,
            (next, step),
            go_on,
            sums,
        );
        if taken == 0 {
            return Done::default();
        }
        let rest = Operands::<E> {
            lines: &self.lines[taken..],
            next: Next::Nothing,
            x: &self.x[taken..],
            stride: self.stride,
        };
        if !rest.lines.is_empty() {
            rest.tiles(s, true, sums, Done::default());
        }
        Done {
            rows,
            passes: rows / 2,
        }
    }

    /// [`multiply`] of the rows after those that are done, in tiles as high as registers
    /// allow.
    #[inline(always)]
    fn tiles<S: Lanes>(&self, s: S, go_on: bool, sums: &mut [Sums<S, E>], done: Done) {
        let (rows, step) = (sums.len(), self.step(sums.len()));
        let (mut row, mut pass) = (done.rows, done.passes);
        // Tiles of two rows are so many passes that memory is asked for in all of them.
        let twos = row == 2 * pass && S::TILE == 2 * E::registers::<S>();
        macro_rules! tiles {
            ($($height:literal)*) => {$(
                // Eight rows that are too many are four and four, not six and two:
                // so memory is asked for evenly.
                while $height * E::registers::<S>() <= S::TILE
                    && rows - row >= $height
                    && !($height == 6 && rows - row == 8)
                {
                    let next = self.next.start();
                    let at = next.unwrap_or(self.lines.as_ptr().cast());
                    let ahead = |step: usize| Ahead {
                        at: at.wrapping_add(pass * step * self.lines.len()),
                        step,
                    };
                    let ahead = match pass {
                        _ if next.is_none() => ahead(0),
                        _ if twos => ahead(step),
                        _ if pass > 1 => ahead(0),
                        0 if $height == rows => ahead(128),
                        _ => ahead(64),
                    };
                    if let Some(sums) = sums[row..].first_chunk_mut::<$height>() {
                        let from = if go_on { *sums } else { [[E::zero(s); 2]; $height] };
                        let x = &self.x[row * self.stride..];
                        *sums = tile::<S, E, $height>(s, self.lines, x, self.stride, ahead, from);
                    }
                    row += $height;
                    pass += 1;
                }
            )*};
        }
        tiles!(12 8 6 4 3 2 1);
    }
}

/// Multiplies all lines with as many rows of activations as there are `sums`, at most
/// [`most`]; tiles may look at rows up to the sixteenth, so that these have to be there. The
/// sums go on from what they are, or begin anew.
#[inline(always)]
pub(crate) fn multiply<S: Lanes, E: Element>(
    s: S,
    operands: Operands<E>,
    go_on: bool,
    sums: &mut [Sums<S, E>],
) {
    if tiled::<S, E>() {
        let x = (operands.x, operands.stride);
        return E::block(s, operands.lines, x, operands.next, go_on, sums);
    }
    let mut done = operands.fours(s, go_on, sums);
    if done.rows == 0 {
        done = operands.twos(s, go_on, sums);
    }
    if done.rows < sums.len() {
        operands.tiles(s, go_on, sums, done);
    }
}
