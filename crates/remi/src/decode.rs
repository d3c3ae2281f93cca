//! Base tokens to a score: REMI's `_tokens_to_score`.
//!
//! Total: any tokens in any order give a score. What a token needs and does not
//! find (a pitch its velocity, a pedal its release) makes it say nothing; such
//! tokens are counted.

use score::{Note, Pedal, Score, Tempo, TimeSignature, Track};

use crate::config::Config;
use crate::prepare::ticks_per_beat;
use crate::tables::Tables;
use crate::time_values::decoding_ticks_per_beat;
use crate::vocabulary::{Token, Vocabulary};

/// Velocity of notes where the tokenizer has no velocities.
const DEFAULT_VELOCITY: u8 = 100;

/// A score and how much of the tokens made no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The score; its ticks per quarter are the tokenizer's.
    pub score: Score,
    /// Tokens that said nothing where they stood, special tokens apart.
    pub senseless: usize,
}

/// Decodes one sequence a track. Tempos and time signatures are the first's.
pub(crate) fn decode(
    sequences: &[Vec<u16>],
    config: &Config,
    vocabulary: &Vocabulary,
    tables: &Tables,
) -> Decoded {
    let ticks_per_quarter = decoding_ticks_per_beat(config, 4).clamp(1, u32::from(u16::MAX)) as u16;
    let mut decoded = Decoded {
        score: Score::new(ticks_per_quarter),
        senseless: 0,
    };
    for (index, sequence) in sequences.iter().enumerate() {
        let tokens: Vec<Option<&Token>> = sequence.iter().map(|id| vocabulary.token(*id)).collect();
        let mut reader = Reader::new(config, &tokens, index == 0, &mut decoded);
        reader.read();
        let track = reader.track;
        if !track.notes.is_empty() {
            decoded.score.tracks.push(track);
        }
    }
    let score = &mut decoded.score;
    if score.tempos.first().is_none_or(|tempo| tempo.onset != 0) {
        let default = if config.use_tempos {
            tables.tempos[tables.default_tempo]
        } else {
            120.0
        };
        score.tempos.insert(0, tempo(0, default));
    }
    if score
        .time_signatures
        .first()
        .is_none_or(|signature| signature.onset != 0)
    {
        score.time_signatures.insert(0, COMMON_TIME);
    }
    decoded
}

const COMMON_TIME: TimeSignature = TimeSignature {
    onset: 0,
    numerator: 4,
    denominator: 4,
};

fn tempo(onset: u32, quarters_per_minute: f64) -> Tempo {
    let microseconds = (60_000_000.0 / quarters_per_minute).round();
    Tempo {
        onset,
        microseconds_per_quarter: microseconds as u32,
    }
}

fn tick(tick: i64) -> u32 {
    tick.clamp(0, i64::from(i32::MAX)) as u32
}

/// Reads one sequence; the fields are MidiTok's variables.
struct Reader<'a> {
    config: &'a Config,
    tokens: &'a [Option<&'a Token>],
    is_first: bool,
    decoded: &'a mut Decoded,
    track: Track,
    signature: TimeSignature,
    ticks_per_bar: i64,
    ticks_per_beat: u32,
    ticks_per_position: i64,
    current_tick: i64,
    tick_at_last_signature: i64,
    tick_at_current_bar: i64,
    current_bar: i64,
    bar_at_last_signature: i64,
    previous_note_end: i64,
    pedal_down: Option<i64>,
    /// Tokens before this index belong to a note or pedal before them.
    consumed: usize,
}

impl<'a> Reader<'a> {
    fn new(
        config: &'a Config,
        tokens: &'a [Option<&'a Token>],
        is_first: bool,
        decoded: &'a mut Decoded,
    ) -> Self {
        let signatures = &mut decoded.score.time_signatures;
        if is_first {
            signatures.push(first_signature(tokens));
        }
        let signature = signatures.last().copied().unwrap_or(COMMON_TIME);
        let mut reader = Self {
            config,
            tokens,
            is_first,
            decoded,
            track: Track::piano(),
            signature,
            ticks_per_bar: 1,
            ticks_per_beat: 1,
            ticks_per_position: 1,
            current_tick: 0,
            tick_at_last_signature: 0,
            tick_at_current_bar: 0,
            current_bar: -1,
            bar_at_last_signature: 0,
            previous_note_end: 0,
            pedal_down: None,
            consumed: 0,
        };
        reader.set_signature(signature);
        reader
    }

    fn set_signature(&mut self, signature: TimeSignature) {
        let ticks_per_quarter = u32::from(self.decoded.score.ticks_per_quarter);
        let beat = ticks_per_beat(signature.denominator, ticks_per_quarter);
        self.signature = signature;
        self.ticks_per_bar = (i64::from(beat) * i64::from(signature.numerator)).max(1);
        self.ticks_per_beat = decoding_ticks_per_beat(self.config, signature.denominator);
        let positions = u32::from(self.config.max_positions_per_beat());
        self.ticks_per_position = i64::from(self.ticks_per_beat / positions);
    }

    fn read(&mut self) {
        for index in 0..self.tokens.len() {
            let made_sense = match self.tokens[index] {
                Some(token) => self.read_token(index, token),
                None => false,
            };
            if !made_sense && index >= self.consumed {
                self.decoded.senseless += 1;
            }
        }
    }

    /// Whether the token made sense by itself.
    fn read_token(&mut self, index: usize, token: &Token) -> bool {
        match token {
            // MidiTok decodes no numbered bars: all of them lie over the first.
            Token::Special | Token::Bar(Some(_)) | Token::BarEnd | Token::Chord(_) => true,
            Token::Bar(None) => {
                self.current_bar += 1;
                if self.current_bar > 0 {
                    self.current_tick = self.tick_at_current_bar + self.ticks_per_bar;
                }
                self.tick_at_current_bar = self.current_tick;
                true
            }
            Token::Rest(value) => {
                self.rest(i64::from(value.ticks(self.ticks_per_beat)));
                true
            }
            Token::Position(position) => {
                self.current_bar = self.current_bar.max(0);
                self.current_tick =
                    self.tick_at_current_bar + i64::from(*position) * self.ticks_per_position;
                true
            }
            Token::Pitch(pitch) | Token::PitchDrum(pitch) => self.note(index, *pitch),
            Token::Tempo(quarters_per_minute) => {
                if self.is_first {
                    let onset = tick(self.current_tick);
                    self.decoded
                        .score
                        .tempos
                        .push(tempo(onset, *quarters_per_minute));
                }
                self.previous_note_end = self.previous_note_end.max(self.current_tick);
                true
            }
            Token::TimeSignature(numerator, denominator) => {
                self.change_signature(*numerator, *denominator);
                true
            }
            Token::Pedal => self.pedal(index),
            Token::PedalOff => match self.pedal_down.take() {
                Some(onset) => {
                    self.push_pedal(onset, self.current_tick - onset);
                    true
                }
                None => false,
            },
            Token::Velocity(_) | Token::Duration(_) => false,
        }
    }

    fn rest(&mut self, ticks: i64) {
        self.current_tick = self.previous_note_end.max(self.current_tick) + ticks;
        let since =
            (self.current_tick - self.tick_at_last_signature).div_euclid(self.ticks_per_bar);
        let real_bar = self.bar_at_last_signature + since;
        if real_bar > self.current_bar {
            self.current_bar = self.current_bar.max(0);
            self.tick_at_current_bar += (real_bar - self.current_bar) * self.ticks_per_bar;
            self.current_bar = real_bar;
        }
    }

    fn note(&mut self, index: usize, pitch: u8) -> bool {
        let (lowest, highest) = self.config.pitch_range;
        if !(lowest..=highest).contains(&pitch) {
            return false;
        }
        let mut next = index + 1;
        let velocity = match self.config.use_velocities {
            true => {
                let Some(Token::Velocity(velocity)) = self.token(next) else {
                    return false;
                };
                next += 1;
                *velocity
            }
            false => DEFAULT_VELOCITY,
        };
        let duration = match self.config.uses_duration(0) {
            true => {
                let Some(Token::Duration(value)) = self.token(next) else {
                    return false;
                };
                next += 1;
                value.ticks(self.ticks_per_beat)
            }
            false => (self.config.default_note_duration * f64::from(self.ticks_per_beat)) as u32,
        };
        self.consumed = self.consumed.max(next);
        let onset = tick(self.current_tick);
        self.track.notes.push(Note {
            onset,
            duration,
            pitch,
            velocity,
        });
        let end = self.current_tick + i64::from(duration);
        self.previous_note_end = self.previous_note_end.max(end);
        true
    }

    fn pedal(&mut self, index: usize) -> bool {
        if self.config.sustain_pedal_duration && index + 1 < self.tokens.len() {
            let Some(Token::Duration(value)) = self.token(index + 1) else {
                return false;
            };
            let ticks = i64::from(value.ticks(self.ticks_per_beat));
            self.consumed = self.consumed.max(index + 2);
            self.push_pedal(self.current_tick, ticks);
            return true;
        }
        let was_up = self.pedal_down.is_none();
        self.pedal_down.get_or_insert(self.current_tick);
        was_up
    }

    fn push_pedal(&mut self, onset: i64, ticks: i64) {
        let pedal = Pedal {
            onset: tick(onset),
            duration: tick(ticks),
        };
        self.track.last_other_tick = self.track.last_other_tick.max(pedal.end());
        self.track.pedals.push(pedal);
    }

    fn change_signature(&mut self, numerator: u8, denominator: u8) {
        if (numerator, denominator) == (self.signature.numerator, self.signature.denominator) {
            return;
        }
        let signature = TimeSignature {
            onset: tick(self.current_tick),
            numerator,
            denominator,
        };
        if self.is_first {
            self.decoded.score.time_signatures.push(signature);
        }
        self.tick_at_last_signature = self.tick_at_current_bar;
        self.bar_at_last_signature = self.current_bar;
        self.set_signature(signature);
    }

    fn token(&self, index: usize) -> Option<&'a Token> {
        self.tokens.get(index).copied().flatten()
    }
}

/// The signature that comes before any note or pedal; 4/4 where none does.
fn first_signature(tokens: &[Option<&Token>]) -> TimeSignature {
    for token in tokens.iter().flatten() {
        match token {
            Token::TimeSignature(numerator, denominator) => {
                return TimeSignature {
                    onset: 0,
                    numerator: *numerator,
                    denominator: *denominator,
                };
            }
            Token::Pitch(_)
            | Token::PitchDrum(_)
            | Token::Velocity(_)
            | Token::Duration(_)
            | Token::Pedal => break,
            _ => {}
        }
    }
    COMMON_TIME
}
