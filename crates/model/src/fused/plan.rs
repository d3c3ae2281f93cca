//! The memory of a pass, taken once and used again for every batch that is not
//! larger.

use kernels::training::block::{Saved, Scratch, Tokens};
use kernels::training::cells::Layout;
use kernels::training::head::HeadScratch;
use kernels::{Piece, Team};

use super::parts;
use crate::config::ModelConfig;

/// Every large buffer.
pub(super) struct Plan {
    config: ModelConfig,
    layout: Layout,
    backward: bool,
    /// What there is room for.
    room: Tokens,
    /// `None` before the first batch.
    buffers: Option<Buffers>,
}

/// The buffers for batches of up to a number of tokens.
pub(super) struct Buffers {
    /// What goes into each layer and out of the last, f32 `[tokens, dim]`. When
    /// there is no backward pass, two that take turns.
    pub(super) streams: Vec<Piece<f32>>,
    /// What each layer keeps for its backward pass; one for all without.
    pub(super) saved: Vec<Saved>,
    pub(super) scratch: Scratch,
    pub(super) head: HeadScratch,
    /// Gradient of a stream, f32 `[tokens, dim]`.
    pub(super) d: Piece<f32>,
}

impl Plan {
    pub(super) fn new(config: &ModelConfig, layout: Layout, backward: bool) -> Self {
        Self {
            config: config.clone(),
            layout,
            backward,
            room: Tokens {
                sequences: 0,
                length: 0,
            },
            buffers: None,
        }
    }

    /// The buffers, with room for a batch.
    pub(super) fn reserve(&mut self, team: &mut Team, tokens: Tokens) -> &mut Buffers {
        let room = Tokens {
            sequences: self.room.sequences.max(tokens.sequences),
            length: self.room.length.max(tokens.length),
        };
        if room != self.room {
            // The old buffers go first, so that both are never there at once.
            self.buffers = None;
            self.room = room;
        }
        let Self {
            config,
            layout,
            backward,
            ..
        } = self;
        self.buffers
            .get_or_insert_with(|| Buffers::new(team, config, *layout, room, *backward))
    }
}

impl Buffers {
    fn new(
        team: &mut Team,
        config: &ModelConfig,
        layout: Layout,
        room: Tokens,
        backward: bool,
    ) -> Self {
        let count = room.count();
        let widths = parts::widths(config);
        let stream = count * config.dim;
        let (streams, saved) = match backward {
            true => (config.num_layers + 1, config.num_layers),
            false => (2, 1),
        };
        Self {
            streams: (0..streams).map(|_| team.pool().zeros(stream)).collect(),
            saved: (0..saved)
                .map(|_| Saved::new(team, layout, widths, count))
                .collect(),
            scratch: Scratch::new(team, layout, widths, room, backward),
            head: HeadScratch::new(team, layout, config.dim, config.vocab_size, count, backward),
            d: team.pool().zeros(if backward { stream } else { 0 }),
        }
    }
}
