//! A mutable slice that several threads write in disjoint parts.

use crate::lanes::Lanes;
use std::marker::PhantomData;

/// A `&mut [T]` whose parts are handed out by index.
pub(crate) struct SharedMut<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: it stands for a `&mut [T]`; `part` says who may write what.
unsafe impl<T: Send> Send for SharedMut<'_, T> {}
// SAFETY: as above; nothing can be read or written without `part`.
unsafe impl<T: Send> Sync for SharedMut<'_, T> {}

impl<'a, T> SharedMut<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            slice: PhantomData,
        }
    }

    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Asks for the cache line of an element that a part will hold.
    #[inline(always)]
    pub(crate) fn prefetch<S: Lanes>(&self, s: S, at: usize) {
        s.prefetch(self.start.wrapping_add(at));
    }

    /// An element. Panics outside the slice.
    ///
    /// # Safety
    /// No [`part`](Self::part) with it must live at the same time.
    #[inline(always)]
    pub(crate) unsafe fn get(&self, at: usize) -> &T {
        assert!(at < self.len, "element outside the slice");
        // SAFETY: inside the slice; the caller keeps parts away.
        unsafe { &*self.start.add(at) }
    }

    /// The `len` elements from `from` on. Panics outside the slice.
    ///
    /// # Safety
    /// Parts that live at the same time must not overlap.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "the caller keeps parts disjoint")]
    pub(crate) unsafe fn part(&self, from: usize, len: usize) -> &mut [T] {
        assert!(
            from <= self.len && len <= self.len - from,
            "part outside the slice"
        );
        // SAFETY: inside the slice; the caller keeps parts disjoint.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), len) }
    }
}
