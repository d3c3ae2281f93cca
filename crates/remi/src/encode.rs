//! A prepared score to base tokens: MidiTok's `_score_to_tokens` and REMI's
//! `_add_time_events`.

use score::TimeSignature;

use crate::chords;
use crate::config::Config;
use crate::error::EncodeError;
use crate::ids::Ids;
use crate::prepare::{GridNote, GridScore, GridTrack, ticks_per_beat};
use crate::tables::Tables;
use crate::words;

/// Base tokens of one track, and where its words begin: BPE never joins tokens
/// of two words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseTokens {
    /// Ids in the base vocabulary.
    pub ids: Vec<u16>,
    /// Index of each word's first token; rising, the first is 0.
    pub word_starts: Vec<u32>,
}

/// A piece of more bars is damaged: at 120 beats a minute these are 36 hours.
pub(crate) const MAX_BARS: u64 = 65_536;

/// Something that happens at a tick.
#[derive(Clone, Copy)]
enum Event {
    Note(GridNote),
    Chord(usize),
    Tempo(usize),
    Signature(TimeSignature),
    Pedal(Option<u16>),
    PedalOff,
}

/// Encodes each track of a score; without tracks, one empty sequence (or one of
/// tempos and signatures).
pub(crate) fn encode(
    score: &GridScore,
    config: &Config,
    tables: &Tables,
    ids: &Ids,
) -> Result<Vec<BaseTokens>, EncodeError> {
    let bar_starts = words::starts(score, config)?;
    let empty = GridTrack {
        program: 0,
        notes: Vec::new(),
        pedals: Vec::new(),
    };
    let tracks = if score.tracks.is_empty() {
        std::slice::from_ref(&empty)
    } else {
        &score.tracks
    };
    tracks
        .iter()
        .map(|track| {
            let names = match config.use_chords && track.program >= 0 {
                true => chords::detect(&track.notes, &score.beats, config),
                false => Vec::new(),
            };
            let events = events(score, track, &names, config);
            let mut writer = Writer::new(score, track.program, &names, config, tables, ids);
            writer.write(&events)?;
            let word_starts = words::cut(&writer.times, &bar_starts);
            Ok(BaseTokens {
                ids: writer.tokens,
                word_starts,
            })
        })
        .collect()
}

/// The events of a track in order of time; at one tick signatures, tempos,
/// pedals, chords, notes.
fn events(
    score: &GridScore,
    track: &GridTrack,
    chords: &[(u32, String)],
    config: &Config,
) -> Vec<(u32, Event)> {
    let mut events =
        Vec::with_capacity(track.notes.len() + 2 * track.pedals.len() + chords.len() + 8);
    if config.use_time_signatures {
        let signatures = score.signatures.iter();
        events.extend(signatures.map(|signature| (signature.onset, Event::Signature(*signature))));
    }
    events.extend(
        score
            .tempos
            .iter()
            .map(|(onset, tempo)| (*onset, Event::Tempo(*tempo))),
    );
    for pedal in &track.pedals {
        if config.sustain_pedal_duration {
            events.push((pedal.onset, Event::Pedal(Some(pedal.duration_value))));
        } else {
            events.push((pedal.onset, Event::Pedal(None)));
            events.push((pedal.onset.saturating_add(pedal.duration), Event::PedalOff));
        }
    }
    let chord_onsets = chords.iter().enumerate();
    events.extend(chord_onsets.map(|(index, (onset, _))| (*onset, Event::Chord(index))));
    events.extend(
        track
            .notes
            .iter()
            .map(|note| (note.onset, Event::Note(*note))),
    );
    events.sort_by_key(|(tick, _)| *tick);
    events
}

/// Writes tokens and keeps track of bars; the fields are MidiTok's variables.
struct Writer<'a> {
    score: &'a GridScore,
    program: i16,
    chords: &'a [(u32, String)],
    config: &'a Config,
    tables: &'a Tables,
    ids: &'a Ids,
    tokens: Vec<u16>,
    /// The tick of each token, by which words are cut.
    times: Vec<i64>,
    current_bar: i64,
    bar_at_last_signature: i64,
    tick_at_last_signature: i64,
    tick_at_current_bar: i64,
    previous_tick: i64,
    previous_note_end: i64,
    signature: (u8, u8),
    ticks_per_bar: i64,
    ticks_per_beat: u32,
    ticks_per_position: i64,
}

impl<'a> Writer<'a> {
    fn new(
        score: &'a GridScore,
        program: i16,
        chords: &'a [(u32, String)],
        config: &'a Config,
        tables: &'a Tables,
        ids: &'a Ids,
    ) -> Self {
        let first = score.signatures[0];
        let mut writer = Self {
            score,
            program,
            chords,
            config,
            tables,
            ids,
            tokens: Vec::new(),
            times: Vec::new(),
            current_bar: -1,
            bar_at_last_signature: 0,
            tick_at_last_signature: 0,
            tick_at_current_bar: 0,
            previous_tick: -1,
            previous_note_end: 0,
            signature: (4, 4),
            ticks_per_bar: 1,
            ticks_per_beat: 1,
            ticks_per_position: 1,
        };
        writer.set_signature((first.numerator, first.denominator));
        writer
    }

    fn set_signature(&mut self, signature: (u8, u8)) {
        self.signature = signature;
        self.ticks_per_beat = ticks_per_beat(signature.1, self.score.ticks_per_quarter);
        self.ticks_per_bar = (i64::from(self.ticks_per_beat) * i64::from(signature.0)).max(1);
        let positions = u32::from(self.config.max_positions_per_beat());
        self.ticks_per_position = i64::from((self.ticks_per_beat / positions).max(1));
    }

    fn write(&mut self, events: &[(u32, Event)]) -> Result<(), EncodeError> {
        self.tokens.reserve(events.len() * 4);
        self.times.reserve(events.len() * 4);
        for (tick, event) in events {
            let tick = i64::from(*tick);
            let is_signature = matches!(event, Event::Signature(_));
            if tick != self.previous_tick {
                self.advance(tick, is_signature)?;
            }
            if let Event::Signature(signature) = event {
                self.bar_at_last_signature +=
                    (tick - self.tick_at_last_signature).div_euclid(self.ticks_per_bar);
                self.tick_at_last_signature = tick;
                self.set_signature((signature.numerator, signature.denominator));
                // So that the next event gets a position.
                self.previous_tick -= 1;
            }
            self.push_event(tick, event)?;
            let end = match event {
                Event::Note(note) => i64::from(note.end()),
                _ => tick,
            };
            self.previous_note_end = self.previous_note_end.max(end);
        }
        if self.config.add_trailing_bars && self.previous_note_end > self.previous_tick {
            let after_signature = matches!(events.last(), Some((_, Event::Signature(_))));
            self.add_bars(self.previous_note_end, after_signature)?;
        }
        Ok(())
    }

    /// Moves to a new tick: rests, bars, position.
    fn advance(&mut self, tick: i64, is_signature: bool) -> Result<(), EncodeError> {
        if self.config.use_rests {
            self.add_rests(tick)?;
        }
        self.add_bars(tick, is_signature)?;
        if !is_signature {
            let position = (tick - self.tick_at_current_bar).div_euclid(self.ticks_per_position);
            let id = self.ids.position(position)?;
            self.push(id, tick);
        }
        self.previous_tick = tick;
        Ok(())
    }

    fn add_rests(&mut self, tick: i64) -> Result<(), EncodeError> {
        let Some(table) = self.tables.rests(self.ticks_per_beat) else {
            return Ok(());
        };
        let shortest = i64::from(table.ticks[0]);
        if tick - self.previous_note_end < shortest {
            return Ok(());
        }
        self.previous_tick = self.previous_note_end.max(self.previous_tick);
        let mut left = tick - self.previous_tick;
        while left >= shortest {
            let value = table
                .ticks
                .iter()
                .rposition(|ticks| i64::from(*ticks) <= left)
                .unwrap_or(0);
            let id = self.ids.rest(value, self.tables)?;
            self.push(id, self.previous_tick);
            let ticks = i64::from(table.ticks[value]);
            self.previous_tick += ticks;
            left -= ticks;
        }
        let bars =
            (self.previous_tick - self.tick_at_last_signature).div_euclid(self.ticks_per_bar);
        let real_bar = self.bar_at_last_signature + bars;
        if real_bar > self.current_bar {
            self.current_bar = self.current_bar.max(0);
            self.tick_at_current_bar += (real_bar - self.current_bar) * self.ticks_per_bar;
            self.current_bar = real_bar;
        }
        Ok(())
    }

    fn add_bars(&mut self, until: i64, is_signature: bool) -> Result<(), EncodeError> {
        let since = (until - self.tick_at_last_signature).div_euclid(self.ticks_per_bar);
        let new_bars = self.bar_at_last_signature + since - self.current_bar;
        let bars = u64::try_from(self.current_bar + new_bars).unwrap_or(0);
        if bars > MAX_BARS {
            return Err(EncodeError::TooManyBars {
                bars,
                limit: MAX_BARS,
            });
        }
        for index in 0..new_bars {
            self.current_bar += 1;
            let bars = self.current_bar - self.bar_at_last_signature;
            self.tick_at_current_bar = self.tick_at_last_signature + bars * self.ticks_per_bar;
            let tick = self.tick_at_current_bar;
            if self.config.use_bar_end_tokens && self.current_bar > 0 {
                let id = self.ids.bar_end()?;
                self.push(id, tick - 1);
            }
            // MidiTok adds the index among the new bars once more.
            let id = self.ids.bar(self.current_bar + index)?;
            self.push(id, tick);
            if self.config.use_time_signatures && !(is_signature && index + 1 == new_bars) {
                let id = self.ids.signature(self.signature)?;
                self.push(id, tick);
            }
        }
        Ok(())
    }

    fn push_event(&mut self, tick: i64, event: &Event) -> Result<(), EncodeError> {
        match *event {
            Event::Note(note) => {
                let id = self.ids.pitch(note.pitch, self.program < 0)?;
                self.push(id, tick);
                if self.config.use_velocities {
                    let id = self.ids.velocity(note.velocity)?;
                    self.push(id, tick);
                }
                if self.config.uses_duration(self.program) {
                    let id = self.ids.duration(note.duration_value)?;
                    self.push(id, tick);
                }
            }
            Event::Chord(index) => {
                if let Some(id) = self.ids.chord(&self.chords[index].1) {
                    self.push(id, tick);
                }
            }
            Event::Tempo(index) => {
                let id = self.ids.tempo(index, self.tables)?;
                self.push(id, tick);
            }
            Event::Signature(signature) => {
                let id = self
                    .ids
                    .signature((signature.numerator, signature.denominator))?;
                self.push(id, tick);
            }
            Event::Pedal(duration) => {
                let id = self.ids.pedal()?;
                self.push(id, tick);
                if let Some(value) = duration {
                    let id = self.ids.duration(value)?;
                    self.push(id, tick);
                }
            }
            Event::PedalOff => {
                let id = self.ids.pedal_off()?;
                self.push(id, tick);
            }
        }
        Ok(())
    }

    fn push(&mut self, id: u16, tick: i64) {
        self.tokens.push(id);
        self.times.push(tick);
    }
}
