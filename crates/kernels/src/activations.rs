//! Rows of activations in the form that a weight format multiplies.

use crate::elements::{Bf16, Element, F32, Int8, WideBf16};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::matrix::WeightFormat;
use crate::norm::layer_norm;
use crate::shared::SharedMut;
use crate::team::Team;
use crate::tile::BEHIND;

/// Up to `rows` rows of `columns` f32 values, kept as f32, as bf16 or as
/// integers with a scale, as the weights that they will meet ask for. All memory
/// is taken when it is made.
pub struct Activations {
    format: WeightFormat,
    columns: usize,
    /// Words in a row.
    stride: usize,
    words: Vec<u32>,
    /// One a piece of a row; 1 where the format has none.
    scales: Vec<f32>,
    /// Pieces of a row.
    pieces: usize,
    /// One row of f32 a thread.
    scratch: Vec<f32>,
}

impl Activations {
    /// Room for `rows` rows of `columns` values, to meet weights of `format`,
    /// converted by a team of at most `threads`.
    pub fn new(format: WeightFormat, rows: usize, columns: usize, threads: usize) -> Self {
        let (stride, pieces) = match format {
            WeightFormat::F32 => shape::<F32>(columns),
            // Room for either form: which one, the instruction set decides.
            WeightFormat::Bf16 => shape::<WideBf16>(columns),
            WeightFormat::Int8 => shape::<Int8>(columns),
        };
        Self {
            format,
            columns,
            stride,
            words: vec![0; (rows + BEHIND) * stride],
            scales: vec![1.0; rows * pieces],
            pieces,
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

    /// The scales of a row's pieces.
    #[inline(always)]
    pub(crate) fn scales(&self, row: usize) -> &[f32] {
        &self.scales[row * self.pieces..][..self.pieces]
    }
}

/// Rows of f32 values and the activations that they become.
pub struct Conversion<'a> {
    /// f32 `[rows, columns]`.
    pub x: &'a [f32],
    /// Weight and bias, f32 `[columns]` each, of a layer norm that comes first.
    pub norm: Option<(&'a [f32], &'a [f32])>,
    /// Of as many columns, with room for as many rows.
    pub out: &'a mut Activations,
}

impl<'a> Conversion<'a> {
    /// Of rows as they are.
    pub fn plain(x: &'a [f32], out: &'a mut Activations) -> Self {
        Self { x, norm: None, out }
    }
}

/// Converts, all in one phase of the team. Panics where shapes do not fit or the
/// numbers of rows are unequal.
pub fn convert<const N: usize>(team: &mut Team, conversions: [Conversion; N]) {
    let rows = |conversion: &Conversion| {
        let columns = conversion.out.columns;
        assert!(
            columns > 0 && conversion.x.len().is_multiple_of(columns),
            "x is not whole rows"
        );
        conversion.x.len() / columns
    };
    let count = conversions.first().map_or(0, rows);
    assert!(
        conversions
            .iter()
            .all(|conversion| rows(conversion) == count),
        "unequal numbers of rows"
    );
    let shared = conversions.map(|Conversion { x, norm, out }| {
        let shape = (out.format, out.columns, out.stride, out.pieces);
        let words = SharedMut::new(&mut out.words);
        let scales = SharedMut::new(&mut out.scales);
        let scratch = SharedMut::new(&mut out.scratch);
        (x, norm, shape, words, scales, scratch)
    });
    let isa = team.isa();
    team.run(count, &|thread, row| {
        for (x, norm, shape, words, scales, scratch) in &shared {
            let (format, columns, stride, pieces) = *shape;
            // SAFETY: one task a row, and no two tasks with one thread's index
            // run at the same time.
            let (words, scales, normed) = unsafe {
                (
                    words.part(row * stride, stride),
                    scales.part(row * pieces, pieces),
                    scratch.part(thread * columns, columns),
                )
            };
            isa.run(ConvertRow {
                format,
                x: &x[row * columns..][..columns],
                norm: *norm,
                normed,
                words,
                scales,
            });
        }
    });
}

/// Words and pieces of a row. A cache line more than it needs: rows a power of
/// two apart would fall on the same few places of the processor's cache and drive
/// each other out.
fn shape<E: Element>(columns: usize) -> (usize, usize) {
    let words = columns.div_ceil(E::GROUP) * E::WORDS;
    (words.next_multiple_of(16) + 16, columns.div_ceil(E::PIECE))
}

struct ConvertRow<'a> {
    format: WeightFormat,
    x: &'a [f32],
    norm: Option<(&'a [f32], &'a [f32])>,
    normed: &'a mut [f32],
    words: &'a mut [u32],
    scales: &'a mut [f32],
}

impl Kernel for ConvertRow<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) {
        let x = match self.norm {
            Some((weight, bias)) => {
                layer_norm(s, self.x, weight, bias, self.normed);
                self.normed
            }
            None => self.x,
        };
        match self.format {
            WeightFormat::F32 => pieces::<S, F32>(s, x, self.words, self.scales),
            WeightFormat::Bf16 if S::WIDE => pieces::<S, WideBf16>(s, x, self.words, self.scales),
            WeightFormat::Bf16 => pieces::<S, Bf16>(s, x, self.words, self.scales),
            WeightFormat::Int8 => pieces::<S, Int8>(s, x, self.words, self.scales),
        }
    }
}

/// Converts a row piece by piece.
#[inline(always)]
fn pieces<S: Lanes, E: Element>(s: S, x: &[f32], words: &mut [u32], scales: &mut [f32]) {
    let words = words.chunks_mut(E::PIECE.div_ceil(E::GROUP).saturating_mul(E::WORDS));
    for ((x, words), scale) in x.chunks(E::PIECE).zip(words).zip(scales) {
        *scale = E::convert(s, x, words);
    }
}
