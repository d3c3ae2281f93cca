//! Scratch memory that begins on a cache line.

use std::ops::{Deref, DerefMut};

const LINE: usize = 64;

/// A slice that is allocated once and begins at a multiple of 64 bytes: a line
/// of sixteen lanes that straddles two cache lines costs two loads.
pub(crate) struct Buffer<T> {
    values: Vec<T>,
    offset: usize,
    len: usize,
}

impl<T: Copy + Default> Buffer<T> {
    pub(crate) fn new(len: usize) -> Self {
        let values = vec![T::default(); len + LINE / size_of::<T>()];
        // The allocation never grows, so it does not move.
        let offset = values.as_ptr().align_offset(LINE).min(values.len() - len);
        Self {
            values,
            offset,
            len,
        }
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        &self.values[self.offset..][..self.len]
    }
}

impl<T> DerefMut for Buffer<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[self.offset..][..self.len]
    }
}
