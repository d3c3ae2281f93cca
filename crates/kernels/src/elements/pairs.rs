//! Weights of bf16 by activations of bf16: products are exact in f32, in which they are
//! summed.
//!
//! Two columns of a row of weights are a word, and so are those of activations ([`Bf16`]),
//! as instructions take them that multiply both. Where there are none, both become f32 first.
//! To widen activations anew for each block of weights would be two instructions in nine of
//! what a product takes, so there they are kept as f32 ([`WideBf16`]), rounded to bf16 all the
//! same.

use super::{Element, Line, half_of};
use crate::lanes::{Lanes, Next, WIDTH, f32_to_bf16, load_part};
use crate::matrix::WeightFormat;

/// Weights of bf16 by activations that take so many words for two columns.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<const WORDS: usize>;

/// Both columns of activations in a word, the first one low.
pub type Bf16 = Pairs<1>;
/// Each column of activations as f32.
pub type WideBf16 = Pairs<2>;

impl<const WORDS: usize> Element for Pairs<WORDS> {
    type Line = Line<[u16; 32]>;
    type Group = [u32; WORDS];
    type Sum<S: Lanes> = S::F;
    const GROUP: usize = 2;
    const WORDS: usize = WORDS;
    const SCALED: bool = false;
    const FORMAT: WeightFormat = WeightFormat::Bf16;

    #[inline(always)]
    fn zero<S: Lanes>(s: S) -> S::F {
        s.splat(0.0)
    }
    #[inline(always)]
    fn dot<S: Lanes>(s: S, sum: S::F, line: &Self::Line, x: &[u32; WORDS]) -> S::F {
        match WORDS {
            1 => s.dot_bf16(sum, &line.0, x[0]),
            _ => s.dot_wide(sum, &line.0, &[x[0], x[WORDS - 1]]),
        }
    }
    #[inline(always)]
    fn four<S: Lanes>(
        s: S,
        lines: &[[Self::Line; 2]],
        half: usize,
        x: &[[u32; WORDS]],
        stride: usize,
        next: [Option<*const u32>; 2],
        sums: [S::F; 4],
    ) -> Option<[S::F; 4]> {
        let right = half_of(lines, half);
        match WORDS {
            1 => None,
            _ => s.multiply_four_wide(x.as_flattened(), WORDS * stride, right, next, sums),
        }
    }
    const TILED: bool = WORDS == 1;
    #[inline(always)]
    fn block<S: Lanes>(
        s: S,
        lines: &[[Self::Line; 2]],
        (x, stride): (&[[u32; WORDS]], usize),
        next: Next,
        go_on: bool,
        sums: &mut [[S::F; 2]],
    ) {
        let right = &half_of(lines, 0)[..2 * lines.len()];
        s.multiply_block_of_pairs((x.as_flattened(), stride), right, next, go_on, sums);
    }
    #[inline(always)]
    fn value<S: Lanes>(_: S, sum: S::F, _: &[i32; 16], _: i32) -> S::F {
        sum
    }
    #[inline(always)]
    fn convert<S: Lanes>(s: S, row: &[f32], words: &mut [u32]) -> f32 {
        let (lines, rest) = row.as_chunks::<WIDTH>();
        match WORDS {
            1 => {
                let halves = words.as_chunks_mut().0;
                for (out, line) in halves.iter_mut().zip(lines) {
                    s.narrow_line(s.load(line), out);
                }
            }
            _ => {
                let wholes = words.as_chunks_mut().0;
                for (out, line) in wholes.iter_mut().zip(lines) {
                    s.store_bits(s.round_to_bf16(s.load(line)), out);
                }
            }
        }
        if !rest.is_empty() {
            let (mut out, values) = ([0; WIDTH], load_part(s, rest));
            match WORDS {
                1 => s.narrow_line(values, &mut out.as_chunks_mut().0[0]),
                _ => s.store_bits(s.round_to_bf16(values), &mut out),
            }
            let from = lines.len() * WIDTH / Self::GROUP * WORDS;
            let words = &mut words[from..][..rest.len().div_ceil(Self::GROUP) * WORDS];
            words.copy_from_slice(&out[..words.len()]);
        }
        1.0
    }
    #[inline(always)]
    fn groups(words: &[u32]) -> &[[u32; WORDS]] {
        words.as_chunks().0
    }
    #[inline(always)]
    fn put_lane<S: Lanes>(
        s: S,
        lines: &mut [[Self::Line; 2]],
        half: usize,
        lane: usize,
        columns: &[f32],
        _: f32,
    ) -> i32 {
        let pairs = lines.chunks_mut(WIDTH / 2);
        for (lines, columns) in pairs.zip(columns.chunks(WIDTH)) {
            let mut words = [0; WIDTH / 2];
            s.narrow_line(load_part(s, columns), &mut words);
            for (line, word) in lines.iter_mut().zip(words) {
                line[half].0.as_chunks_mut().0[lane] = [word as u16, (word >> 16) as u16];
            }
        }
        0
    }
    #[inline(always)]
    fn put_column<S: Lanes>(
        _: S,
        line: &mut Self::Line,
        column: usize,
        lanes: &[f32; WIDTH],
        _: f32,
    ) {
        for (pair, x) in line.0.as_chunks_mut::<2>().0.iter_mut().zip(lanes) {
            pair[column] = f32_to_bf16(*x);
        }
    }
}
