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
    let count = dim / WIDTH;
    let full = count * WIDTH;
    let (mut sum, mut sum_h) = (s.splat(0.0), s.splat(0.0));
    let (mut rest, mut rest_h) = (0.0, 0.0);
    for i in full..dim {
        let g = d_y[i] * norm.weight[i];
        rest += g;
        rest_h += g * (x[i] - mean) * inverse;
    }
    // In the loops nothing is looked up.
    let (x_lines, weight) = (lines(x, count), lines(norm.weight, count));
    let bias = lines(norm.bias, count);
    let y_lines = lines_mut(d_y, count);
    for i in 0..count {
        let h = statistics.normed(s, s.load(&x_lines[i]));
        let g = s.mul(s.load(&y_lines[i]), s.load(&weight[i]));
        sum = s.add(sum, g);
        sum_h = s.mul_add(g, h, sum_h);
    }
    let mean_g = (s.sum(sum) + rest) / dim as f32;
    let mean_gh = (s.sum(sum_h) + rest_h) / dim as f32;

    let scale = s.splat(inverse);
    let (lanes_g, lanes_gh) = (s.splat(mean_g), s.splat(mean_gh));
    let x_gradient = lines_mut(d_x, count);
    let (of_weight, of_bias) = (lines_mut(d_weight, count), lines_mut(d_bias, count));
    for i in 0..count {
        let h = statistics.normed(s, s.load(&x_lines[i]));
        let (d, w) = (s.load(&y_lines[i]), s.load(&weight[i]));
        let g = s.sub(s.mul(d, w), s.mul_add(h, lanes_gh, lanes_g));
        add(s, &mut x_gradient[i], s.mul(g, scale));
        add(s, &mut of_weight[i], s.mul(d, h));
        add(s, &mut of_bias[i], d);
        let y = s.mul_add(h, w, s.load(&bias[i]));
        s.store(y, &mut y_lines[i]);
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
    let count = out.len() / WIDTH;
    let (a_lines, b_lines, c_lines) = (lines(a, count), lines(b, count), lines(c, count));
    let out_lines = lines_mut(out, count);
    for i in 0..count {
        let sum = s.add(s.load(&a_lines[i]), s.load(&b_lines[i]));
        s.store(s.add(sum, s.load(&c_lines[i])), &mut out_lines[i]);
    }
    for i in count * WIDTH..out.len() {
        out[i] = a[i] + b[i] + c[i];
    }
}

/// Adds `row` to `sum`, both of the same length.
#[inline(always)]
pub(crate) fn add_row<S: Lanes>(s: S, row: &[f32], sum: &mut [f32]) {
    let count = row.len() / WIDTH;
    let (row_lines, sum_lines) = (lines(row, count), lines_mut(sum, count));
    for i in 0..count {
        add(s, &mut sum_lines[i], s.load(&row_lines[i]));
    }
    for i in count * WIDTH..row.len() {
        sum[i] += row[i];
    }
}

/// The first `count` lines of `values`.
#[inline(always)]
fn lines(values: &[f32], count: usize) -> &[[f32; WIDTH]] {
    &values.as_chunks().0[..count]
}

#[inline(always)]
fn lines_mut(values: &mut [f32], count: usize) -> &mut [[f32; WIDTH]] {
    &mut values.as_chunks_mut().0[..count]
}

#[inline(always)]
fn add<S: Lanes>(s: S, out: &mut [f32; WIDTH], value: S::F) {
    s.store(s.add(s.load(out), value), out);
}
