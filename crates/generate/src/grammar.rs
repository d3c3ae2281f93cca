//! What may come next.

/// Follows a sequence of ids and says which ids may continue it. Implementations
/// know the vocabulary; sampling only asks.
pub trait Grammar: Send {
    /// Sets `mask[id]` to `false` for each id that may not come next, and leaves
    /// the others as they are. The mask has one entry an id of the vocabulary.
    fn allowed(&mut self, mask: &mut [bool]);

    /// Takes note of the next id, of the prompt or sampled. In prompts, ids may
    /// come that [`Grammar::allowed`] would not have allowed.
    fn accept(&mut self, id: u32);
}

/// The sequences that the tokenizer itself writes. Its own end of a piece is
/// allowed after a whole note, pedal or bar; no other special token ever is.
impl Grammar for remi::GrammarState {
    fn allowed(&mut self, mask: &mut [bool]) {
        self.restrict(mask);
    }

    fn accept(&mut self, id: u32) {
        remi::GrammarState::accept(self, id);
    }
}
