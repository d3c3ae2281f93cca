//! The base vocabulary: tokens, their names and their ids.
//!
//! Order and names are those of MidiTok's `REMI._create_base_vocabulary`.

use std::collections::{HashMap, HashSet};

use crate::config::Config;
use crate::time_values::{TimeValue, time_values};

/// What a base token says.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A special token: padding, beginning, end and the like.
    Special,
    /// A new bar; numbered where the configuration says so.
    Bar(Option<u32>),
    /// The end of a bar.
    BarEnd,
    /// Onset within the bar, in positions.
    Position(u16),
    /// A note's pitch.
    Pitch(u8),
    /// A drum's pitch.
    PitchDrum(u8),
    /// A note's velocity.
    Velocity(u8),
    /// A note's or a pedal's duration.
    Duration(TimeValue),
    /// A chord that the following notes form.
    Chord(String),
    /// Silence.
    Rest(TimeValue),
    /// Tempo in quarter notes a minute.
    Tempo(f64),
    /// Time signature: numerator, denominator.
    TimeSignature(u8, u8),
    /// The sustain pedal goes down.
    Pedal,
    /// The sustain pedal is lifted.
    PedalOff,
}

/// Base tokens by id, and ids by what is told. Ids fit 15 bits.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    names: Vec<String>,
    tokens: Vec<Token>,
    ids: HashMap<String, u16>,
}

/// The most base tokens a vocabulary may have: ids are kept in 15 bits.
pub const MAX_BASE_TOKENS: usize = 1 << 15;

const PITCH_CLASSES: [&str; 12] = [
    "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B",
];

impl Vocabulary {
    /// The vocabulary that MidiTok 3.1.0 makes of a configuration.
    pub fn new(config: &Config) -> Self {
        let mut seen = HashSet::new();
        let mut names = base_names(config);
        // A chord quality can be named like a number of notes, for example.
        names.retain(|name| seen.insert(name.clone()));
        Self::from_names(names, &config.special_tokens).unwrap_or_else(|_| Self::empty())
    }

    /// A vocabulary of these names, in the order of their ids; the names of
    /// special tokens can be any.
    ///
    /// # Errors
    /// The first name that is no token of ours, or is there twice, or is one
    /// too many.
    pub fn from_names(names: Vec<String>, special: &[String]) -> Result<Self, String> {
        let mut vocabulary = Self::empty();
        for name in names {
            let token = match special.contains(&name) {
                true => Token::Special,
                false => parse(&name).ok_or_else(|| name.clone())?,
            };
            let id = vocabulary.names.len();
            if id >= MAX_BASE_TOKENS || vocabulary.ids.insert(name.clone(), id as u16).is_some() {
                return Err(name);
            }
            vocabulary.names.push(name);
            vocabulary.tokens.push(token);
        }
        Ok(vocabulary)
    }

    fn empty() -> Self {
        Self {
            names: Vec::new(),
            tokens: Vec::new(),
            ids: HashMap::new(),
        }
    }

    /// Number of base tokens.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The id of a name such as `Pitch_60`.
    pub fn id(&self, name: &str) -> Option<u16> {
        self.ids.get(name).copied()
    }

    /// The name of an id.
    pub fn name(&self, id: u16) -> Option<&str> {
        self.names.get(usize::from(id)).map(String::as_str)
    }

    /// What an id says.
    pub fn token(&self, id: u16) -> Option<&Token> {
        self.tokens.get(usize::from(id))
    }

    /// All names, in the order of ids.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// All tokens, in the order of ids.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }
}

fn base_names(config: &Config) -> Vec<String> {
    let mut names = config.special_tokens.clone();
    match config.max_bar_embedding {
        Some(bars) => names.extend((0..bars).map(|bar| format!("Bar_{bar}"))),
        None => names.push("Bar_None".to_owned()),
    }
    if config.use_bar_end_tokens {
        names.push("Bar_End".to_owned());
    }
    let (lowest, highest) = config.pitch_range;
    names.extend((lowest..=highest).map(|pitch| format!("Pitch_{pitch}")));
    names.extend(
        velocities(config)
            .iter()
            .map(|velocity| format!("Velocity_{velocity}")),
    );
    if config.uses_durations() || config.sustain_pedal_duration {
        let values = time_values(&config.beat_res);
        names.extend(
            values
                .iter()
                .map(|value| format!("Duration_{}", value.name())),
        );
    }
    let longest_bar = time_signatures(config)
        .iter()
        .map(|(numerator, _)| *numerator)
        .max();
    let positions = config.max_positions_per_beat() * u16::from(longest_bar.unwrap_or(4));
    names.extend((0..positions).map(|position| format!("Position_{position}")));
    if config.use_pitchdrum_tokens {
        let (lowest, highest) = config.drums_pitch_range;
        names.extend((lowest..=highest).map(|pitch| format!("PitchDrum_{pitch}")));
    }
    if config.use_chords {
        names.extend(chord_names(config));
    }
    if config.use_rests {
        let values = time_values(&config.beat_res_rest);
        names.extend(values.iter().map(|value| format!("Rest_{}", value.name())));
    }
    if config.use_tempos {
        names.extend(
            tempos(config)
                .iter()
                .map(|tempo| format!("Tempo_{tempo:?}")),
        );
    }
    if config.use_time_signatures {
        let signatures = time_signatures(config);
        names.extend(
            signatures
                .iter()
                .map(|(beats, value)| format!("TimeSig_{beats}/{value}")),
        );
    }
    if config.use_sustain_pedals {
        names.push("Pedal_0".to_owned());
        if !config.sustain_pedal_duration {
            names.push("PedalOff_0".to_owned());
        }
    }
    names
}

fn chord_names(config: &Config) -> Vec<String> {
    let (from, to) = config.chord_unknown.unwrap_or((0, 0));
    let qualities = config.chord_maps.keys();
    if config.chord_tokens_with_root_note {
        let unknown = (from..to).map(|notes| format!("ukn{notes}"));
        qualities
            .cloned()
            .chain(unknown)
            .flat_map(|quality| PITCH_CLASSES.map(|root| format!("Chord_{root}:{quality}")))
            .collect()
    } else {
        let unknown = (from..to).map(|notes| format!("Chord_{notes}"));
        qualities
            .map(|quality| format!("Chord_{quality}"))
            .chain(unknown)
            .collect()
    }
}

/// The name of a pitch class, as chord tokens have it.
pub(crate) fn pitch_class(pitch: u8) -> &'static str {
    PITCH_CLASSES[usize::from(pitch % 12)]
}

/// The velocities that are kept: `np.linspace(0, 127, n + 1, dtype=int)[1:]`.
pub(crate) fn velocities(config: &Config) -> Vec<u8> {
    if !config.use_velocities {
        return Vec::new();
    }
    let bins = f64::from(config.num_velocities);
    (1..=config.num_velocities)
        .map(|bin| {
            if bin == config.num_velocities {
                127
            } else {
                (f64::from(bin) * (127.0 / bins)) as u8
            }
        })
        .collect()
}

/// The tempos that are kept, in quarter notes a minute, to two decimals.
pub(crate) fn tempos(config: &Config) -> Vec<f64> {
    let (slow, fast) = config.tempo_range;
    let count = config.num_tempos;
    let (start, stop) = match config.log_tempos {
        true => (slow.log10(), fast.log10()),
        false => (slow, fast),
    };
    let step = (stop - start) / f64::from(count.max(2) - 1);
    let value = |index: u16| match index {
        0 => slow,
        _ if index + 1 == count => fast,
        _ if config.log_tempos => 10_f64.powf(start + step * f64::from(index)),
        _ => start + step * f64::from(index),
    };
    (0..count)
        .map(|index| (value(index) * 100.0).round_ties_even() / 100.0)
        .collect()
}

/// Time signatures in the order of their ids; 4/4 alone where they are not told.
pub(crate) fn time_signatures(config: &Config) -> Vec<(u8, u8)> {
    if !config.use_time_signatures {
        return vec![(4, 4)];
    }
    let all = config.time_signature_range.iter();
    all.flat_map(|(value, beats)| beats.iter().map(|beats| (*beats, *value)))
        .collect()
}

fn parse(name: &str) -> Option<Token> {
    let (kind, value) = name.split_once('_')?;
    Some(match (kind, value) {
        ("Bar", "None") => Token::Bar(None),
        ("Bar", "End") => Token::BarEnd,
        ("Bar", number) => Token::Bar(Some(number.parse().ok()?)),
        ("Position", position) => Token::Position(position.parse().ok()?),
        ("Pitch", pitch) => Token::Pitch(pitch.parse().ok().filter(|pitch| *pitch < 128)?),
        ("PitchDrum", pitch) => Token::PitchDrum(pitch.parse().ok().filter(|pitch| *pitch < 128)?),
        ("Velocity", velocity) => {
            Token::Velocity(velocity.parse().ok().filter(|velocity| *velocity < 128)?)
        }
        ("Duration", value) => Token::Duration(parse_time_value(value)?),
        ("Rest", value) => Token::Rest(parse_time_value(value)?),
        ("Chord", quality) => Token::Chord(quality.to_owned()),
        ("Tempo", tempo) => Token::Tempo(
            tempo
                .parse()
                .ok()
                .filter(|tempo: &f64| tempo.is_finite() && *tempo >= 1.0)?,
        ),
        ("TimeSig", signature) => {
            let (beats, value) = signature.split_once('/')?;
            let (beats, value): (u8, u8) = (beats.parse().ok()?, value.parse().ok()?);
            if beats == 0 || !value.is_power_of_two() {
                return None;
            }
            Token::TimeSignature(beats, value)
        }
        ("Pedal", "0") => Token::Pedal,
        ("PedalOff", "0") => Token::PedalOff,
        (_, "None") => Token::Special,
        _ => return None,
    })
}

fn parse_time_value(value: &str) -> Option<TimeValue> {
    let mut parts = value.split('.').map(str::parse);
    let mut part = || parts.next()?.ok();
    let value = TimeValue {
        beat: part()?,
        position: part()?,
        resolution: part()?,
    };
    (value.beat <= 256 && value.position <= 256 && (1..=256).contains(&value.resolution))
        .then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_miditoks() {
        let seed = Config::seed();
        assert_eq!(velocities(&seed)[..3], [7, 15, 23]);
        assert_eq!(Vocabulary::new(&seed).len(), 268);
        assert_eq!(Vocabulary::new(&Config::default()).len(), 357);
        assert_eq!(tempos(&seed)[..3], [40.0, 46.77, 53.55]);
    }

    #[test]
    fn a_name_twice_or_of_another_kind_is_refused() {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        let twice = names(&["PAD_None", "Pitch_60", "Pitch_60"]);
        assert!(Vocabulary::from_names(twice, &[]).is_err());
        assert!(Vocabulary::from_names(names(&["Program_3"]), &[]).is_err());
        let special = names(&["Program_3"]);
        assert!(Vocabulary::from_names(special.clone(), &special).is_ok());
    }
}
