//! Layer norm, forward into cells and backward.
//!
//! With `h = (x - mean) / deviation`, `y = h w + b` and `g = d_y w`:
//! `d_x = (g - mean(g) - h mean(g h)) / deviation`, `d_w = sum of d_y h` and
//! `d_b = sum of d_y` over the tokens. `y` is computed again on the way: it is
//! the activation that the gradient of the weights behind it needs.

use super::cells::Cells;
use super::rows::Rows;
use crate::lanes::{Lanes, WIDTH, load_part};
use crate::norm::Statistics;

/// The parameters of a layer norm, both of `dim` values.
#[derive(Clone, Copy)]
pub struct Norm<'a> {
    /// Scale.
    pub weight: &'a [f32],
    /// Offset.
    pub bias: &'a [f32],
}

/// Norms the rows of `x`, f32 `[rows, dim]`, into cells.
#[inline(always)]
pub(crate) fn norm_rows<S: Lanes, C: Cells>(
    s: S,
    x: &[f32],
    statistics: &[Statistics],
    norm: Norm,
    out: &mut Rows,
) {
    let (dim, stride) = (norm.weight.len(), out.stride());
    let rows = x.chunks_exact(dim).zip(statistics);
    for ((x, statistics), out) in rows.zip(out.cells_mut().chunks_exact_mut(stride)) {
        let parts = (x.chunks(WIDTH * C::GROUP))
            .zip(norm.weight.chunks(WIDTH * C::GROUP))
            .zip(norm.bias.chunks(WIDTH * C::GROUP));
        for (((x, weight), bias), out) in parts.zip(out.as_chunks_mut().0) {
            let mut lines = [s.splat(0.0); 2];
            let parts = (x.chunks(WIDTH).zip(weight.chunks(WIDTH))).zip(bias.chunks(WIDTH));
            for (line, ((x, weight), bias)) in lines.iter_mut().zip(parts) {
                let h = statistics.normed(s, load_part(s, x));
                *line = s.mul_add(h, load_part(s, weight), load_part(s, bias));
            }
            C::lines(s, lines, out);
        }
    }
}

/// One row: adds to `d_x`, adds this token's share to `d_weight` and `d_bias`,
/// and replaces `d_y` by `y`. All slices are `dim` long.
#[inline(always)]
pub(crate) fn norm_backward<S: Lanes>(
    s: S,
    x: &[f32],
    statistics: Statistics,
    norm: Norm,
    d_y: &mut [f32],
    d_x: &mut [f32],
    [d_weight, d_bias]: [&mut [f32]; 2],
) {
    let dim = x.len();
    let Statistics { mean, inverse } = statistics;
    let scale = s.splat(inverse);
    let (mut sum, mut sum_h) = (s.splat(0.0), s.splat(0.0));
    let (mut rest, mut rest_h) = (0.0, 0.0);
    let full = dim - dim % WIDTH;
    for i in (0..full).step_by(WIDTH) {
        let h = statistics.normed(s, s.load(line(x, i)));
        let g = s.mul(s.load(line(d_y, i)), s.load(line(norm.weight, i)));
        sum = s.add(sum, g);
        sum_h = s.mul_add(g, h, sum_h);
    }
    for i in full..dim {
        let g = d_y[i] * norm.weight[i];
        rest += g;
        rest_h += g * (x[i] - mean) * inverse;
    }
    let mean_g = (s.sum(sum) + rest) / dim as f32;
    let mean_gh = (s.sum(sum_h) + rest_h) / dim as f32;

    let (lanes_g, lanes_gh) = (s.splat(mean_g), s.splat(mean_gh));
    for i in (0..full).step_by(WIDTH) {
        let h = statistics.normed(s, s.load(line(x, i)));
        let (d, w) = (s.load(line(d_y, i)), s.load(line(norm.weight, i)));
        let g = s.sub(s.mul(d, w), s.mul_add(h, lanes_gh, lanes_g));
        add(s, d_x, i, s.mul(g, scale));
        add(s, d_weight, i, s.mul(d, h));
        add(s, d_bias, i, d);
        let y = s.mul_add(h, w, s.load(line(norm.bias, i)));
        s.store(y, line_mut(d_y, i));
    }
    for i in full..dim {
        let h = (x[i] - mean) * inverse;
        let (d, w) = (d_y[i], norm.weight[i]);
        d_x[i] += (d * w - mean_g - h * mean_gh) * inverse;
        d_weight[i] += d * h;
        d_bias[i] += d;
        d_y[i] = h * w + norm.bias[i];
    }
}

/// The sum of three rows, all as long as `out`.
#[inline(always)]
pub(crate) fn sum_rows<S: Lanes>(s: S, [a, b, c]: [&[f32]; 3], out: &mut [f32]) {
    let full = out.len() - out.len() % WIDTH;
    for i in (0..full).step_by(WIDTH) {
        let sum = s.add(s.load(line(a, i)), s.load(line(b, i)));
        s.store(s.add(sum, s.load(line(c, i))), line_mut(out, i));
    }
    for i in full..out.len() {
        out[i] = a[i] + b[i] + c[i];
    }
}

/// Adds `row` to `sum`, both of the same length.
#[inline(always)]
pub(crate) fn add_row<S: Lanes>(s: S, row: &[f32], sum: &mut [f32]) {
    let full = row.len() - row.len() % WIDTH;
    for i in (0..full).step_by(WIDTH) {
        add(s, sum, i, s.load(line(row, i)));
    }
    for i in full..row.len() {
        sum[i] += row[i];
    }
}

#[inline(always)]
fn line(values: &[f32], from: usize) -> &[f32; WIDTH] {
    &values[from..].as_chunks().0[0]
}

#[inline(always)]
fn line_mut(values: &mut [f32], from: usize) -> &mut [f32; WIDTH] {
    &mut values[from..].as_chunks_mut().0[0]
}

#[inline(always)]
fn add<S: Lanes>(s: S, out: &mut [f32], from: usize, value: S::F) {
    let out = line_mut(out, from);
    s.store(s.add(s.load(out), value), out);
}
