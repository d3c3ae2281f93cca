//! What may follow what: the sequences that encoding can produce.
//!
//! A sequence is well formed if its token types follow one another as the
//! encoder writes them (close to MidiTok's `tokens_types_graph`, but stricter:
//! notes are whole, events of one tick come in the encoder's order), positions
//! rise within a bar and lie inside it, a pedal goes down when it is up and is
//! lifted when it is down, and, where the configuration removes duplicated
//! notes, no pitch begins twice at one tick.
//!
//! An id of BPE is allowed if its base tokens are, in order. What depends on the
//! token type before is worked out once for every id; the rest is a comparison.

mod needs;
mod rules;
mod summary;

use std::sync::Arc;

use crate::tokenizer::Tokenizer;
use needs::{Needs, Place};
use rules::{Follows, Kind};
use summary::Summary;

/// The rules of one tokenizer, for all ids of its vocabulary.
#[derive(Clone, Debug)]
pub struct Grammar {
    rules: Arc<Rules>,
}

#[derive(Clone, Debug)]
struct Rules {
    follows: Follows,
    summaries: Vec<Summary>,
    needs: Needs,
    /// For each kind of token before: which ids may follow as far as types go.
    by_kind: Vec<Vec<bool>>,
    end: Option<u32>,
    positions_per_beat: u32,
    single_strikes: bool,
    /// Whether a piece has notes, and is never silent for long.
    plays: bool,
}

/// Bars and rests that may follow one another without a note, where a piano plays.
const LONGEST_SILENCE: u32 = 4;
/// Those before the first note.
const FIRST_SILENCE: u32 = 2;
/// With fewer notes, a prompt's counted, no piece ends.
const FEWEST_NOTES: u32 = 16;

/// A place in a sequence: what came before, as far as it matters.
#[derive(Clone, Debug)]
pub struct GrammarState {
    rules: Arc<Rules>,
    kind: Kind,
    /// The position that the next must exceed; -1 at the start of a bar.
    position: i32,
    /// Positions in a bar.
    bar_positions: i32,
    pedal_down: bool,
    /// Pitches that began at the present tick, a bit each.
    pitches: u128,
    /// Notes that have begun.
    notes: u32,
    /// Bars and rests that may still come before a note must.
    silence_left: u32,
}

impl Grammar {
    /// The grammar of a tokenizer.
    pub fn new(tokenizer: &Tokenizer) -> Self {
        let config = tokenizer.config();
        let follows = Follows::new(config);
        let positions_per_beat = u32::from(config.max_positions_per_beat());
        let summaries: Vec<Summary> = (0..tokenizer.len() as u32)
            .map(|id| {
                let (base, _) = tokenizer.expand(&[id]);
                let tokens: Vec<_> = base
                    .iter()
                    .filter_map(|id| tokenizer.vocabulary().token(*id))
                    .collect();
                Summary::new(&tokens, &follows, positions_per_beat)
            })
            .collect();
        let allowed_after = |before: Kind| {
            let may = |summary: &Summary| {
                summary.is_sound
                    && !(config.remove_duplicated_notes && summary.strikes_twice)
                    && summary
                        .first
                        .is_some_and(|first| follows.may(before, first))
            };
            summaries.iter().map(may).collect()
        };
        let by_kind = Kind::ALL.iter().map(|kind| allowed_after(*kind)).collect();
        let rules = Rules {
            follows,
            needs: Needs::new(&summaries),
            summaries,
            by_kind,
            end: tokenizer.special("EOS_None"),
            positions_per_beat,
            single_strikes: config.remove_duplicated_notes,
            plays: false,
        };
        Self {
            rules: Arc::new(rules),
        }
    }

    /// The same grammar for a piano that plays: without drums; no pitch begins
    /// twice at one tick, as no finger strikes a key twice at once; the first note
    /// comes within two bars, and no more than four (or rests) follow without one;
    /// a piece of fewer than sixteen notes cannot end. (What is encoded may be
    /// otherwise: two strikes within a step of the grid, a minute of silence before
    /// the first note. Once a model has begun to be silent, it would go on.)
    pub fn for_piano(self) -> Self {
        let mut rules = (*self.rules).clone();
        rules.single_strikes = true;
        rules.plays = true;
        for allowed in &mut rules.by_kind {
            for (allowed, summary) in allowed.iter_mut().zip(&rules.summaries) {
                *allowed &= !summary.has_drums && !summary.strikes_twice;
            }
        }
        Self {
            rules: Arc::new(rules),
        }
    }

    /// The state at the start of a piece.
    pub fn start(&self) -> GrammarState {
        GrammarState {
            rules: Arc::clone(&self.rules),
            kind: Kind::Start,
            position: -1,
            bar_positions: 4 * self.rules.positions_per_beat as i32,
            pedal_down: false,
            pitches: 0,
            notes: 0,
            silence_left: FIRST_SILENCE,
        }
    }
}

impl GrammarState {
    /// Whether an id may come next. Of the special tokens only the end of a
    /// sequence ever may, after a whole note, pedal or bar.
    pub fn allows(&self, id: u32) -> bool {
        let rules = &self.rules;
        if Some(id) == rules.end {
            return self.may_end();
        }
        let index = id as usize;
        let Some(summary) = rules.summaries.get(index) else {
            return false;
        };
        rules.by_kind[self.kind as usize][index]
            && rules.needs.are_met(index, self.place())
            && !(rules.single_strikes && summary.pitches_before_time & self.pitches != 0)
    }

    /// Sets the entries of `mask` to false whose ids may not come next; the mask
    /// has one entry an id. Others are left as they are.
    pub fn restrict(&self, mask: &mut [bool]) {
        let rules = &self.rules;
        let end = rules.end.map(|id| id as usize);
        let may_end = end.and_then(|end| mask.get(end)) == Some(&true) && self.may_end();
        let by_type = &rules.by_kind[self.kind as usize];
        if let Some(unknown) = mask.get_mut(by_type.len()..) {
            unknown.fill(false);
        }
        rules.needs.restrict(self.place(), by_type, mask);
        if rules.single_strikes {
            rules.needs.forbid(self.pitches, mask);
        }
        if let Some(entry) = end.and_then(|end| mask.get_mut(end)) {
            *entry = may_end;
        }
    }

    fn may_end(&self) -> bool {
        let rules = &self.rules;
        rules.follows.may_end(self.kind) && (self.notes >= FEWEST_NOTES || !rules.plays)
    }

    fn place(&self) -> Place {
        let silence_left = self.silence_left.min(u32::from(u8::MAX)) as u8;
        Place {
            position: self.position,
            bar_positions: self.bar_positions,
            pedal_down: self.pedal_down,
            silence_left: if self.rules.plays {
                silence_left
            } else {
                u8::MAX
            },
        }
    }

    /// Takes an id into account, whether it was allowed or not.
    pub fn accept(&mut self, id: u32) {
        let rules = Arc::clone(&self.rules);
        let Some(summary) = rules.summaries.get(id as usize) else {
            return;
        };
        let Some(last) = summary.last else {
            return;
        };
        self.kind = last;
        if summary.notes > 0 {
            self.notes = self.notes.saturating_add(summary.notes);
            self.silence_left = LONGEST_SILENCE;
        }
        self.silence_left = self.silence_left.saturating_sub(summary.silence_after);
        if let Some(position) = summary.position_after {
            self.position = position;
        }
        if let Some(positions) = summary.bar_positions_after {
            self.bar_positions = positions;
        }
        if let Some(down) = summary.pedal_after {
            self.pedal_down = down;
        }
        self.pitches = summary.pitches_after | if summary.moves_time { 0 } else { self.pitches };
    }
}
