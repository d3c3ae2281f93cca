//! What a REMI tokenizer is to represent, and how finely: MidiTok's
//! `TokenizerConfig` as far as it concerns pianos.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::ConfigError;

/// How many positions a beat has for times within a range of beats, as in
/// MidiTok's `beat_res`: `{0_4: 8, 4_12: 4}` is `[(0, 4, 8), (4, 12, 4)]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeatResolution {
    /// First beat of the range.
    pub from: u16,
    /// The beat behind the range.
    pub to: u16,
    /// Positions a beat.
    pub positions: u16,
}

/// Where a sequence is cut into words before BPE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// At bars, MidiTok's default.
    #[default]
    Bar,
    /// At beats.
    Beat,
    /// Nowhere.
    No,
}

/// What a step of the grid is in the scores that a tokenizer is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Time {
    /// A fraction of a beat of the score, as in MidiTok.
    #[default]
    Score,
    /// A span of real time, whatever the file's tempos: scores are carried over
    /// by `score::to_performance_time` before they are encoded.
    Performance,
}

/// A tokenizer's configuration. Field names and defaults are MidiTok 3.1.0's,
/// whose documentation describes each at length.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Lowest and highest pitch, both included.
    pub pitch_range: (u8, u8),
    /// Resolution of onsets (its finest) and durations, in beats.
    pub beat_res: Vec<BeatResolution>,
    /// Number of velocity bins.
    pub num_velocities: u8,
    /// Whether of notes with the same onset and pitch only one is kept.
    pub remove_duplicated_notes: bool,
    /// Where sequences are cut into words before BPE.
    pub encode_ids_split: Split,
    /// Special tokens such as `PAD_None`, in the order of their ids.
    pub special_tokens: Vec<String>,
    /// Whether notes have a velocity token.
    pub use_velocities: bool,
    /// Programs (drums are -1) whose notes have a duration token.
    pub use_note_duration_programs: Vec<i16>,
    /// Whether chords are named.
    pub use_chords: bool,
    /// Whether silence is told by rests.
    pub use_rests: bool,
    /// Whether tempo changes are told.
    pub use_tempos: bool,
    /// Whether time signatures are told; if not, all is 4/4.
    pub use_time_signatures: bool,
    /// Whether the sustain pedal is told.
    pub use_sustain_pedals: bool,
    /// Whether drums have pitch tokens of their own.
    pub use_pitchdrum_tokens: bool,
    /// Duration in beats of notes that have no duration token.
    pub default_note_duration: f64,
    /// Resolution of rests, in beats.
    pub beat_res_rest: Vec<BeatResolution>,
    /// Chord qualities and their intervals above the lowest note, in semitones.
    pub chord_maps: IndexMap<String, Vec<u8>>,
    /// Whether chord tokens name the root.
    pub chord_tokens_with_root_note: bool,
    /// Numbers of notes (from, to behind the last) of chords that are told
    /// without being known.
    pub chord_unknown: Option<(u8, u8)>,
    /// Number of tempo bins.
    pub num_tempos: u16,
    /// Slowest and fastest tempo, in quarter notes a minute.
    pub tempo_range: (f64, f64),
    /// Whether tempo bins are spaced logarithmically.
    pub log_tempos: bool,
    /// Whether a tempo change to the bin that holds already is left out.
    pub delete_equal_successive_tempo_changes: bool,
    /// Time signatures: numerators by denominator, in the order of their ids.
    pub time_signature_range: IndexMap<u8, Vec<u8>>,
    /// The same as for tempos.
    pub delete_equal_successive_time_sig_changes: bool,
    /// Whether a pedal token is followed by its duration in place of a
    /// pedal-off token later.
    pub sustain_pedal_duration: bool,
    /// Lowest and highest drum pitch, both included.
    pub drums_pitch_range: (u8, u8),
    /// Number of bar tokens, where bars are numbered.
    pub max_bar_embedding: Option<u32>,
    /// Whether bars are closed by a token of their own.
    pub use_bar_end_tokens: bool,
    /// Whether bars in which notes only sound on are told.
    pub add_trailing_bars: bool,
}

const CHORD_MAPS: [(&str, &[u8]); 14] = [
    ("min", &[0, 3, 7]),
    ("maj", &[0, 4, 7]),
    ("dim", &[0, 3, 6]),
    ("aug", &[0, 4, 8]),
    ("sus2", &[0, 2, 7]),
    ("sus4", &[0, 5, 7]),
    ("7dom", &[0, 4, 7, 10]),
    ("7min", &[0, 3, 7, 10]),
    ("7maj", &[0, 4, 7, 11]),
    ("7halfdim", &[0, 3, 6, 10]),
    ("7dim", &[0, 3, 6, 9]),
    ("7aug", &[0, 4, 8, 11]),
    ("9maj", &[0, 4, 7, 10, 14]),
    ("9min", &[0, 4, 7, 10, 13]),
];

fn resolutions(table: &[(u16, u16, u16)]) -> Vec<BeatResolution> {
    let row = |&(from, to, positions): &(u16, u16, u16)| BeatResolution {
        from,
        to,
        positions,
    };
    table.iter().map(row).collect()
}

impl Default for Config {
    /// MidiTok 3.1.0's defaults.
    fn default() -> Self {
        Self {
            pitch_range: (21, 109),
            beat_res: resolutions(&[(0, 4, 8), (4, 12, 4)]),
            num_velocities: 32,
            remove_duplicated_notes: false,
            encode_ids_split: Split::Bar,
            special_tokens: ["PAD_None", "BOS_None", "EOS_None", "MASK_None"]
                .map(String::from)
                .to_vec(),
            use_velocities: true,
            use_note_duration_programs: (0..128).chain([-1]).collect(),
            use_chords: false,
            use_rests: false,
            use_tempos: false,
            use_time_signatures: true,
            use_sustain_pedals: false,
            use_pitchdrum_tokens: true,
            default_note_duration: 0.5,
            beat_res_rest: resolutions(&[(0, 1, 8), (1, 2, 4), (2, 12, 2)]),
            chord_maps: CHORD_MAPS
                .map(|(name, intervals)| (name.to_owned(), intervals.to_vec()))
                .into_iter()
                .collect(),
            chord_tokens_with_root_note: false,
            chord_unknown: None,
            num_tempos: 32,
            tempo_range: (40.0, 250.0),
            log_tempos: false,
            delete_equal_successive_tempo_changes: false,
            time_signature_range: [(8, vec![3, 12, 6]), (4, vec![5, 6, 3, 2, 1, 4])]
                .into_iter()
                .collect(),
            delete_equal_successive_time_sig_changes: false,
            sustain_pedal_duration: false,
            drums_pitch_range: (27, 88),
            max_bar_embedding: None,
            use_bar_end_tokens: false,
            add_trailing_bars: false,
        }
    }
}

impl Config {
    /// The seed project's configuration: 16 velocities, no time signatures.
    pub fn seed() -> Self {
        Self {
            num_velocities: 16,
            use_time_signatures: false,
            ..Self::default()
        }
    }

    /// For expressive playing in performance time: 32 positions a beat (15.6
    /// milliseconds at 120 beats a minute) for spans under two beats, coarser
    /// ones for longer spans, 32 velocities, the sustain pedal.
    pub fn performance() -> Self {
        Self {
            beat_res: resolutions(&[(0, 2, 32), (2, 4, 16), (4, 12, 8)]),
            num_velocities: 32,
            use_time_signatures: false,
            use_sustain_pedals: true,
            ..Self::default()
        }
    }

    /// Positions a beat on the finest grid, which is the grid of onsets.
    pub fn max_positions_per_beat(&self) -> u16 {
        self.beat_res
            .iter()
            .map(|range| range.positions)
            .max()
            .unwrap_or(1)
    }

    /// Whether notes of this program (drums are -1) have a duration token.
    pub fn uses_duration(&self, program: i16) -> bool {
        self.use_note_duration_programs.contains(&program)
    }

    /// Whether any notes have duration tokens.
    pub fn uses_durations(&self) -> bool {
        !self.use_note_duration_programs.is_empty()
    }

    /// Checks that a vocabulary can be made of this configuration.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the field, its value and what it must be.
    pub fn validate(&self) -> Result<(), ConfigError> {
        check_pitches("pitch_range", self.pitch_range)?;
        check_pitches("drums_pitch_range", self.drums_pitch_range)?;
        check_resolutions("beat_res", &self.beat_res)?;
        if self.use_rests {
            check_resolutions("beat_res_rest", &self.beat_res_rest)?;
        }
        let velocities = self.num_velocities;
        check(
            "num_velocities",
            velocities,
            (1..=127).contains(&velocities),
            "1 to 127",
        )?;
        let tempos = self.num_tempos;
        check(
            "num_tempos",
            tempos,
            (2..=1024).contains(&tempos),
            "2 to 1024",
        )?;
        let (slow, fast) = self.tempo_range;
        let sensible = slow.is_finite() && fast.is_finite() && 1.0 <= slow && slow < fast;
        check(
            "tempo_range",
            format!("{slow} to {fast}"),
            sensible,
            "rising, from 1 upwards",
        )?;
        let duration = self.default_note_duration;
        let sensible = (0.0..=1000.0).contains(&duration);
        check(
            "default_note_duration",
            duration,
            sensible,
            "0 to 1000 beats",
        )?;
        let specials = self.special_tokens.len();
        check(
            "special_tokens",
            specials,
            (1..=64).contains(&specials),
            "1 to 64 tokens",
        )?;
        let bars = self.max_bar_embedding.unwrap_or(1);
        check(
            "max_bar_embedding",
            bars,
            (1..=16_384).contains(&bars),
            "1 to 16384",
        )?;
        if self.use_time_signatures {
            self.check_time_signatures()?;
        }
        Ok(())
    }

    fn check_time_signatures(&self) -> Result<(), ConfigError> {
        let field = "time_signature_range";
        for (denominator, numerators) in &self.time_signature_range {
            let power = denominator.is_power_of_two();
            check(
                field,
                denominator,
                power,
                "denominators that are powers of two",
            )?;
            let whole = !numerators.is_empty() && !numerators.contains(&0);
            check(
                field,
                format!("{numerators:?}"),
                whole,
                "numerators from 1 upwards",
            )?;
        }
        let known = self.time_signature_range.contains_key(&4);
        check(
            field,
            "no denominator 4",
            known,
            "a range with numerators for 4",
        )
    }
}

fn check(
    field: &'static str,
    value: impl ToString,
    holds: bool,
    expected: &'static str,
) -> Result<(), ConfigError> {
    match holds {
        true => Ok(()),
        false => Err(ConfigError::Invalid {
            field,
            value: value.to_string(),
            expected,
        }),
    }
}

fn check_pitches(field: &'static str, (low, high): (u8, u8)) -> Result<(), ConfigError> {
    check(
        field,
        format!("{low} to {high}"),
        low < high && high <= 127,
        "rising, 0 to 127",
    )
}

fn check_resolutions(field: &'static str, table: &[BeatResolution]) -> Result<(), ConfigError> {
    let sound = |range: &BeatResolution| {
        range.from < range.to && range.to <= 256 && (1..=256).contains(&range.positions)
    };
    // MidiTok takes ranges in any order and then searches unsorted durations.
    let rising = table.windows(2).all(|pair| pair[0].to <= pair[1].from);
    let holds = !table.is_empty() && table.iter().all(sound) && rising;
    let expected = "rising ranges of up to 256 beats, 1 to 256 positions a beat";
    check(field, format!("{table:?}"), holds, expected)
}
