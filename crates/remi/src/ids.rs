//! From what is to be told to the id that tells it.

use crate::error::EncodeError;
use crate::tables::Tables;
use crate::vocabulary::{Token, Vocabulary};

/// Ids by value, as arrays; built once for each tokenizer.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    vocabulary: Vocabulary,
    bar: Option<u16>,
    bars: Vec<u16>,
    bar_end: Option<u16>,
    positions: Vec<u16>,
    pitches: [Option<u16>; 128],
    drums: [Option<u16>; 128],
    velocities: [Option<u16>; 128],
    durations: Vec<u16>,
    pedal: Option<u16>,
    pedal_off: Option<u16>,
}

impl Ids {
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let mut ids = Self {
            vocabulary: vocabulary.clone(),
            bar: None,
            bars: Vec::new(),
            bar_end: None,
            positions: Vec::new(),
            pitches: [None; 128],
            drums: [None; 128],
            velocities: [None; 128],
            durations: Vec::new(),
            pedal: None,
            pedal_off: None,
        };
        for (id, token) in vocabulary.tokens().iter().enumerate() {
            let id = id as u16;
            match token {
                Token::Bar(None) => ids.bar = Some(id),
                Token::Bar(Some(number)) if *number as usize == ids.bars.len() => ids.bars.push(id),
                Token::BarEnd => ids.bar_end = Some(id),
                Token::Position(number) if usize::from(*number) == ids.positions.len() => {
                    ids.positions.push(id);
                }
                Token::Pitch(pitch) => ids.pitches[usize::from(*pitch)] = Some(id),
                Token::PitchDrum(pitch) => ids.drums[usize::from(*pitch)] = Some(id),
                Token::Velocity(velocity) => ids.velocities[usize::from(*velocity)] = Some(id),
                Token::Duration(_) => ids.durations.push(id),
                Token::Pedal => ids.pedal = Some(id),
                Token::PedalOff => ids.pedal_off = Some(id),
                _ => {}
            }
        }
        ids
    }

    pub fn bar(&self, number: i64) -> Result<u16, EncodeError> {
        let numbered = || {
            usize::try_from(number)
                .ok()
                .and_then(|index| self.bars.get(index).copied())
        };
        self.bar
            .or_else(numbered)
            .ok_or_else(|| self.missing(format!("Bar_{number}")))
    }

    pub fn bar_end(&self) -> Result<u16, EncodeError> {
        self.bar_end
            .ok_or_else(|| self.missing("Bar_End".to_owned()))
    }

    pub fn position(&self, position: i64) -> Result<u16, EncodeError> {
        let id = usize::try_from(position)
            .ok()
            .and_then(|index| self.positions.get(index));
        id.copied()
            .ok_or_else(|| self.missing(format!("Position_{position}")))
    }

    pub fn pitch(&self, pitch: u8, drum: bool) -> Result<u16, EncodeError> {
        let drum = if drum {
            self.drums[usize::from(pitch)]
        } else {
            None
        };
        let id = drum.or(self.pitches[usize::from(pitch)]);
        id.ok_or_else(|| self.missing(format!("Pitch_{pitch}")))
    }

    pub fn velocity(&self, velocity: u8) -> Result<u16, EncodeError> {
        let id = self.velocities[usize::from(velocity)];
        id.ok_or_else(|| self.missing(format!("Velocity_{velocity}")))
    }

    pub fn duration(&self, value: u16) -> Result<u16, EncodeError> {
        let id = self.durations.get(usize::from(value)).copied();
        id.ok_or_else(|| self.missing("Duration".to_owned()))
    }

    pub fn pedal(&self) -> Result<u16, EncodeError> {
        self.pedal.ok_or_else(|| self.missing("Pedal_0".to_owned()))
    }

    pub fn pedal_off(&self) -> Result<u16, EncodeError> {
        self.pedal_off
            .ok_or_else(|| self.missing("PedalOff_0".to_owned()))
    }

    pub fn signature(&self, (numerator, denominator): (u8, u8)) -> Result<u16, EncodeError> {
        self.named(format!("TimeSig_{numerator}/{denominator}"))
    }

    pub fn tempo(&self, index: usize, tables: &Tables) -> Result<u16, EncodeError> {
        self.named(format!("Tempo_{:?}", tables.tempos[index]))
    }

    pub fn rest(&self, index: usize, tables: &Tables) -> Result<u16, EncodeError> {
        self.named(format!("Rest_{}", tables.rest_values[index].name()))
    }

    /// A chord; unknown ones of a number of notes that has no token are not
    /// told.
    pub fn chord(&self, name: &str) -> Option<u16> {
        self.vocabulary.id(&format!("Chord_{name}"))
    }

    fn named(&self, name: String) -> Result<u16, EncodeError> {
        self.vocabulary.id(&name).ok_or_else(|| self.missing(name))
    }

    fn missing(&self, token: String) -> EncodeError {
        EncodeError::NotInVocabulary {
            token,
            vocabulary: self.vocabulary.len(),
        }
    }
}
