//! Which ids the model sees when there are more than it has positions.
//!
//! As long as ids fit, all are seen. When one more does not fit, the oldest drop
//! out: BOS stays first, then comes the latest half of the window, cut at a
//! boundary (the start of a bar) where there is one. All positions have changed
//! then, so what remains is fed again in one pass; because half of the window is
//! free after that, it happens once in half a window of ids and costs little,
//! and every id is drawn with the latest ones in view.

/// Whether an id starts something that a cut may come before, such as a bar.
pub type Boundary<'a> = &'a dyn Fn(u32) -> bool;

/// The ids that are in view, at most `capacity`.
#[derive(Clone, Debug)]
pub struct Window {
    ids: Vec<u32>,
    capacity: usize,
    /// Ids at the start that never drop out: 1 where the first is BOS.
    pinned: usize,
    dropped: usize,
}

impl Window {
    /// A window of `capacity` ids (at least 2) that begins with `prompt`. A
    /// first id of `bos` stays first for ever. Of a longer prompt the end is
    /// kept.
    pub fn new(prompt: &[u32], capacity: usize, bos: u32, boundary: Boundary) -> Self {
        let capacity = capacity.max(2);
        let pinned = usize::from(prompt.first() == Some(&bos));
        let mut ids = Vec::with_capacity(capacity.max(prompt.len()) + 1);
        ids.extend_from_slice(prompt);
        let mut window = Self {
            ids,
            capacity,
            pinned,
            dropped: 0,
        };
        if window.ids.len() > capacity {
            // A prompt is fed once: keep as much of it as leaves some room.
            window.cut(capacity - capacity / 8 - pinned, boundary);
        }
        window
    }

    /// The ids in view, the oldest first.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// How many ids have dropped out.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Adds an id. Returns whether old ids dropped out, so that all of
    /// [`Window::ids`] have to be fed again.
    pub fn push(&mut self, id: u32, boundary: Boundary) -> bool {
        self.ids.push(id);
        let over = self.ids.len() > self.capacity;
        if over {
            self.cut((self.capacity / 2).max(1), boundary);
        }
        over
    }

    /// Keeps the pinned ids and at most the last `keep`: from the first boundary
    /// among these on, if it leaves at least half of them.
    fn cut(&mut self, keep: usize, boundary: Boundary) {
        let from = self.ids.len() - keep.max(1);
        let latest = self.ids.len() - keep.div_ceil(2).max(1);
        let at = (from..=latest)
            .find(|at| boundary(self.ids[*at]))
            .unwrap_or(from);
        self.dropped += at - self.pinned;
        self.ids.drain(self.pinned..at);
    }
}
