//! Memory for what every step reads whole: weights, caches, parameters and all
//! that belongs to them.
//!
//! It is taken in large chunks that ask the system for pages of 2 MB (on Linux, by
//! `madvise`). With pages of 4 KB a processor spends a good part of such reading on
//! looking pages up, in a virtual machine up to half of it. Chunks are handed out
//! in pieces of any size, so small matrices share pages. Memory that no piece has
//! written yet takes no place; what is written bit by bit is cut into [`Stripes`],
//! so that what is written together lies together.

mod stripes;

pub(crate) use stripes::{Striped, Stripes};

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// Bytes of a large page.
pub(crate) const PAGE: usize = 2 << 20;
/// Bytes of a chunk, at least, where pages come when they are written.
const CHUNK: usize = if cfg!(target_os = "linux") {
    64 << 20
} else {
    0
};
/// Pieces begin with a cache line.
const ALIGN: usize = 64;

/// Types of which zeros are a value.
///
/// # Safety
/// All bits zero have to be a valid value, no byte may be padding, and the alignment
/// is at most 64.
pub(crate) unsafe trait Zero: Copy + Send + Sync + 'static {}
// SAFETY: a number.
unsafe impl Zero for f32 {}
// SAFETY: a number.
unsafe impl Zero for u32 {}
// SAFETY: arrays of numbers.
unsafe impl<T: Zero> Zero for [T; 2] {}

/// Asks for large pages for memory that begins with one.
fn advise(start: *const u8, bytes: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: the advice changes no contents. Without the pages everything works
    // too, so failure is none.
    unsafe {
        libc::madvise(start.cast_mut().cast(), bytes, libc::MADV_HUGEPAGE);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, bytes);
}

/// A chunk: raw bytes that live as long as a piece of them.
struct Chunk {
    memory: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it is only memory; pieces say who reads and writes it.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

impl Chunk {
    /// Room for `bytes` zeroed bytes, and where they begin.
    fn new(bytes: usize) -> (Self, usize) {
        // A larger alignment would have the allocator write the zeros itself,
        // and so take small pages before they can be asked to be large.
        let layout = Layout::from_size_align(bytes + PAGE, 16);
        let Ok(layout) = layout else {
            panic!("{bytes} bytes of memory are too many");
        };
        // SAFETY: the layout is not empty.
        let Some(memory) = NonNull::new(unsafe { alloc_zeroed(layout) }) else {
            handle_alloc_error(layout)
        };
        let start = PAGE - memory.addr().get() % PAGE;
        advise(memory.as_ptr().wrapping_add(start), bytes);
        (Self { memory, layout }, start)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: taken with this layout, and no piece is left.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) }
    }
}

/// Hands out pieces. Memory is given back when no piece of a chunk is left.
#[derive(Default)]
pub struct Pool {
    chunk: Option<Arc<Chunk>>,
    /// The part of the chunk that is not handed out yet.
    free: std::ops::Range<usize>,
}

impl Pool {
    /// `len` zeros.
    pub fn zeros(&mut self, len: usize) -> Piece<f32> {
        self.take(len)
    }

    /// A copy of `values`.
    pub fn copied(&mut self, values: &[f32]) -> Piece<f32> {
        let mut copy = self.zeros(values.len());
        copy.copy_from_slice(values);
        copy
    }

    /// `len` values, all zero.
    pub(crate) fn take<T: Zero>(&mut self, len: usize) -> Piece<T> {
        Piece(self.stripes(1, bytes_of::<T>(len)).take(len))
    }

    /// `count` stripes of `bytes` bytes each, a multiple of a cache line.
    pub(crate) fn stripes(&mut self, count: usize, bytes: usize) -> Stripes {
        let all = bytes_of::<u8>(count.saturating_mul(bytes));
        let chunk = match &self.chunk {
            Some(chunk) if all <= self.free.len() => Arc::clone(chunk),
            _ => {
                let size = all.max(CHUNK);
                let (chunk, start) = Chunk::new(size);
                self.free = start..start + size;
                Arc::clone(self.chunk.insert(Arc::new(chunk)))
            }
        };
        let start = self.free.start;
        self.free.start += all;
        Stripes {
            chunk,
            start,
            count,
            bytes,
            used: 0,
        }
    }
}

/// Bytes of `len` values, in whole cache lines.
pub(crate) fn bytes_of<T>(len: usize) -> usize {
    let bytes = len
        .checked_mul(size_of::<T>())
        .and_then(|bytes| bytes.checked_next_multiple_of(ALIGN))
        .filter(|bytes| *bytes < isize::MAX as usize - 2 * PAGE);
    let Some(bytes) = bytes else {
        panic!("{len} values are too many for memory");
    };
    bytes
}

/// Values in a [`Pool`]'s memory: a part of a chunk, handed out once.
pub struct Piece<T>(Striped<T>);

impl<T> Deref for Piece<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        self.0.get(0)
    }
}

impl<T> DerefMut for Piece<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.get_mut(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_zero_apart_and_outlive_their_pool() {
        let mut pool = Pool::default();
        let mut pieces: Vec<Piece<u32>> =
            [1, 0, 17, 1000, 20 << 20, 3].map(|n| pool.take(n)).into();
        drop(pool);
        for (index, piece) in (1..).zip(&mut pieces) {
            assert_eq!(piece.as_ptr() as usize % ALIGN, 0);
            assert!(piece.iter().all(|x| *x == 0));
            piece.fill(index);
        }
        pieces.remove(3);
        for (piece, (index, len)) in
            pieces
                .iter()
                .zip([(1, 1), (2, 0), (3, 17), (5, 20 << 20), (6, 3)])
        {
            assert_eq!(piece.len(), len);
            assert!(piece.iter().all(|x| *x == index));
        }
    }
}
