//! Queries that see no key: they and all before them are PAD.
//!
//! The scores of hidden keys are filled with the smallest f32 and not with minus
//! infinity, as in the JAX original, so such a query's weights are equal over all
//! `length` keys of its sequence, later ones too. Nothing flows back to the
//! scores. With dropout the factors of later positions are 0. They are rare
//! (sequences that begin with PAD), so this is a plain loop.

use super::Task;
use super::operands::Head;
use crate::lanes::Lanes;
use crate::training::cells::Cells;
use crate::training::dropout::Dropout;

/// Whether `dropout` keeps the weight of `key` in the row of `query`.
#[inline(always)]
fn keeps(dropout: Option<Dropout>, task: &Task, query: usize, key: usize) -> bool {
    dropout
        .is_none_or(|dropout| key <= query && dropout.keeps(dropout.row_key(task.row(query)), key))
}

/// The output of `query`. `values` holds a row of features.
#[inline(always)]
pub(super) fn output<S: Lanes, C: Cells>(
    s: S,
    task: &Task,
    query: usize,
    v: Head,
    values: &mut [f32],
    out: &mut [f32],
) {
    let values = &mut values[..out.len()];
    let weight = task.scale() / v.length as f32;
    out.fill(0.0);
    for key in 0..v.length {
        if keeps(task.inputs.dropout, task, query, key) {
            C::widen(s, v.row(key), values);
            for (out, value) in out.iter_mut().zip(&*values) {
                *out += weight * value;
            }
        }
    }
}

/// Adds what the blind queries among `statistics` give to the gradient of
/// `values` from `first` on, `[rows, stride]`, before it is multiplied by the
/// scale of dropout. `row` holds a row of features.
#[inline(always)]
pub(super) fn add_gradient<S: Lanes, C: Cells>(
    s: S,
    task: &Task,
    statistics: &[f32],
    d_out: Head,
    first: usize,
    row: &mut [f32],
    (values, stride): (&mut [f32], usize),
) {
    let weight = 1.0 / d_out.length as f32;
    let row = &mut row[..task.shape.head_dim];
    for (query, statistic) in statistics.iter().enumerate() {
        if *statistic == f32::INFINITY {
            C::widen(s, d_out.row(query), row);
            for (i, values) in values.chunks_exact_mut(stride).enumerate() {
                if keeps(task.inputs.dropout, task, query, first + i) {
                    for (value, gradient) in values.iter_mut().zip(&*row) {
                        *value += weight * gradient;
                    }
                }
            }
        }
    }
}
