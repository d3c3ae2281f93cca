//! The layer's backward pass.
//!
//! 1. Blocks of tokens: back through the MLP and norm2, and to the gradient of
//!    attention's output.
//! 2. Attention.
//! 3. Blocks of tokens: back through queries, keys, values and norm1.
//! 4. The gradients of the matrices, sums over all tokens.
//!
//! What went into the norms' outputs and the SiLU's output is computed again
//! from `x` and the saved hidden layer.

use std::ops::Range;

use super::forward::{RowsMut, attention_inputs, to_cells};
use super::scratch::{Backward, Desk};
use super::{
    Gradients, Layer, Saved, Scratch, WeightGradient, sum_parts, tokens_of, weight_gradients,
};
use crate::lanes::Lanes;
use crate::norm::Statistics;
use crate::shared::SharedMut;
use crate::team::Team;
use crate::training::attention;
use crate::training::cells::{CellKernel, Cells, With};
use crate::training::norm::{add_row, norm_backward};
use crate::training::over_tokens::Writer;
use crate::training::product::{product, product_in_parts};
use crate::training::rows::Rows;
use crate::training::sinks::{Add, HiddenGradient, Project, ToRows};
use crate::training::tile::Left;

/// Turns `d`, the gradient of the layer's output, into that of its input `x`,
/// both f32 `[tokens, dim]`, and adds the gradients of the parameters to
/// `gradients`. `saved` is what `forward` left. Panics when the scratch was not
/// made for a backward pass.
pub fn backward(
    team: &mut Team,
    scratch: &mut Scratch,
    layer: &Layer,
    x: &[f32],
    saved: &Saved,
    d: &mut [f32],
    gradients: Gradients,
) {
    let (widths, layout) = (scratch.widths, scratch.layout);
    let (dim, count) = (widths.dim, layer.tokens.count());
    assert!(
        x.len() == count * dim && d.len() == count * dim,
        "x is not [tokens, dim]"
    );
    let Some(room) = &mut scratch.backward else {
        panic!("no memory was planned for a backward pass");
    };
    let (isa, block) = (team.isa(), scratch.block);
    let tasks = count.div_ceil(block);
    let [weight1, bias1, weight2, bias2] = gradients.norms;
    let [output_bias, up_bias, down_bias] = gradients.biases;

    let width = 3 * dim + widths.hidden;
    let parts = &mut room.parts[..tasks * width];
    parts.fill(0.0);
    {
        let desks = SharedMut::new(&mut scratch.desks);
        let shared = SharedMut::new(d);
        let parts = SharedMut::new(parts);
        let d_attended = RowsMut::new(&mut room.d_attended);
        let to = ToMlp {
            d_out: room.d_out.writer(count),
            d_hidden: room.d_hidden.writer(count),
            active: room.active.writer(count),
            normed2: room.normed2.writer(count),
            attended: room.attended.writer(count),
        };
        team.run(tasks, &|thread, index| {
            let tokens = tokens_of(index, block, count);
            // SAFETY: one task a block of tokens, one running task a thread.
            let (desk, d, part, d_attended) = unsafe {
                (
                    &mut desks.part(thread, 1)[0],
                    shared.part(tokens.start * dim, tokens.len() * dim),
                    parts.part(index * width, width),
                    d_attended.part(&tokens),
                )
            };
            let x = &x[tokens.start * dim..tokens.end * dim];
            let kernel = Mlp {
                layer,
                saved,
                tokens,
                x,
                desk,
                to: &to,
                d,
                d_attended,
                part,
            };
            isa.run(With(layout, kernel));
        });
    }
    // The output's and the down bias's gradients are both the sum of `d`.
    sum_parts(
        team,
        parts,
        width,
        &mut [down_bias, up_bias, weight2, bias2],
    );
    sum_parts(team, parts, width, &mut [output_bias]);

    attention::backward(
        team,
        &widths.attention(layer.tokens),
        &attention_inputs(layer, &saved.query, &saved.key, &saved.value),
        &attention::Results {
            statistics: &saved.statistics[..count * widths.heads],
            out: saved.attended.view(),
            d_out: room.d_attended.view(),
        },
        &mut scratch.attention,
        attention::Gradients {
            q: room.d_query.view_mut(),
            k: room.d_key.view_mut(),
            v: room.d_value.view_mut(),
        },
    );

    let width = 2 * dim;
    let parts = &mut room.parts[..tasks * width];
    parts.fill(0.0);
    {
        let desks = SharedMut::new(&mut scratch.desks);
        let shared = SharedMut::new(d);
        let parts = SharedMut::new(parts);
        let d_rows = [&room.d_query, &room.d_key, &room.d_value];
        let to = ToProjections {
            d: room.d_projections.each_mut().map(|d| d.writer(count)),
            normed1: room.normed1.writer(count),
        };
        team.run(tasks, &|thread, index| {
            let tokens = tokens_of(index, block, count);
            // SAFETY: one task a block of tokens, one running task a thread.
            let (desk, d, part) = unsafe {
                (
                    &mut desks.part(thread, 1)[0],
                    shared.part(tokens.start * dim, tokens.len() * dim),
                    parts.part(index * width, width),
                )
            };
            let x = &x[tokens.start * dim..tokens.end * dim];
            let kernel = Projections {
                layer,
                d_rows,
                norms: &saved.norms,
                tokens,
                x,
                desk,
                to: &to,
                d,
                part,
            };
            isa.run(With(layout, kernel));
        });
    }
    sum_parts(team, parts, width, &mut [weight1, bias1]);

    let Backward {
        d_out,
        d_hidden,
        d_projections: [d_query, d_key, d_value],
        normed1,
        normed2,
        attended,
        active,
        turned,
        ..
    } = room;
    let [query, key, value, output, up, down] = gradients.matrices;
    let scale = widths.query_scale();
    let products = [
        WeightGradient::new(query, d_query, normed1, scale),
        WeightGradient::new(key, d_key, normed1, 1.0),
        WeightGradient::new(value, d_value, normed1, 1.0),
        WeightGradient::new(output, d_out, attended, 1.0),
        WeightGradient::new(up, d_hidden, normed2, 1.0),
        WeightGradient::new(down, d_out, active, 1.0),
    ];
    weight_gradients(team, turned, layout, count, &products);
}

/// Where the first phase leaves operands over tokens.
struct ToMlp<'a> {
    d_out: Writer<'a>,
    d_hidden: Writer<'a>,
    active: Writer<'a>,
    normed2: Writer<'a>,
    attended: Writer<'a>,
}

struct Mlp<'a> {
    layer: &'a Layer<'a>,
    saved: &'a Saved,
    tokens: Range<usize>,
    x: &'a [f32],
    desk: &'a mut Desk,
    to: &'a ToMlp<'a>,
    d: &'a mut [f32],
    d_attended: ToRows<'a>,
    /// Sum of `d`, gradients of the up bias and of norm2's weight and bias.
    part: &'a mut [f32],
}

impl CellKernel for Mlp<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(self, s: S) {
        let (layer, to, first) = (self.layer, self.to, self.tokens.start);
        let matrices = layer.matrices;
        let Desk {
            wide,
            narrow,
            hidden,
        } = self.desk;
        let wide = &mut wide[..self.x.len()];
        let (rows, dim) = (self.tokens.len(), narrow.values());
        let (sum, part) = self.part.split_at_mut(dim);
        let (up_bias, part) = part.split_at_mut(hidden.values());
        let (weight2, bias2) = part.split_at_mut(dim);

        for d in self.d.chunks_exact(dim) {
            add_row(s, d, sum);
        }
        to_cells::<S, C>(s, self.d, narrow);
        let d_out = Left::rows(narrow.cells(), narrow.stride());
        let cells = &narrow.cells()[..rows * narrow.stride()];
        // SAFETY: this task alone has these tokens, here and below.
        unsafe { to.d_out.cells::<S, C>(s, cells, narrow.stride(), first) };

        let before = &self.saved.hidden;
        let (stride, columns) = (hidden.stride(), hidden.values());
        let mut sink = HiddenGradient::<C> {
            before: &before.cells()[first * before.stride()..],
            stride: before.stride(),
            rows,
            token: first,
            active: &to.active,
            over_tokens: &to.d_hidden,
            gradient: ToRows {
                rows: hidden.cells_mut(),
                stride,
                columns,
            },
            d_bias: up_bias,
            cells: std::marker::PhantomData,
        };
        let right = matrices.down.backward();
        product::<S, C>(
            s,
            d_out,
            rows,
            right,
            0..right.columns,
            0..right.k,
            &mut sink,
        );

        let right = matrices.output.backward();
        let mut sink = Project::<C>::new(self.d_attended);
        product::<S, C>(
            s,
            d_out,
            rows,
            right,
            0..right.columns,
            0..right.k,
            &mut sink,
        );

        wide.fill(0.0);
        let d_hidden = Left::rows(hidden.cells(), stride);
        let mut sink = Add::new(wide, dim);
        product_in_parts::<S, C>(s, d_hidden, rows, matrices.up.backward(), &mut sink);
        let norms = &self.saved.norms[first..first + rows];
        for (((x, statistics), d_y), d_x) in (self.x.chunks_exact(dim).zip(norms))
            .zip(wide.chunks_exact_mut(dim))
            .zip(self.d.chunks_exact_mut(dim))
        {
            let norm = layer.vectors.norm2;
            norm_backward(s, x, *statistics, norm, d_y, d_x, [weight2, bias2]);
        }
        // SAFETY: as above.
        unsafe { to.normed2.rows::<S, C>(s, wide, first) };
        let attended = &self.saved.attended;
        let stride = attended.stride();
        let cells = &attended.cells()[first * stride..(first + rows) * stride];
        // SAFETY: as above.
        unsafe { to.attended.cells::<S, C>(s, cells, stride, first) };
    }
}

/// Where the third phase leaves operands over tokens.
struct ToProjections<'a> {
    d: [Writer<'a>; 3],
    normed1: Writer<'a>,
}

struct Projections<'a> {
    layer: &'a Layer<'a>,
    /// Gradients of queries, keys and values.
    d_rows: [&'a Rows; 3],
    /// Of all rows of the layer's input.
    norms: &'a [Statistics],
    tokens: Range<usize>,
    x: &'a [f32],
    desk: &'a mut Desk,
    to: &'a ToProjections<'a>,
    d: &'a mut [f32],
    /// Gradients of norm1's weight and bias.
    part: &'a mut [f32],
}

impl CellKernel for Projections<'_> {
    #[inline(always)]
    fn run<S: Lanes, C: Cells>(self, s: S) {
        let (first, rows) = (self.tokens.start, self.tokens.len());
        let matrices = self.layer.matrices;
        let wide = &mut self.desk.wide[..self.x.len()];
        let dim = self.x.len() / rows;
        for (d, to) in self.d_rows.into_iter().zip(&self.to.d) {
            let stride = d.stride();
            let cells = &d.cells()[first * stride..(first + rows) * stride];
            // SAFETY: this task alone has these tokens.
            unsafe { to.cells::<S, C>(s, cells, stride, first) };
        }
        wide.fill(0.0);
        let linears = [&matrices.query, &matrices.key, &matrices.value];
        for (d, linear) in self.d_rows.into_iter().zip(linears) {
            let left = Left::rows(&d.cells()[first * d.stride()..], d.stride());
            let mut sink = Add::new(wide, dim);
            product_in_parts::<S, C>(s, left, rows, linear.backward(), &mut sink);
        }
        let (weight1, bias1) = self.part.split_at_mut(dim);
        let norms = &self.norms[first..first + rows];
        for (((x, statistics), d_y), d_x) in (self.x.chunks_exact(dim).zip(norms))
            .zip(wide.chunks_exact_mut(dim))
            .zip(self.d.chunks_exact_mut(dim))
        {
            let norm = self.layer.vectors.norm1;
            norm_backward(s, x, *statistics, norm, d_y, d_x, [weight1, bias1]);
        }
        // SAFETY: as above.
        unsafe { self.to.normed1.rows::<S, C>(s, wide, first) };
    }
}
