//! The cache of keys and values.
//!
//! Both are kept in the layout of weights (see [`crate::matrix`]), so that the
//! products of attention are the tiles of every other product:
//! - keys, for the scores: positions are the rows (32 a block), `head_dim` the
//!   columns;
//! - values, for the output: `head_dim` are the rows, positions the columns.
//!
//! Each position has a scale for its key and one for its value, of bf16.
//!
//! A step reads the caches of all sequences, and adds a position to each. So their
//! memory is cut into stripes of positions, a large page or more each: in a stripe
//! comes one head after the other, in it the keys of all sequences, then their
//! values, then their scales. What one task reads of a stripe lies together, and
//! positions that no sequence has reached take no memory.

use crate::attention::Prefix;
use crate::elements::{Bf16, Element, F32, Int8Fine, Line, inverse, put_row};
use crate::lanes::{Lanes, WIDTH};
use crate::matrix::WeightFormat;
use crate::memory::{PAGE, Pool, Striped, Zero, bytes_of};
use crate::team::Team;
use crate::tile::BLOCK;
use std::ops::Range;

/// The keys and values of one head of one layer of one sequence.
pub struct HeadCache(pub(crate) Store);

/// What caches are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheShape {
    /// Sequences that are decoded together.
    pub sequences: usize,
    /// Heads of all layers.
    pub heads: usize,
    /// Features of a head.
    pub head_dim: usize,
    /// Positions of a sequence.
    pub capacity: usize,
    /// Positions of a stripe, rounded up to 32 times a power of two; 0 for what is
    /// fastest: as many as fill a large page, but not few.
    pub stripe: usize,
}

pub(crate) enum Store {
    F32(Head<F32>),
    Bf16(Head<Bf16>),
    Int8(Head<Int8Fine>),
}

pub(crate) struct Head<E: Element> {
    /// Of a stripe: `[stripe / 32, groups of head_dim]`.
    keys: Striped<[E::Line; 2]>,
    /// For each 32 features, of a stripe: `[groups of the stripe]`.
    values: Vec<Striped<[E::Line; 2]>>,
    /// Of a stripe: `[stripe / 16]`.
    scales: Striped<Scales>,
    /// Of the keys of a stripe, see [`Element::value`]: `[stripe / 16]`.
    middles: Striped<Middles>,
    /// Positions of a stripe, as a power of two: whole blocks.
    shift: u32,
    /// Groups of `head_dim`.
    key_groups: usize,
}

/// An element that a cache can be made of. Both functions panic for a cache of
/// another.
pub(crate) trait Cached: Element {
    fn head(cache: &HeadCache) -> &Head<Self>;
    fn head_mut(cache: &mut HeadCache) -> &mut Head<Self>;
}

macro_rules! cached {
    ($($store:ident $element:ident;)*) => {$(
        impl Cached for $element {
            fn head(cache: &HeadCache) -> &Head<Self> {
                match &cache.0 {
                    Store::$store(head) => head,
                    _ => panic!("caches of unequal format"),
                }
            }
            fn head_mut(cache: &mut HeadCache) -> &mut Head<Self> {
                match &mut cache.0 {
                    Store::$store(head) => head,
                    _ => panic!("caches of unequal format"),
                }
            }
        }
    )*};
}

cached!(F32 F32; Bf16 Bf16; Int8 Int8Fine;);

/// The scales of sixteen positions, each two of bf16 in a word.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Scales {
    pub(crate) keys: [u32; WIDTH / 2],
    pub(crate) values: [u32; WIDTH / 2],
}

/// One number a position.
pub(crate) type Middles = Line<[i32; WIDTH]>;

// SAFETY: numbers, aligned to 64.
unsafe impl Zero for Scales {}

impl HeadCache {
    /// Caches `[sequences, heads]`, kept as weights of `format` are, in memory that
    /// `team` has taken.
    pub fn all(team: &mut Team, format: WeightFormat, shape: CacheShape) -> Vec<Self> {
        let pool = team.pool();
        match format {
            WeightFormat::F32 => all(pool, shape, Store::F32),
            WeightFormat::Bf16 => all(pool, shape, Store::Bf16),
            WeightFormat::Int8 => all(pool, shape, Store::Int8),
        }
    }

    /// How keys and values are kept.
    pub fn format(&self) -> WeightFormat {
        match &self.0 {
            Store::F32(_) => WeightFormat::F32,
            Store::Bf16(_) => WeightFormat::Bf16,
            Store::Int8(_) => WeightFormat::Int8,
        }
    }

    /// Takes over positions of `other`, which has the same shape and format; the
    /// first is a multiple of [`Prefix::STEP`](crate::attention::Prefix::STEP).
    pub fn copy_from(&mut self, other: &Self, positions: Range<usize>) {
        let step = Prefix::STEP;
        assert!(positions.start.is_multiple_of(step), "not whole blocks");
        match (&mut self.0, &other.0) {
            (Store::F32(to), Store::F32(from)) => to.copy_from(from, positions),
            (Store::Bf16(to), Store::Bf16(from)) => to.copy_from(from, positions),
            (Store::Int8(to), Store::Int8(from)) => to.copy_from(from, positions),
            _ => panic!("caches of unequal format"),
        }
    }
}

/// Blocks of a stripe at least: in shorter ones memory is read no faster, and each
/// takes its time to begin.
const FEWEST: usize = 4;

/// Cuts the caches of all sequences and heads out of stripes.
fn all<E: Element>(
    pool: &mut Pool,
    shape: CacheShape,
    store: impl Fn(Head<E>) -> Store,
) -> Vec<HeadCache> {
    let CacheShape {
        sequences,
        heads,
        head_dim,
        capacity,
        stripe,
    } = shape;
    let (key_groups, parts) = (head_dim.div_ceil(E::GROUP), head_dim.div_ceil(BLOCK));
    let bytes = |blocks: usize| {
        let keys = bytes_of::<[E::Line; 2]>(blocks * key_groups);
        let values = bytes_of::<[E::Line; 2]>(blocks * BLOCK / E::GROUP);
        let lines = blocks * BLOCK / WIDTH;
        let scales = bytes_of::<Scales>(lines) + bytes_of::<Middles>(lines);
        sequences * heads * (keys + parts * values + scales)
    };
    let total = capacity.div_ceil(BLOCK).max(1);
    let blocks = match stripe {
        0 => (PAGE / bytes(1).max(1)).max(FEWEST),
        stripe => stripe.div_ceil(BLOCK),
    };
    let blocks = blocks.clamp(1, total).next_power_of_two();
    let mut stripes = pool.stripes(total.div_ceil(blocks), bytes(blocks));
    let mut caches: Vec<Vec<HeadCache>> = (0..sequences).map(|_| Vec::new()).collect();
    for _ in 0..heads {
        let mut each = |len: usize| -> Vec<Striped<[E::Line; 2]>> {
            (0..sequences).map(|_| stripes.take(len)).collect()
        };
        let keys = each(blocks * key_groups);
        let mut values: Vec<_> = (0..parts)
            .map(|_| each(blocks * BLOCK / E::GROUP).into_iter())
            .collect();
        for (caches, keys) in caches.iter_mut().zip(keys) {
            caches.push(HeadCache(store(Head {
                keys,
                values: values.iter_mut().filter_map(Iterator::next).collect(),
                scales: stripes.take(blocks * BLOCK / WIDTH),
                middles: stripes.take(blocks * BLOCK / WIDTH),
                shift: (blocks * BLOCK).ilog2(),
                key_groups,
            })));
        }
    }
    caches.into_iter().flatten().collect()
}

impl<E: Element> Head<E> {
    /// The stripe of a position, and the place there.
    #[inline(always)]
    fn place(&self, position: usize) -> (usize, usize) {
        let stripe = position >> self.shift;
        (stripe, position - self.start(stripe))
    }

    /// The first position of a stripe.
    #[inline(always)]
    pub(crate) fn start(&self, stripe: usize) -> usize {
        stripe << self.shift
    }

    /// The stripes of some positions.
    #[inline(always)]
    pub(crate) fn stripes(&self, positions: &Range<usize>) -> Range<usize> {
        let Range { start, end } = *positions;
        start >> self.shift..(end + self.start(1) - 1) >> self.shift
    }

    /// Groups of keys of positions of a stripe, whole blocks.
    #[inline(always)]
    pub(crate) fn keys(&self, stripe: usize, positions: &Range<usize>) -> &[[E::Line; 2]] {
        let blocks = positions.start / BLOCK..positions.end.div_ceil(BLOCK);
        &self.keys.get(stripe)[blocks.start * self.key_groups..blocks.end * self.key_groups]
    }

    /// Groups of values of positions of a stripe: `block` counts 32 features each.
    #[inline(always)]
    pub(crate) fn values(
        &self,
        block: usize,
        stripe: usize,
        positions: &Range<usize>,
    ) -> &[[E::Line; 2]] {
        let groups = positions.start / E::GROUP..positions.end.div_ceil(E::GROUP);
        &self.values[block].get(stripe)[groups]
    }

    /// Scales of positions of a stripe.
    #[inline(always)]
    pub(crate) fn scales(&self, stripe: usize, positions: &Range<usize>) -> &[Scales] {
        &self.scales.get(stripe)[positions.start / WIDTH..positions.end.div_ceil(WIDTH)]
    }

    /// Middles of positions of a stripe.
    #[inline(always)]
    pub(crate) fn middles(&self, stripe: usize, positions: &Range<usize>) -> &[Middles] {
        &self.middles.get(stripe)[positions.start / WIDTH..positions.end.div_ceil(WIDTH)]
    }

    /// Block by block: the stripes of the two may be of unequal length.
    fn copy_from(&mut self, other: &Self, positions: Range<usize>) {
        for position in positions.step_by(BLOCK) {
            let (to, at) = self.place(position);
            let (from, theirs) = other.place(position);
            let block = theirs..theirs + BLOCK;
            let keys = other.keys(from, &block);
            copy(&mut self.keys.get_mut(to)[at / BLOCK * keys.len()..], keys);
            for (index, values) in self.values.iter_mut().enumerate() {
                let others = other.values(index, from, &block);
                copy(&mut values.get_mut(to)[at / E::GROUP..], others);
            }
            let scales = other.scales(from, &block);
            copy(&mut self.scales.get_mut(to)[at / WIDTH..], scales);
            let middles = other.middles(from, &block);
            copy(&mut self.middles.get_mut(to)[at / WIDTH..], middles);
        }
    }

    /// Asks for what [`append`](Self::append) will write.
    #[inline(always)]
    pub(crate) fn ask<S: Lanes>(&self, s: S, position: usize) {
        let (stripe, at) = self.place(position);
        let half = at % BLOCK / WIDTH;
        for lines in self.keys(stripe, &(at..at + 1)) {
            s.prefetch(&raw const lines[half]);
        }
        for values in &self.values {
            let [first, second] = &values.get(stripe)[at / E::GROUP];
            s.prefetch(first);
            s.prefetch(second);
        }
    }

    /// Puts a key and a value, f32 `[head_dim]`, at a position.
    #[inline(always)]
    pub(crate) fn append<S: Lanes>(&mut self, s: S, position: usize, key: &[f32], value: &[f32]) {
        let (stripe, at) = self.place(position);
        let (half, lane) = (at % BLOCK / WIDTH, at % WIDTH);
        let groups = self.key_groups;
        let lines = &mut self.keys.get_mut(stripe)[at / BLOCK * groups..][..groups];
        let scales = &mut self.scales.get_mut(stripe)[at / WIDTH];
        let scale = put_scale(&mut scales.keys, lane, E::scale(s, key));
        let middles = &mut self.middles.get_mut(stripe)[at / WIDTH].0;
        let middle = |_, middle| {
            if E::has_middles::<S>() {
                middles[lane] = middle;
            }
        };
        put_row::<S, E>(s, lines, half, lane, key, scale, middle);
        let scale = put_scale(&mut scales.values, lane, E::scale(s, value));
        let (group, column) = (at / E::GROUP, at % E::GROUP);
        for (i, features) in value.chunks(WIDTH).enumerate() {
            let mut lanes = [0.0; WIDTH];
            lanes[..features.len()].copy_from_slice(features);
            let line = &mut self.values[i / 2].get_mut(stripe)[group][i % 2];
            E::put_column(s, line, column, &lanes, inverse(scale));
        }
    }
}

/// Puts a scale in its place and gives what it has become: the next bf16 that is not smaller,
/// so that integers stay in their range.
#[inline(always)]
fn put_scale(scales: &mut [u32; WIDTH / 2], lane: usize, scale: f32) -> f32 {
    const LARGEST: u32 = 0x7f7f;
    let bits = (scale.to_bits().saturating_add(0xffff) >> 16).min(LARGEST);
    let (word, shift) = (&mut scales[lane / 2], 16 * (lane % 2));
    *word = *word & !(0xffff << shift) | bits << shift;
    f32::from_bits(bits << 16)
}

/// Makes `from` the first values of `to`.
fn copy<T: Copy>(to: &mut [T], from: &[T]) {
    to[..from.len()].copy_from_slice(from);
}
