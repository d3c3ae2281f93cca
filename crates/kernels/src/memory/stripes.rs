//! Memory for what grows bit by bit: caches, position after position.
//!
//! It is cut into stripes, so that what is written together lies together, and
//! stripes that nothing was written to take no place.

use super::{Chunk, Zero, bytes_of};
use std::ptr::NonNull;
use std::sync::Arc;

/// Stripes of memory one behind the other, each of which is cut in the same way:
/// what is cut off is a part of every stripe.
pub(crate) struct Stripes {
    pub(super) chunk: Arc<Chunk>,
    /// Where in the chunk the first begins.
    pub(super) start: usize,
    pub(super) count: usize,
    /// Of a stripe.
    pub(super) bytes: usize,
    /// Bytes of each stripe that are handed out.
    pub(super) used: usize,
}

impl Stripes {
    /// The next `len` values of each stripe, all zero: [`bytes_of`] so many.
    pub(crate) fn take<T: Zero>(&mut self, len: usize) -> Striped<T> {
        let start = self.start + self.used;
        self.used += bytes_of::<T>(len);
        assert!(self.used <= self.bytes, "stripes are too short");
        Striped {
            // SAFETY: inside the chunk's memory.
            start: unsafe { self.chunk.memory.add(start) }.cast(),
            step: self.bytes,
            count: self.count,
            len,
            _chunk: Arc::clone(&self.chunk),
        }
    }
}

/// A part of every stripe, handed out once.
pub(crate) struct Striped<T> {
    start: NonNull<T>,
    /// Bytes from a stripe to the next.
    step: usize,
    count: usize,
    len: usize,
    _chunk: Arc<Chunk>,
}

// SAFETY: it owns its values.
unsafe impl<T: Send> Send for Striped<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Striped<T> {}

impl<T> Striped<T> {
    /// Where the part of a stripe begins.
    #[inline(always)]
    fn place(&self, stripe: usize) -> NonNull<T> {
        assert!(stripe < self.count, "no such stripe");
        // SAFETY: a stripe of the chunk's memory.
        unsafe { self.start.byte_add(stripe * self.step) }
    }

    /// The part of a stripe.
    #[inline(always)]
    pub(crate) fn get(&self, stripe: usize) -> &[T] {
        // SAFETY: `len` values that this alone has, aligned to a cache line, zero
        // (a value, see `Zero`) or written since, in memory that the chunk keeps.
        unsafe { std::slice::from_raw_parts(self.place(stripe).as_ptr(), self.len) }
    }

    /// The part of a stripe, to write.
    #[inline(always)]
    pub(crate) fn get_mut(&mut self, stripe: usize) -> &mut [T] {
        // SAFETY: as for `get`.
        unsafe { std::slice::from_raw_parts_mut(self.place(stripe).as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ALIGN, Pool};
    use super::*;

    #[test]
    fn parts_of_stripes_are_zero_and_apart() {
        let mut pool = Pool::default();
        let bytes = bytes_of::<u32>(5) + 2 * bytes_of::<[u32; 2]>(20);
        let mut stripes = pool.stripes(3, bytes);
        let (mut few, many) = (stripes.take::<u32>(5), [20, 20]);
        let mut many = many.map(|len| stripes.take::<[u32; 2]>(len));
        drop((pool, stripes));
        for stripe in 0..3 {
            assert!(few.get(stripe).iter().all(|x| *x == 0));
            few.get_mut(stripe).fill(stripe as u32);
            for (index, part) in (1..).zip(&mut many) {
                assert_eq!(part.get(stripe).as_ptr() as usize % ALIGN, 0);
                assert_eq!(part.get(stripe), [[0; 2]; 20]);
                part.get_mut(stripe).fill([index, stripe as u32]);
            }
        }
        for stripe in 0..3 {
            assert_eq!(few.get(stripe), [stripe as u32; 5]);
            for (index, part) in (1..).zip(&many) {
                assert_eq!(part.get(stripe), [[index, stripe as u32]; 20]);
            }
        }
    }
}
