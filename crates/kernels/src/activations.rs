//! Rows of activations in the form that a weight format multiplies.

use crate::elements::{Bf16, Element, F32, Int8};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::matrix::WeightFormat;
use crate::norm::layer_norm;
use crate::shared::SharedMut;
use crate::team::Team;

/// Up to `rows` rows of `columns` f32 values, kept as f32, as bf16 pairs or as
/// integers with a scale, as the weights that they will meet ask for. All memory
/// is taken when it is made.
pub struct Activations {
    format: WeightFormat,
    columns: usize,
    /// Words in a row.
    stride: usize,
    words: Vec<u32>,
    /// One a row; 1 where the format has none.
    scales: Vec<f32>,
    /// One row of f32 a thread.
    scratch: Vec<f32>,
}

impl Activations {
    /// Room for `rows` rows of `columns` values, to meet weights of `format`,
    /// converted by a team of at most `threads`.
    pub fn new(format: WeightFormat, rows: usize, columns: usize, threads: usize) -> Self {
        let stride = match format {
            WeightFormat::F32 => stride::<F32>(columns),
            WeightFormat::Bf16 => stride::<Bf16>(columns),
            WeightFormat::Int8 => stride::<Int8>(columns),
        };
        Self {
            format,
            columns,
            stride,
            words: vec![0; rows * stride],
            scales: vec![1.0; rows],
            scratch: vec![0.0; threads * columns],
        }
    }

    /// Values in a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn format(&self) -> WeightFormat {
        self.format
    }

    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    pub(crate) fn words(&self) -> &[u32] {
        &self.words
    }

    pub(crate) fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// Converts the rows of `x`, f32 `[rows, columns]`.
    pub fn convert(&mut self, team: &mut Team, x: &[f32]) {
        self.fill(team, x, None);
    }

    /// Layer norm of the rows of `x`, f32 `[rows, columns]`, with `weight` and
    /// `bias` of `columns` values.
    pub fn norm(&mut self, team: &mut Team, x: &[f32], weight: &[f32], bias: &[f32]) {
        self.fill(team, x, Some((weight, bias)));
    }

    fn fill(&mut self, team: &mut Team, x: &[f32], norm: Option<(&[f32], &[f32])>) {
        let (format, columns, stride) = (self.format, self.columns, self.stride);
        assert!(
            columns > 0 && x.len().is_multiple_of(columns),
            "x is not whole rows"
        );
        let isa = team.isa();
        let words = SharedMut::new(&mut self.words);
        let scales = SharedMut::new(&mut self.scales);
        let scratch = SharedMut::new(&mut self.scratch);
        team.run(x.len() / columns, &|thread, row| {
            // SAFETY: one task a row, and no two tasks with one thread's index
            // run at the same time.
            let (words, scale, normed) = unsafe {
                (
                    words.part(row * stride, stride),
                    scales.part(row, 1),
                    scratch.part(thread * columns, columns),
                )
            };
            let x = &x[row * columns..][..columns];
            scale[0] = isa.run(FillRow {
                format,
                x,
                norm,
                normed,
                words,
            });
        });
    }
}

/// Words in a row, and a cache line more: rows a power of two apart would fall on
/// the same few places of the processor's cache and drive each other out.
fn stride<E: Element>(columns: usize) -> usize {
    (columns.div_ceil(E::GROUP) * E::WORDS).next_multiple_of(16) + 16
}

struct FillRow<'a> {
    format: WeightFormat,
    x: &'a [f32],
    norm: Option<(&'a [f32], &'a [f32])>,
    normed: &'a mut [f32],
    words: &'a mut [u32],
}

impl Kernel for FillRow<'_> {
    type Output = f32;
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> f32 {
        let x = match self.norm {
            Some((weight, bias)) => {
                layer_norm(s, self.x, weight, bias, self.normed);
                self.normed
            }
            None => self.x,
        };
        match self.format {
            WeightFormat::F32 => F32::convert(s, x, self.words),
            WeightFormat::Bf16 => Bf16::convert(s, x, self.words),
            WeightFormat::Int8 => Int8::convert(s, x, self.words),
        }
    }
}
