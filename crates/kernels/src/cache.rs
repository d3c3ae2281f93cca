//! The cache of keys and values.
//!
//! Both are kept in the layout of weights (see [`crate::matrix`]), so that the
//! products of attention are the tiles of every other product:
//! - keys, for the scores: positions are the rows (32 a block), `head_dim` the
//!   columns;
//! - values, for the output: `head_dim` are the rows, positions the columns.

use crate::elements::{Bf16, Direct, Element, F32};
use crate::matrix::WeightFormat;
use crate::tile::BLOCK;

/// The keys and values of one head of one layer of one sequence.
pub struct HeadCache(pub(crate) Store);

pub(crate) enum Store {
    F32(Head<F32>),
    Bf16(Head<Bf16>),
}

pub(crate) struct Head<E: Element> {
    /// `[capacity / 32, groups of head_dim]`.
    pub(crate) keys: Vec<[E::Line; 2]>,
    /// `[head_dim / 32, groups of capacity]`.
    pub(crate) values: Vec<[E::Line; 2]>,
    /// Groups of `head_dim`.
    pub(crate) key_groups: usize,
    /// Groups of the capacity.
    pub(crate) value_groups: usize,
}

impl HeadCache {
    /// Room for `capacity` positions, kept in f32 beside f32 weights and in bf16
    /// beside the others.
    pub fn new(format: WeightFormat, head_dim: usize, capacity: usize) -> Self {
        Self(match format {
            WeightFormat::F32 => Store::F32(Head::new(head_dim, capacity)),
            WeightFormat::Bf16 | WeightFormat::Int8 => Store::Bf16(Head::new(head_dim, capacity)),
        })
    }

    /// Takes over the first `positions` positions of `other`, which has the same
    /// shape and format.
    pub fn copy_from(&mut self, other: &Self, positions: usize) {
        match (&mut self.0, &other.0) {
            (Store::F32(to), Store::F32(from)) => to.copy_from(from, positions),
            (Store::Bf16(to), Store::Bf16(from)) => to.copy_from(from, positions),
            _ => panic!("caches of unequal format"),
        }
    }
}

impl<E: Direct> Head<E> {
    fn new(head_dim: usize, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(BLOCK);
        let key_groups = head_dim.div_ceil(E::GROUP);
        let value_groups = capacity.div_ceil(E::GROUP);
        Self {
            keys: vec![[E::ZERO; 2]; capacity / BLOCK * key_groups],
            values: vec![[E::ZERO; 2]; head_dim.div_ceil(BLOCK) * value_groups],
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
    }

    pub(crate) fn append(&mut self, position: usize, key: &[f32], value: &[f32]) {
        let (half, lane) = (position % BLOCK / 16, position % 16);
        let lines = &mut self.keys[position / BLOCK * self.key_groups..][..self.key_groups];
        for (line, key) in lines.iter_mut().zip(key.chunks(E::GROUP)) {
            for (column, key) in key.iter().enumerate() {
                E::put(&mut line[half], lane, column, *key);
            }
        }
        let (group, column) = (position / E::GROUP, position % E::GROUP);
        for (block, values) in value.chunks(BLOCK).enumerate() {
            let line = &mut self.values[block * self.value_groups + group];
            for (lane, value) in values.iter().enumerate() {
                E::put(&mut line[lane / 16], lane % 16, column, *value);
            }
        }
    }
}
