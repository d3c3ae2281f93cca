//! The cache of keys and values.
//!
//! Both are kept in the layout of weights (see [`crate::matrix`]), so that the
//! products of attention are the tiles of every other product:
//! - keys, for the scores: positions are the rows (32 a block), `head_dim` the
//!   columns;
//! - values, for the output: `head_dim` are the rows, positions the columns.
//!
//! Each position has a scale for its key and one for its value.

use crate::elements::{Bf16, Element, F32, Int8, inverse, put_row};
use crate::matrix::WeightFormat;
use crate::memory::{Piece, Pool};
use crate::team::Team;
use crate::tile::BLOCK;

/// The keys and values of one head of one layer of one sequence.
pub struct HeadCache(pub(crate) Store);

pub(crate) enum Store {
    F32(Head<F32>),
    Bf16(Head<Bf16>),
    Int8(Head<Int8>),
}

pub(crate) struct Head<E: Element> {
    /// `[capacity / 32, groups of head_dim]`.
    pub(crate) keys: Piece<[E::Line; 2]>,
    /// `[head_dim / 32, groups of capacity]`.
    pub(crate) values: Piece<[E::Line; 2]>,
    /// One a position, in lines of sixteen; see [`Element::value`].
    pub(crate) key_offsets: Vec<[i32; 16]>,
    /// One a position, in lines of sixteen.
    pub(crate) key_scales: Vec<[f32; 16]>,
    /// One a position.
    pub(crate) value_scales: Vec<f32>,
    /// Groups of `head_dim`.
    pub(crate) key_groups: usize,
    /// Groups of the capacity.
    pub(crate) value_groups: usize,
}

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

    /// Takes over the first `positions` positions of `other`, which has the same
    /// shape and format.
    pub fn copy_from(&mut self, other: &Self, positions: usize) {
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
            key_offsets: vec![[0; 16]; capacity / 16],
            key_scales: vec![[1.0; 16]; capacity / 16],
            value_scales: vec![1.0; capacity],
            key_groups,
            value_groups,
        }
    }

    fn copy_from(&mut self, other: &Self, positions: usize) {
        let keys = positions.div_ceil(BLOCK) * self.key_groups;
        self.keys[..keys].copy_from_slice(&other.keys[..keys]);
        let groups = positions.div_ceil(E::GROUP);
        let blocks = self.values.chunks_mut(self.value_groups);
        for (to, from) in blocks.zip(other.values.chunks(other.value_groups)) {
            to[..groups].copy_from_slice(&from[..groups]);
        }
        let lines = positions.div_ceil(16);
        self.key_offsets[..lines].copy_from_slice(&other.key_offsets[..lines]);
        self.key_scales[..lines].copy_from_slice(&other.key_scales[..lines]);
        self.value_scales[..positions].copy_from_slice(&other.value_scales[..positions]);
    }

    #[inline(always)]
    pub(crate) fn append(&mut self, position: usize, key: &[f32], value: &[f32]) {
        let (half, lane) = (position % BLOCK / 16, position % 16);
        let lines = &mut self.keys[position / BLOCK * self.key_groups..][..self.key_groups];
        let (offset, scale) = put_row::<E>(lines, half, lane, key);
        self.key_offsets[position / 16][lane] = offset;
        self.key_scales[position / 16][lane] = scale;
        let scale = E::scale(value);
        self.value_scales[position] = scale;
        let (group, column) = (position / E::GROUP, position % E::GROUP);
        for (block, values) in value.chunks(BLOCK).enumerate() {
            let line = &mut self.values[block * self.value_groups + group];
            for (lane, value) in values.iter().enumerate() {
                let value = value * inverse(scale);
                E::put(&mut line[lane / 16], lane % 16, column, value);
            }
        }
    }
}
