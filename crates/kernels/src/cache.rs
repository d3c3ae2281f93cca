//! The cache of keys and values.
//!
//! Both are kept in the layout of weights (see [`crate::matrix`]), so that the
//! products of attention are the tiles of every other product:
//! - keys, for the scores: positions are the rows (32 a block), `head_dim` the
//!   columns;
//! - values, for the output: `head_dim` are the rows, positions the columns.
//!
//! Each position has a scale for its key and one for its value.

use crate::attention::Prefix;
use crate::elements::{Bf16, Element, F32, Int8Fine, inverse, put_row};
use crate::lanes::{Lanes, WIDTH};
use crate::matrix::WeightFormat;
use crate::memory::{Piece, Pool, Zero};
use crate::team::Team;
use crate::tile::BLOCK;
use std::ops::Range;

/// The keys and values of one head of one layer of one sequence.
pub struct HeadCache(pub(crate) Store);

pub(crate) enum Store {
    F32(Head<F32>),
    Bf16(Head<Bf16>),
    Int8(Head<Int8Fine>),
}

pub(crate) struct Head<E: Element> {
    /// `[capacity / 32, groups of head_dim]`.
    pub(crate) keys: Piece<[E::Line; 2]>,
    /// `[head_dim / 32, groups of capacity]`.
    pub(crate) values: Piece<[E::Line; 2]>,
    /// `[capacity / 16]`.
    pub(crate) scales: Piece<Scales>,
    /// Groups of `head_dim`.
    pub(crate) key_groups: usize,
    /// Groups of the capacity.
    pub(crate) value_groups: usize,
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

/// What belongs to the keys and values of sixteen positions, in formats with
/// scales.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Scales {
    /// Of keys; see [`Element::value`].
    pub(crate) offsets: [i32; WIDTH],
    pub(crate) keys: [f32; WIDTH],
    pub(crate) values: [f32; WIDTH],
}

// SAFETY: numbers, aligned to 64.
unsafe impl Zero for Scales {}

impl HeadCache {
    /// Room for `capacity` positions, kept as weights of `format` are, in memory
    /// that `team` has taken.
    pub fn new(team: &mut Team, format: WeightFormat, head_dim: usize, capacity: usize) -> Self {
        let pool = team.pool();
        Self(match format {
            WeightFormat::F32 => Store::F32(Head::new(pool, head_dim, capacity)),
            WeightFormat::Bf16 => Store::Bf16(Head::new(pool, head_dim, capacity)),
            WeightFormat::Int8 => Store::Int8(Head::new(pool, head_dim, capacity)),
        })
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

impl<E: Element> Head<E> {
    fn new(pool: &mut Pool, head_dim: usize, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(BLOCK);
        let key_groups = head_dim.div_ceil(E::GROUP);
        let value_groups = capacity.div_ceil(E::GROUP);
        Self {
            keys: pool.take(capacity / BLOCK * key_groups),
            values: pool.take(head_dim.div_ceil(BLOCK) * value_groups),
            scales: pool.take(capacity / WIDTH),
            key_groups,
            value_groups,
        }
    }

    fn copy_from(&mut self, other: &Self, positions: Range<usize>) {
        let Range { start, end } = positions;
        let keys = start / BLOCK * self.key_groups..end.div_ceil(BLOCK) * self.key_groups;
        self.keys[keys.clone()].copy_from_slice(&other.keys[keys]);
        let groups = start / E::GROUP..end.div_ceil(E::GROUP);
        let blocks = self.values.chunks_mut(self.value_groups);
        for (to, from) in blocks.zip(other.values.chunks(other.value_groups)) {
            to[groups.clone()].copy_from_slice(&from[groups.clone()]);
        }
        let lines = start / WIDTH..end.div_ceil(WIDTH);
        self.scales[lines.clone()].copy_from_slice(&other.scales[lines]);
    }

    /// Asks for what [`append`](Self::append) will write.
    #[inline(always)]
    pub(crate) fn ask<S: Lanes>(&self, s: S, position: usize) {
        let half = position % BLOCK / WIDTH;
        let keys = &self.keys[position / BLOCK * self.key_groups..][..self.key_groups];
        keys.iter()
            .for_each(|lines| s.prefetch(&raw const lines[half]));
        let values = self.values.chunks(self.value_groups);
        for [first, second] in values.map(|block| &block[position / E::GROUP]) {
            s.prefetch(first);
            s.prefetch(second);
        }
    }

    /// Puts a key and a value, f32 `[head_dim]`, at a position.
    #[inline(always)]
    pub(crate) fn append<S: Lanes>(&mut self, s: S, position: usize, key: &[f32], value: &[f32]) {
        let (half, lane) = (position % BLOCK / WIDTH, position % WIDTH);
        let lines = &mut self.keys[position / BLOCK * self.key_groups..][..self.key_groups];
        let scales = &mut self.scales[position / WIDTH];
        let offset = |_, offset| scales.offsets[lane] = offset;
        scales.keys[lane] = put_row::<S, E>(s, lines, half, lane, key, offset);
        let scale = E::scale(s, value);
        scales.values[lane] = scale;
        let (group, column) = (position / E::GROUP, position % E::GROUP);
        for (i, values) in value.chunks(WIDTH).enumerate() {
            let mut lanes = [0.0; WIDTH];
            lanes[..values.len()].copy_from_slice(values);
            let line = &mut self.values[i / 2 * self.value_groups + group][i % 2];
            E::put_column(line, column, &lanes, inverse(scale));
        }
    }
}
