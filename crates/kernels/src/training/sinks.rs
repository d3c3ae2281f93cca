//! What becomes of the tiles of a product.

use std::marker::PhantomData;

use super::cells::Cells;
use super::over_tokens::Writer;
use super::product::Sink;
use super::tile::{COLUMNS, EMPTY, Tile};
use crate::exp::exp;
use crate::lanes::{Lanes, WIDTH};

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
    fn take(&mut self, s: S, tile: &Tile, row: usize, column: usize) {
        let end = self.columns.min(column + S::LINES * WIDTH);
        let rows = self.out.chunks_exact_mut(self.columns).skip(row);
        for (sums, out) in tile[..S::HEIGHT].iter().zip(rows) {
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
    #[inline(always)]
    fn put<S: Lanes, C: Cells>(&mut self, s: S, tile: &Tile, row: usize, column: usize) {
        let width = (self.columns - column).min(S::LINES * WIDTH);
        let rows = self.rows.chunks_mut(self.stride).skip(row);
        for (values, out) in tile[..S::HEIGHT].iter().zip(rows) {
            let out = &mut out[column / C::GROUP..][..width.div_ceil(C::GROUP)];
            C::along(s, &values[..width], out);
        }
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
    fn take(&mut self, s: S, tile: &Tile, row: usize, column: usize) {
        self.out.put::<S, C>(s, tile, row, column);
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
    fn take(&mut self, s: S, tile: &Tile, row: usize, column: usize) {
        let end = self.columns.min(column + S::LINES * WIDTH);
        let bias = &self.bias[column..end];
        let rows = self.out.chunks_exact_mut(self.columns).skip(row);
        for (sums, out) in tile[..S::HEIGHT].iter().zip(rows) {
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
    fn take(&mut self, s: S, tile: &Tile, row: usize, column: usize) {
        let end = self.bias.len().min(column + S::LINES * WIDTH);
        let mut bias = [0.0; COLUMNS];
        bias[..end - column].copy_from_slice(&self.bias[column..end]);
        let (mut before, mut after) = (EMPTY, EMPTY);
        let rows = before.iter_mut().zip(&mut after).zip(tile);
        for ((before, after), sums) in rows.take(S::HEIGHT) {
            for line in 0..S::LINES {
                let sum = s.load(&sums.as_chunks().0[line]);
                let x = s.add(sum, s.load(&bias.as_chunks().0[line]));
                s.store(x, &mut before.as_chunks_mut().0[line]);
                let y = s.mul(x, sigmoid(s, x));
                s.store(y, &mut after.as_chunks_mut().0[line]);
            }
        }
        self.before.put::<S, C>(s, &before, row, column);
        self.after.put::<S, C>(s, &after, row, column);
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
    fn take(&mut self, s: S, tile: &Tile, row: usize, column: usize) {
        let rows = self.rows.saturating_sub(row).min(S::HEIGHT);
        let end = self.gradient.columns.min(column + S::LINES * WIDTH);
        let (mut active, mut gradient) = (EMPTY, EMPTY);
        let mut sums = [s.splat(0.0); COLUMNS / WIDTH];
        for i in 0..rows {
            let mut before = [0.0; COLUMNS];
            let cells = &self.before[(row + i) * self.stride + column / C::GROUP..];
            C::widen(s, cells, &mut before[..end - column]);
            for (line, sum) in sums.iter_mut().enumerate().take(S::LINES) {
                let x = s.load(&before.as_chunks().0[line]);
                let d_y = s.load(&tile[i].as_chunks().0[line]);
                let sigmoid = sigmoid(s, x);
                let y = s.mul(x, sigmoid);
                // sigmoid (1 + x (1 - sigmoid)) = sigmoid + y (1 - sigmoid)
                let rest = s.sub(s.splat(1.0), sigmoid);
                let d_x = s.mul(d_y, s.mul_add(y, rest, sigmoid));
                s.store(y, &mut active[i].as_chunks_mut().0[line]);
                s.store(d_x, &mut gradient[i].as_chunks_mut().0[line]);
                *sum = s.add(*sum, d_x);
            }
        }
        let mut d_bias = [0.0; COLUMNS];
        for (sum, out) in sums.into_iter().zip(d_bias.as_chunks_mut().0) {
            s.store(sum, out);
        }
        for (out, sum) in self.d_bias[column..end].iter_mut().zip(d_bias) {
            *out += sum;
        }
        // SAFETY: the tokens of this block are written by this task alone, and
        // each panel of columns once.
        unsafe {
            let token = self.token + row;
            (self.active).tile::<S, C>(s, &active, rows, token, column);
            (self.over_tokens).tile::<S, C>(s, &gradient, rows, token, column);
        }
        self.gradient.put::<S, C>(s, &gradient, row, column);
    }
}

#[inline(always)]
fn sigmoid<S: Lanes>(s: S, x: S::F) -> S::F {
    let e = exp(s, s.sub(s.splat(0.0), x));
    s.div(s.splat(1.0), s.add(s.splat(1.0), e))
}
