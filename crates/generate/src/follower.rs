//! From ids to notes, each as soon as it is complete.
//!
//! What the tokenizer's decoder makes of a whole sequence, one base token at a
//! time and in constant time each: for every sequence that the grammar allows,
//! the notes and pedals are those of [`Tokenizer::decode`]. Where a sequence
//! without grammar states its first time signature late, bars before it may
//! have another length than there.

use remi::{Config, Token, Tokenizer};
use score::{Note, Pedal, Tempo};

use crate::clock::Clock;

/// Velocity of notes where the tokenizer has no velocities, as its decoder's.
const DEFAULT_VELOCITY: u8 = 100;

/// Something that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A note; times in ticks.
    Note(Note),
    /// The sustain pedal goes down at this tick.
    PedalDown(u32),
    /// The sustain pedal is lifted at this tick.
    PedalUp(u32),
    /// The sustain pedal is down for a span that is known at once.
    Pedal(Pedal),
}

/// The start of a note or pedal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    Pitch(u8),
    Velocity(u8, u8),
    Pedal,
}

/// Reads a sequence as it grows.
#[derive(Clone)]
pub struct Follower<'a> {
    tokenizer: &'a Tokenizer,
    config: &'a Config,
    clock: Clock,
    base: Vec<u16>,
    whole: usize,
    begun: Option<Begun>,
    notes: usize,
    pedal_until: u32,
    pedal_down: Option<u32>,
    ticks_per_quarter: u32,
    signature: Option<(u8, u8)>,
    /// Whether a note or pedal has come, after which signatures are changes.
    sounded: bool,
    ticks_per_beat: u32,
    ticks_per_bar: u32,
    ticks_per_position: u32,
    tick: u32,
    bar: i64,
    bar_tick: u32,
    signature_tick: u32,
    signature_bar: i64,
    note_end: u32,
}

impl<'a> Follower<'a> {
    /// At the start of a piece. `tempos`, in the tokenizer's ticks, are those
    /// that hold, after the decoder's default; tempo tokens add to them.
    pub fn new(tokenizer: &'a Tokenizer, tempos: &[Tempo]) -> Self {
        let empty = tokenizer.decode_base(&[]).score;
        let ticks_per_quarter = empty.ticks_per_quarter;
        let mut clock = Clock::new(ticks_per_quarter);
        let all = empty.tempos.iter().chain(tempos);
        all.for_each(|tempo| clock.add(*tempo));
        let mut follower = Self {
            tokenizer,
            config: tokenizer.config(),
            clock,
            base: Vec::new(),
            whole: 0,
            begun: None,
            notes: 0,
            pedal_until: 0,
            pedal_down: None,
            ticks_per_quarter: u32::from(ticks_per_quarter),
            signature: None,
            sounded: false,
            ticks_per_beat: 1,
            ticks_per_bar: 1,
            ticks_per_position: 1,
            tick: 0,
            bar: -1,
            bar_tick: 0,
            signature_tick: 0,
            signature_bar: 0,
            note_end: 0,
        };
        follower.measure(4, 4);
        follower
    }

    /// The base tokens so far.
    pub fn base(&self) -> &[u16] {
        &self.base
    }

    /// How many of the base tokens end with a whole note or pedal, or with a
    /// token that belongs to none.
    pub fn whole(&self) -> usize {
        self.whole
    }

    /// The tick that was reached.
    pub fn tick(&self) -> u32 {
        self.tick
    }

    /// The second of a tick, by the tempos so far.
    pub fn seconds(&self, tick: u32) -> f64 {
        self.clock.seconds(tick)
    }

    /// The number of the bar that was reached, the first being 0; -1 before it.
    pub fn bar(&self) -> i64 {
        self.bar
    }

    /// The tick at which that bar begins.
    pub fn bar_tick(&self) -> u32 {
        self.bar_tick
    }

    /// Complete notes so far.
    pub fn notes(&self) -> usize {
        self.notes
    }

    /// Whether the pedal is down at the tick that was reached.
    pub fn is_pedal_down(&self) -> bool {
        self.pedal_down.is_some() || self.pedal_until > self.tick
    }

    /// Since which tick the pedal waits to be lifted.
    pub fn open_pedal(&self) -> Option<u32> {
        self.pedal_down
    }

    /// Reads the base tokens of an id; those of an id beyond the vocabulary are
    /// none. After each, `each` sees the follower and what is complete; `false`
    /// leaves out the rest of the id.
    pub fn push(&mut self, id: u32, mut each: impl FnMut(&Self, Option<Event>) -> bool) {
        for base in self.tokenizer.expand(&[id]).0 {
            let event = self.push_base(base);
            if !each(self, event) {
                return;
            }
        }
    }

    /// Reads one base token.
    pub fn push_base(&mut self, base: u16) -> Option<Event> {
        self.base.push(base);
        let token = self.tokenizer.vocabulary().token(base);
        let event = token.and_then(|token| self.read(token));
        if self.begun.is_none() {
            self.whole = self.base.len();
        }
        event
    }

    fn read(&mut self, token: &Token) -> Option<Event> {
        let begun = self.begun.take();
        match token {
            Token::Velocity(velocity) => {
                self.sounded = true;
                match begun {
                    Some(Begun::Pitch(pitch)) if self.config.use_velocities => {
                        self.velocity(pitch, *velocity)
                    }
                    _ => None,
                }
            }
            Token::Duration(value) => {
                self.sounded = true;
                let ticks = value.ticks(self.ticks_per_beat);
                match begun {
                    Some(Begun::Velocity(pitch, velocity)) => self.note(pitch, velocity, ticks),
                    Some(Begun::Pedal) => {
                        let onset = self.tick;
                        let pedal = Pedal {
                            onset,
                            duration: ticks,
                        };
                        self.pedal_until = self.pedal_until.max(pedal.end());
                        Some(Event::Pedal(pedal))
                    }
                    _ => None,
                }
            }
            Token::Pitch(pitch) | Token::PitchDrum(pitch) => {
                self.sounded = true;
                let (lowest, highest) = self.config.pitch_range;
                match (lowest..=highest).contains(pitch) {
                    true if self.config.use_velocities => {
                        self.begun = Some(Begun::Pitch(*pitch));
                        None
                    }
                    true => self.velocity(*pitch, DEFAULT_VELOCITY),
                    false => None,
                }
            }
            Token::Pedal => self.pedal(),
            Token::PedalOff => {
                let down = self.pedal_down.take();
                down.map(|_| Event::PedalUp(self.tick))
            }
            _ => {
                self.move_on(token);
                None
            }
        }
    }

    fn velocity(&mut self, pitch: u8, velocity: u8) -> Option<Event> {
        if self.config.uses_duration(0) {
            self.begun = Some(Begun::Velocity(pitch, velocity));
            return None;
        }
        let beats = self.config.default_note_duration;
        let ticks = (beats * f64::from(self.ticks_per_beat)) as u32;
        self.note(pitch, velocity, ticks)
    }

    fn note(&mut self, pitch: u8, velocity: u8, duration: u32) -> Option<Event> {
        let note = Note {
            onset: self.tick,
            duration,
            pitch,
            velocity,
        };
        self.notes += 1;
        self.note_end = self.note_end.max(note.end());
        Some(Event::Note(note))
    }

    fn pedal(&mut self) -> Option<Event> {
        self.sounded = true;
        if self.config.sustain_pedal_duration {
            self.begun = Some(Begun::Pedal);
            return None;
        }
        let was_up = self.pedal_down.is_none();
        self.pedal_down.get_or_insert(self.tick);
        was_up.then_some(Event::PedalDown(self.tick))
    }

    /// Tokens of time.
    fn move_on(&mut self, token: &Token) {
        match token {
            Token::Bar(None) => {
                self.bar += 1;
                if self.bar > 0 {
                    self.tick = self.bar_tick.saturating_add(self.ticks_per_bar);
                }
                self.bar_tick = self.tick;
            }
            Token::Position(position) => {
                self.bar = self.bar.max(0);
                let ticks = u32::from(*position) * self.ticks_per_position;
                self.tick = self.bar_tick.saturating_add(ticks);
            }
            Token::Rest(value) => self.rest(value.ticks(self.ticks_per_beat)),
            Token::Tempo(quarters_per_minute) => {
                self.clock.add(Tempo {
                    onset: self.tick,
                    microseconds_per_quarter: (60_000_000.0 / quarters_per_minute).round() as u32,
                });
                self.note_end = self.note_end.max(self.tick);
            }
            Token::TimeSignature(numerator, denominator) => self.sign(*numerator, *denominator),
            _ => {}
        }
    }

    fn rest(&mut self, ticks: u32) {
        self.tick = self.note_end.max(self.tick).saturating_add(ticks);
        let since = i64::from(self.tick) - i64::from(self.signature_tick);
        let bar = self.signature_bar + since.div_euclid(i64::from(self.ticks_per_bar));
        if bar > self.bar {
            self.bar = self.bar.max(0);
            let bars = u32::try_from(bar - self.bar).unwrap_or(0);
            let ticks = bars.saturating_mul(self.ticks_per_bar);
            self.bar_tick = self.bar_tick.saturating_add(ticks);
            self.bar = bar;
        }
    }

    fn sign(&mut self, numerator: u8, denominator: u8) {
        let changes = self.signature.is_some() || self.sounded;
        let common = Some((4, 4)).filter(|_| self.sounded);
        if self.signature.or(common) == Some((numerator, denominator)) {
            return;
        }
        self.signature = Some((numerator, denominator));
        if changes {
            self.signature_tick = self.bar_tick;
            self.signature_bar = self.bar;
        }
        self.measure(numerator, denominator);
    }

    fn measure(&mut self, numerator: u8, denominator: u8) {
        let denominator = denominator.max(1);
        let beat = self.ticks_per_quarter * 4 / u32::from(denominator);
        self.ticks_per_bar = (beat * u32::from(numerator)).max(1);
        let finest = match self.config.use_time_signatures {
            true => self.config.time_signature_range.keys().copied().max(),
            false => None,
        };
        let positions = u32::from(self.config.max_positions_per_beat());
        self.ticks_per_beat = positions * u32::from(finest.unwrap_or(4) / denominator);
        self.ticks_per_position = self.ticks_per_beat / positions.max(1);
    }
}
