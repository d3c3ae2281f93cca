//! Which kind of token may follow which.

use crate::config::Config;
use crate::vocabulary::Token;

/// Kinds of base tokens, as far as succession goes. Durations are told apart by
/// what they belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing yet, or the beginning-of-sequence token.
    Start,
    Bar,
    BarEnd,
    Signature,
    Position,
    Rest,
    Tempo,
    Pedal,
    PedalDuration,
    PedalOff,
    Chord,
    Pitch,
    Velocity,
    Duration,
    /// Padding and other special tokens: nothing follows from them.
    Special,
}

impl Kind {
    pub const ALL: [Self; 15] = [
        Self::Start,
        Self::Bar,
        Self::BarEnd,
        Self::Signature,
        Self::Position,
        Self::Rest,
        Self::Tempo,
        Self::Pedal,
        Self::PedalDuration,
        Self::PedalOff,
        Self::Chord,
        Self::Pitch,
        Self::Velocity,
        Self::Duration,
        Self::Special,
    ];

    /// The kind of a token, by the kind before it.
    pub fn of(token: &Token, before: Option<Self>) -> Self {
        match token {
            Token::Special => Self::Special,
            Token::Bar(_) => Self::Bar,
            Token::BarEnd => Self::BarEnd,
            Token::Position(_) => Self::Position,
            Token::Pitch(_) | Token::PitchDrum(_) => Self::Pitch,
            Token::Velocity(_) => Self::Velocity,
            Token::Duration(_) if before == Some(Self::Pedal) => Self::PedalDuration,
            Token::Duration(_) => Self::Duration,
            Token::Chord(_) => Self::Chord,
            Token::Rest(_) => Self::Rest,
            Token::Tempo(_) => Self::Tempo,
            Token::TimeSignature(..) => Self::Signature,
            Token::Pedal => Self::Pedal,
            Token::PedalOff => Self::PedalOff,
        }
    }
}

/// The successions of one configuration, as a bit for each follower.
#[derive(Clone, Debug)]
pub(super) struct Follows {
    allowed: [u16; Kind::ALL.len()],
    ends: u16,
    /// What leads from one bar to the next: its end, where that is a token.
    next_bar: Kind,
}

fn bit(kind: Kind) -> u16 {
    1 << kind as u16
}

fn bits(kinds: &[Kind]) -> u16 {
    kinds.iter().fold(0, |all, kind| all | bit(*kind))
}

impl Follows {
    pub fn new(config: &Config) -> Self {
        let used = |kind: Kind| match kind {
            Kind::Rest => config.use_rests,
            Kind::Chord => config.use_chords,
            Kind::Tempo => config.use_tempos,
            Kind::Pedal => config.use_sustain_pedals,
            Kind::PedalOff => config.use_sustain_pedals && !config.sustain_pedal_duration,
            Kind::BarEnd => config.use_bar_end_tokens,
            _ => true,
        };
        let only_used = |kinds: &[Kind]| {
            kinds
                .iter()
                .filter(|kind| used(**kind))
                .fold(0, |all, kind| all | bit(*kind))
        };
        // A new tick begins with a rest, the end of a bar, a bar, or a position.
        let next_bar = match config.use_bar_end_tokens {
            true => Kind::BarEnd,
            false => Kind::Bar,
        };
        let time = bit(next_bar) | bit(Kind::Position) | only_used(&[Kind::Rest]);
        let notes = bit(Kind::Pitch);
        let chord = notes | only_used(&[Kind::Chord]);
        let pedals = chord | only_used(&[Kind::Pedal, Kind::PedalOff]);
        let after_pedal = pedals | time;
        let after_note = notes | time;
        let mut allowed = [0; Kind::ALL.len()];
        let mut set = |kind: Kind, followers: u16| allowed[kind as usize] = followers;
        set(Kind::Start, bit(Kind::Bar) | only_used(&[Kind::Rest]));
        set(Kind::Special, bit(Kind::Bar) | only_used(&[Kind::Rest]));
        set(Kind::BarEnd, bit(Kind::Bar));
        if config.use_time_signatures {
            set(Kind::Bar, bit(Kind::Signature));
            set(Kind::Signature, time);
            set(Kind::Rest, time | bit(Kind::Signature));
        } else {
            set(Kind::Bar, time);
            set(Kind::Rest, time);
        }
        set(Kind::Position, pedals | only_used(&[Kind::Tempo]));
        set(Kind::Tempo, after_pedal);
        if config.sustain_pedal_duration {
            // A duration that follows a pedal is the pedal's.
            set(Kind::Pedal, bit(Kind::PedalDuration));
            set(Kind::PedalDuration, after_pedal);
        } else {
            set(Kind::Pedal, after_pedal);
            set(Kind::PedalOff, after_pedal);
        }
        set(Kind::Chord, notes);
        let duration = config.uses_durations();
        match (config.use_velocities, duration) {
            (true, true) => {
                set(Kind::Pitch, bit(Kind::Velocity));
                set(Kind::Velocity, bit(Kind::Duration));
                set(Kind::Duration, after_note);
            }
            (true, false) => {
                set(Kind::Pitch, bit(Kind::Velocity));
                set(Kind::Velocity, after_note);
            }
            (false, true) => {
                set(Kind::Pitch, bit(Kind::Duration));
                set(Kind::Duration, after_note);
            }
            (false, false) => set(Kind::Pitch, after_note),
        }
        let note_end = match (config.use_velocities, duration) {
            (_, true) => Kind::Duration,
            (true, false) => Kind::Velocity,
            (false, false) => Kind::Pitch,
        };
        let mut ends = bits(&[Kind::Tempo, Kind::PedalDuration, Kind::PedalOff, note_end]);
        ends |= if config.use_time_signatures {
            bit(Kind::Signature)
        } else {
            bit(Kind::Bar)
        };
        if !config.sustain_pedal_duration {
            ends |= bit(Kind::Pedal);
        }
        Self {
            allowed,
            ends,
            next_bar,
        }
    }

    /// Whether a token of this kind lets time pass beyond the bar or by a rest.
    pub fn leads_on(&self, kind: Kind) -> bool {
        kind == self.next_bar || kind == Kind::Rest
    }

    /// Whether `next` may follow `before`.
    pub fn may(&self, before: Kind, next: Kind) -> bool {
        let next = match next {
            // As the first token of an id a duration may belong to either.
            Kind::Duration if before == Kind::Pedal => Kind::PedalDuration,
            other => other,
        };
        self.allowed[before as usize] & bit(next) != 0
    }

    /// Whether a sequence may end after this kind.
    pub fn may_end(&self, kind: Kind) -> bool {
        self.ends & bit(kind) != 0
    }
}
