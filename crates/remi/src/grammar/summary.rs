//! What an id does, as far as the grammar is concerned: its base tokens in a few
//! numbers.

use super::rules::{Follows, Kind};
use crate::vocabulary::Token;

/// An id's base tokens, summed up.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    /// Kind of the first token; `None` for an id without tokens.
    pub first: Option<Kind>,
    /// Kind of the last token.
    pub last: Option<Kind>,
    /// Whether the tokens fit together, whatever comes before.
    pub is_sound: bool,
    /// The first position, if no bar, rest or signature comes before it.
    pub first_position: Option<i32>,
    /// The last position before any of these.
    pub last_in_first_bar: Option<i32>,
    /// Whether the pedal must be down (or up) before.
    pub needs_pedal: Option<bool>,
    /// Whether a drum is among the pitches.
    pub has_drums: bool,
    /// Whether a pitch begins twice at one tick within the id.
    pub strikes_twice: bool,
    /// Pitches that begin at the tick at which the id begins.
    pub pitches_before_time: u128,
    /// Whether a later tick is reached.
    pub moves_time: bool,
    /// Pitches that begin at the last tick.
    pub pitches_after: u128,
    /// The position reached; `None` if the id changes none.
    pub position_after: Option<i32>,
    /// Positions in a bar after a signature.
    pub bar_positions_after: Option<i32>,
    /// Whether the pedal is down afterwards.
    pub pedal_after: Option<bool>,
    /// Notes that begin.
    pub notes: u32,
    /// Steps to a next bar, and rests, before the first note; all where there is
    /// none.
    pub silence_before: u32,
    /// The same after the last note.
    pub silence_after: u32,
}

impl Summary {
    pub fn new(tokens: &[&Token], follows: &Follows, positions_per_beat: u32) -> Self {
        let mut summary = Self {
            first: None,
            last: None,
            is_sound: true,
            first_position: None,
            last_in_first_bar: None,
            needs_pedal: None,
            has_drums: false,
            strikes_twice: false,
            pitches_before_time: 0,
            moves_time: false,
            pitches_after: 0,
            position_after: None,
            bar_positions_after: None,
            pedal_after: None,
            notes: 0,
            silence_before: 0,
            silence_after: 0,
        };
        let mut in_first_bar = true;
        for token in tokens {
            summary.succession(token, follows);
            match token {
                Token::Bar(_) | Token::Rest(_) => {
                    in_first_bar = false;
                    summary.new_time(-1);
                }
                Token::TimeSignature(beats, _) => {
                    in_first_bar = false;
                    summary.position_after = Some(-1);
                    summary.bar_positions_after =
                        Some(positions_per_beat as i32 * i32::from(*beats));
                }
                Token::Position(position) => {
                    summary.position(i32::from(*position), in_first_bar);
                }
                Token::Pedal => summary.pedal(true, follows),
                Token::PedalOff => summary.pedal(false, follows),
                Token::Pitch(pitch) => summary.pitch(*pitch),
                Token::PitchDrum(pitch) => {
                    summary.has_drums = true;
                    summary.pitch(*pitch);
                }
                _ => {}
            }
        }
        summary
    }

    fn succession(&mut self, token: &Token, follows: &Follows) {
        let kind = Kind::of(token, self.last);
        if kind == Kind::Special {
            self.is_sound = false;
        }
        if let Some(before) = self.last {
            self.is_sound &= follows.may(before, kind);
        }
        if follows.leads_on(kind) {
            self.silence_before += u32::from(self.notes == 0);
            self.silence_after += 1;
        }
        self.first.get_or_insert(kind);
        self.last = Some(kind);
    }

    fn new_time(&mut self, position: i32) {
        self.moves_time = true;
        self.pitches_after = 0;
        self.position_after = Some(position);
    }

    fn position(&mut self, position: i32, in_first_bar: bool) {
        if let Some(before) = self.position_after {
            self.is_sound &= position > before;
        }
        if let Some(positions) = self.bar_positions_after {
            self.is_sound &= position < positions;
        }
        if in_first_bar {
            self.first_position.get_or_insert(position);
            self.last_in_first_bar = Some(position);
        }
        self.new_time(position);
    }

    fn pedal(&mut self, down: bool, follows: &Follows) {
        // Pedals with durations are never lifted by a token.
        if !follows.may(Kind::Position, Kind::PedalOff) {
            return;
        }
        match self.pedal_after {
            None => self.needs_pedal = Some(!down),
            Some(before) => self.is_sound &= before != down,
        }
        self.pedal_after = Some(down);
    }

    fn pitch(&mut self, pitch: u8) {
        self.notes += 1;
        self.silence_after = 0;
        let bit = 1_u128 << pitch.min(127);
        self.strikes_twice |= self.pitches_after & bit != 0;
        if !self.moves_time {
            self.pitches_before_time |= bit;
        }
        self.pitches_after |= bit;
    }
}
