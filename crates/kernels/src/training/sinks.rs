//! What becomes of the tiles of a product.

use std::marker::PhantomData;
use std::ops::Range;

use super::cells::Cells;
use super::over_tokens::Writer;
use super::panels::{lines, width};
use super::product::Sink;
use super::tile::{COLUMNS, TileRow};
use crate::lanes::{Lanes, WIDTH, load_part};

/// Adds tiles to a row-major f32 matrix `[rows, columns]`.
pub(crate) struct Add<'a> {
    pub(crate) out: &'a mut [f32],
    pub(crate) columns: usize,
}

impl<'a> Add<'a> {
    pub(crate) fn new(out: &'a mut [f32], columns: usize) -> Self {
        Self { out, columns }
    }
}

impl<S: Lanes> Sink<S> for Add<'_> {
    #[inline(always)]
    fn take(&mut self, s: S, tile: &[TileRow], row: usize, column: usize) {
        let end = column + width::<S>(column, self.columns);
        let rows = self.out.chunks_exact_mut(self.columns).skip(row);
        for (sums, out) in tile.iter().zip(rows) {
            let (lines, rest) = out[column..end].as_chunks_mut::<WIDTH>();
            let full = lines.len() * WIDTH;
            for (out, sum) in lines.iter_mut().zip(sums.as_chunks::<WIDTH>().0) {
                s.store(s.add(s.load(sum), s.load(out)), out);
            }
            for (out, sum) in rest.iter_mut().zip(&sums[full..]) {
                *out += sum;
            }
        }
    }
}

/// Puts tiles into rows of cells, `columns` values long and `stride` apart.
pub(crate) struct ToRows<'a> {
    pub(crate) rows: &'a mut [u32],
    pub(crate) stride: usize,
    pub(crate) columns: usize,
}

impl ToRows<'_> {
    /// Writes sixteen values of a row that exists, from `column` on. Values past
    /// the row's end go into the room behind it.
    #[inline(always)]
    fn line<S: Lanes, C: Cells>(&mut self, s: S, row: usize, column: usize, values: S::F) {
        let from = row * self.stride + column / C::GROUP;
        C::line(s, values, &mut self.rows[from..][..WIDTH / C::GROUP]);
    }

    /// The rows from `row` on, each from `column` on.
    #[inline(always)]
    fn part<C: Cells>(&mut self, row: usize, column: usize) -> std::slice::ChunksMut<'_, u32> {
        self.rows[row * self.stride + column / C::GROUP..].chunks_mut(self.stride)
    }

    /// Writes a whole row.
    #[inline(always)]
    pub(crate) fn row<S: Lanes, C: Cells>(&mut self, s: S, row: usize, values: &[f32]) {
        let cells = self.columns.div_ceil(C::GROUP);
        C::along(s, values, &mut self.rows[row * self.stride..][..cells]);
    }

    /// Rows from `row` on that exist.
    #[inline(always)]
    fn from(&self, row: usize) -> usize {
        self.rows.len() / self.stride - row
    }
}

/// [`ToRows`] with cells of kind `C`.
pub(crate) struct Project<'a, C> {
    pub(crate) out: ToRows<'a>,
    cells: PhantomData<C>,
}

impl<'a, C> Project<'a, C> {
    pub(crate) fn new(out: ToRows<'a>) -> Self {
        Self {
            out,
            cells: PhantomData,
        }
    }
}

impl<S: Lanes, C: Cells> Sink<S> for Project<'_, C> {
    #[inline(always)]
    fn take(&mut self, s: S, tile: &[TileRow], row: usize, column: usize) {
        let lines = lines::<S>(column, self.out.columns);
        let height = self.out.from(row);
        for (i, sums) in tile.iter().take(height).enumerate() {
            for (line, sums) in sums.as_chunks().0[..lines].iter().enumerate() {
                let column = column + line * WIDTH;
                self.out.line::<S, C>(s, row + i, column, s.load(sums));
            }
        }
    }
}

/// Adds the bias and stores an f32 matrix of `columns` columns.
pub(crate) struct Logits<'a> {
    pub(crate) out: &'a mut [f32],
    pub(crate) columns: usize,
    pub(crate) bias: &'a [f32],
}

impl<S: Lanes> Sink<S> for Logits<'_> {
    #[inline(always)]
    fn take(&mut self, s: S, tile: &[TileRow], row: usize, column: usize) {
        let end = column + width::<S>(column, self.columns);
        let bias = &self.bias[column..end];
        let rows = self.out.chunks_exact_mut(self.columns).skip(row);
        for (sums, out) in tile.iter().zip(rows) {
            let (lines, rest) = out[column..end].as_chunks_mut::<WIDTH>();
            let full = lines.len() * WIDTH;
            let sums_and_bias = (sums.as_chunks::<WIDTH>().0.iter()).zip(bias.as_chunks().0);
            for (out, (sum, bias)) in lines.iter_mut().zip(sums_and_bias) {
                s.store(s.add(s.load(sum), s.load(bias)), out);
            }
            let sums_and_bias = sums[full..].iter().zip(&bias[full..]);
            for (out, (sum, bias)) in rest.iter_mut().zip(sums_and_bias) {
                *out = sum + bias;
            }
        }
    }
}

/// The MLP's hidden layer: adds the bias, keeps what goes into the SiLU for the
/// backward pass and passes on what comes out of it.
pub(crate) struct Hidden<'a, C> {
    pub(crate) bias: &'a [f32],
    pub(crate) before: ToRows<'a>,
    pub(crate) after: ToRows<'a>,
    cells: PhantomData<C>,
}

impl<'a, C> Hidden<'a, C> {
    pub(crate) fn new(bias: &'a [f32], before: ToRows<'a>, after: ToRows<'a>) -> Self {
        Self {
            bias,
            before,
            after,
            cells: PhantomData,
        }
    }
}

impl<S: Lanes, C: Cells> Sink<S> for Hidden<'_, C> {
    #[inline(always)]
    fn take(&mut self, s: S, tile: &[TileRow], row: usize, column: usize) {
        let lines = lines::<S>(column, self.bias.len());
        let mut bias = [s.splat(0.0); COLUMNS / WIDTH];
        for (line, bias) in bias[..lines].iter_mut().enumerate() {
            *bias = load_part(s, &self.bias[column + line * WIDTH..]);
        }
        let cells = WIDTH / C::GROUP;
        let rows = tile.iter().take(self.before.from(row));
        let before = self.before.part::<C>(row, column);
        let after = self.after.part::<C>(row, column);
        for ((sums, before), after) in rows.zip(before).zip(after) {
            let sums = sums.as_chunks().0.iter().zip(&bias[..lines]);
            let outs = before
                .chunks_exact_mut(cells)
                .zip(after.chunks_exact_mut(cells));
            for ((sums, bias), (before, after)) in sums.zip(outs) {
                let x = s.add(s.load(sums), *bias);
                let y = s.mul(x, sigmoid::<S, C>(s, x));
                C::line(s, x, before);
                C::line(s, y, after);
            }
        }
    }
}

/// The backward pass through the SiLU, given the gradient of what came out of
/// it: `y = x sigmoid(x)`, `d_x = d_y sigmoid(x) (1 + x (1 - sigmoid(x)))`.
pub(crate) struct HiddenGradient<'a, C> {
    /// What went into the SiLU, rows of cells.
    pub(crate) before: &'a [u32],
    pub(crate) stride: usize,
    /// Rows that exist.
    pub(crate) rows: usize,
    /// Token of row 0.
    pub(crate) token: usize,
    /// What came out, over tokens.
    pub(crate) active: &'a Writer<'a>,
    /// `d_x`, over tokens.
    pub(crate) over_tokens: &'a Writer<'a>,
    /// `d_x`, in rows.
    pub(crate) gradient: ToRows<'a>,
    /// Sum of `d_x` over the rows.
    pub(crate) d_bias: &'a mut [f32],
    pub(crate) cells: PhantomData<C>,
}

impl<S: Lanes, C: Cells> Sink<S> for HiddenGradient<'_, C> {
    #[inline(always)]
    fn expect(&self, s: S, rows: Range<usize>, column: usize) {
        let cells = lines::<S>(column, self.gradient.columns) * WIDTH / C::GROUP;
        let before = self.before[rows.start * self.stride..].chunks(self.stride);
        for row in before.take(rows.len()) {
            for line in row[column / C::GROUP..][..cells].chunks(WIDTH) {
                s.prefetch(line.as_ptr());
            }
        }
        for operand in [self.active, self.over_tokens] {
            let tokens = self.token + rows.start..self.token + rows.end;
            operand.expect::<S, C>(s, tokens, column);
        }
    }
    #[inline(always)]
    fn take(&mut self, s: S, tile: &[TileRow], row: usize, column: usize) {
        match lines::<S>(column, self.gradient.columns) {
            3 => self.lines::<S, 3>(s, tile, row, column),
            2 => self.lines::<S, 2>(s, tile, row, column),
            _ => self.lines::<S, 1>(s, tile, row, column),
        }
    }
}

impl<'a, C: Cells> HiddenGradient<'a, C> {
    /// Takes a tile of `L` lines of columns.
    #[inline(always)]
    fn lines<S: Lanes, const L: usize>(
        &mut self,
        s: S,
        tile: &[TileRow],
        row: usize,
        column: usize,
    ) {
        let height = (self.rows - row).min(tile.len());
        let (zero, groups) = (s.splat(0.0), height.div_ceil(C::GROUP));
        let to = |operand: &'a Writer<'a>| {
            std::array::from_fn(|line| {
                operand.line::<S>((self.token + row, column, line), C::GROUP)
            })
        };
        let to_active: [_; L] = to(self.active);
        let to_gradient: [_; L] = to(self.over_tokens);
        let cells = WIDTH / C::GROUP;
        let mut sums = [zero; L];
        for group in 0..groups {
            let (mut active, mut gradient) = ([[zero; 2]; L], [[zero; 2]; L]);
            for i in 0..C::GROUP {
                let place = group * C::GROUP + i;
                if place >= height {
                    break;
                }
                let before = &self.before[(row + place) * self.stride + column / C::GROUP..];
                let before = &before[..L * cells];
                let rows = &mut self.gradient;
                let out = &mut rows.rows[(row + place) * rows.stride + column / C::GROUP..];
                let out = &mut out[..L * cells];
                let d_y = &tile[place].as_chunks().0[..L];
                for line in 0..L {
                    let x = C::widen_line(s, &before[line * cells..][..cells]);
                    let sigmoid = sigmoid::<S, C>(s, x);
                    let y = s.mul(x, sigmoid);
                    // sigmoid (1 + x (1 - sigmoid)) = sigmoid + y (1 - sigmoid)
                    let rest = s.sub(s.splat(1.0), sigmoid);
                    let d_x = s.mul(s.load(&d_y[line]), s.mul_add(y, rest, sigmoid));
                    C::line(s, d_x, &mut out[line * cells..][..cells]);
                    (active[line][i], gradient[line][i]) = (y, d_x);
                    sums[line] = s.add(sums[line], d_x);
                }
            }
            for line in 0..L {
                for (values, to) in [
                    (active[line], to_active[line]),
                    (gradient[line], to_gradient[line]),
                ] {
                    let mut cells = [0; WIDTH];
                    C::across(s, values[0], values[1], &mut cells);
                    // SAFETY: the tokens of this block are written by this task alone.
                    unsafe { to.put::<S>(group, &cells) };
                }
            }
        }
        for (line, sum) in sums.into_iter().enumerate() {
            add_part(s, sum, &mut self.d_bias[column + line * WIDTH..]);
        }
    }
}

/// Adds to the first sixteen of `out`, as far as they exist.
#[inline(always)]
pub(crate) fn add_part<S: Lanes>(s: S, values: S::F, out: &mut [f32]) {
    match out.first_chunk_mut() {
        Some(out) => s.store(s.add(s.load(out), values), out),
        None => {
            let mut line = [0.0; WIDTH];
            s.store(values, &mut line);
            for (out, value) in out.iter_mut().zip(line) {
                *out += value;
            }
        }
    }
}

#[inline(always)]
fn sigmoid<S: Lanes, C: Cells>(s: S, x: S::F) -> S::F {
    let e = C::exp(s, s.sub(s.splat(0.0), x));
    C::reciprocal(s, s.add(s.splat(1.0), e))
}
