//! The configuration as MidiTok writes it into `tokenizer.json`, in both
//! directions: names, nesting and defaults of 3.1.0, and the older names that
//! 2.1.8 wrote.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::config::{BeatResolution, Config, Split};

type Resolutions = IndexMap<String, u16>;

/// MidiTok's `config` object. Fields that we do not support are read to be
/// refused by name, and written with MidiTok's defaults.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct ConfigFile {
    pitch_range: (u8, u8),
    beat_res: Resolutions,
    #[serde(alias = "nb_velocities")]
    num_velocities: u8,
    remove_duplicated_notes: bool,
    encode_ids_split: String,
    special_tokens: Vec<String>,
    use_velocities: bool,
    use_note_duration_programs: Vec<i16>,
    use_chords: bool,
    use_rests: bool,
    use_tempos: bool,
    use_time_signatures: bool,
    use_key_signatures: bool,
    use_sustain_pedals: bool,
    use_pitch_bends: bool,
    use_control_changes: bool,
    use_programs: bool,
    use_pitch_intervals: bool,
    use_pitchdrum_tokens: bool,
    default_note_duration: f64,
    one_token_stream_for_programs: bool,
    program_changes: bool,
    beat_res_rest: Resolutions,
    chord_maps: IndexMap<String, Vec<u8>>,
    chord_tokens_with_root_note: bool,
    chord_unknown: Option<(u8, u8)>,
    #[serde(alias = "nb_tempos")]
    num_tempos: u16,
    #[serde(serialize_with = "whole_where_possible")]
    tempo_range: (f64, f64),
    log_tempos: bool,
    delete_equal_successive_tempo_changes: bool,
    time_signature_range: IndexMap<String, Vec<u8>>,
    delete_equal_successive_time_sig_changes: bool,
    sustain_pedal_duration: bool,
    drums_pitch_range: (u8, u8),
    #[serde(skip_serializing)]
    ac_polyphony_track: bool,
    #[serde(skip_serializing)]
    ac_polyphony_bar: bool,
    #[serde(skip_serializing)]
    ac_pitch_class_bar: bool,
    #[serde(skip_serializing)]
    ac_note_density_track: bool,
    #[serde(skip_serializing)]
    ac_note_density_bar: bool,
    #[serde(skip_serializing)]
    ac_note_duration_bar: bool,
    #[serde(skip_serializing)]
    ac_note_duration_track: bool,
    #[serde(skip_serializing)]
    ac_repetition_track: bool,
    additional_params: AdditionalParams,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct AdditionalParams {
    max_bar_embedding: Option<u32>,
    use_bar_end_tokens: bool,
    add_trailing_bars: bool,
}

/// MidiTok writes `[40, 250]`, not `[40.0, 250.0]`.
fn whole_where_possible<S: serde::Serializer>(
    range: &(f64, f64),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let whole = |value: f64| value.fract() == 0.0 && value.abs() < 1e9;
    if whole(range.0) && whole(range.1) {
        (range.0 as i64, range.1 as i64).serialize(serializer)
    } else {
        range.serialize(serializer)
    }
}

impl Default for ConfigFile {
    fn default() -> Self {
        Self::from(&Config::default())
    }
}

impl From<&Config> for ConfigFile {
    fn from(config: &Config) -> Self {
        let resolutions = |table: &[BeatResolution]| {
            let row =
                |range: &BeatResolution| (format!("{}_{}", range.from, range.to), range.positions);
            table.iter().map(row).collect()
        };
        Self {
            pitch_range: config.pitch_range,
            beat_res: resolutions(&config.beat_res),
            num_velocities: config.num_velocities,
            remove_duplicated_notes: config.remove_duplicated_notes,
            encode_ids_split: match config.encode_ids_split {
                Split::Bar => "bar",
                Split::Beat => "beat",
                Split::No => "no",
            }
            .to_owned(),
            special_tokens: config.special_tokens.clone(),
            use_velocities: config.use_velocities,
            use_note_duration_programs: config.use_note_duration_programs.clone(),
            use_chords: config.use_chords,
            use_rests: config.use_rests,
            use_tempos: config.use_tempos,
            use_time_signatures: config.use_time_signatures,
            use_key_signatures: false,
            use_sustain_pedals: config.use_sustain_pedals,
            use_pitch_bends: false,
            use_control_changes: false,
            use_programs: false,
            use_pitch_intervals: false,
            use_pitchdrum_tokens: config.use_pitchdrum_tokens,
            default_note_duration: config.default_note_duration,
            one_token_stream_for_programs: false,
            program_changes: false,
            beat_res_rest: resolutions(&config.beat_res_rest),
            chord_maps: config.chord_maps.clone(),
            chord_tokens_with_root_note: config.chord_tokens_with_root_note,
            chord_unknown: config.chord_unknown,
            num_tempos: config.num_tempos,
            tempo_range: config.tempo_range,
            log_tempos: config.log_tempos,
            delete_equal_successive_tempo_changes: config.delete_equal_successive_tempo_changes,
            time_signature_range: config
                .time_signature_range
                .iter()
                .map(|(denominator, numerators)| (denominator.to_string(), numerators.clone()))
                .collect(),
            delete_equal_successive_time_sig_changes: config
                .delete_equal_successive_time_sig_changes,
            sustain_pedal_duration: config.sustain_pedal_duration,
            drums_pitch_range: config.drums_pitch_range,
            ac_polyphony_track: false,
            ac_polyphony_bar: false,
            ac_pitch_class_bar: false,
            ac_note_density_track: false,
            ac_note_density_bar: false,
            ac_note_duration_bar: false,
            ac_note_duration_track: false,
            ac_repetition_track: false,
            additional_params: AdditionalParams {
                max_bar_embedding: config.max_bar_embedding,
                use_bar_end_tokens: config.use_bar_end_tokens,
                add_trailing_bars: config.add_trailing_bars,
            },
        }
    }
}

impl ConfigFile {
    /// The configuration, checked. `before_3` tells of a file of MidiTok before
    /// 3.0: there the highest pitch is not in the range, drums have no pitch tokens
    /// of their own, and BPE joins tokens across bars.
    ///
    /// # Errors
    /// [`ConfigError::Unsupported`] for features that we do not have,
    /// [`ConfigError::Invalid`] for values out of range.
    pub fn into_config(self, before_3: bool) -> Result<Config, ConfigError> {
        self.refuse_unsupported()?;
        if before_3 && self.use_time_signatures {
            let feature = "time signatures as MidiTok before 3.0 has them (use_time_signatures)";
            return Err(ConfigError::Unsupported(feature.to_owned()));
        }
        let (low, high) = self.pitch_range;
        let config = Config {
            pitch_range: (low, high.saturating_sub(u8::from(before_3))),
            beat_res: read_resolutions("beat_res", &self.beat_res)?,
            num_velocities: self.num_velocities,
            remove_duplicated_notes: self.remove_duplicated_notes,
            encode_ids_split: match self.encode_ids_split.as_str() {
                _ if before_3 => Split::No,
                "bar" => Split::Bar,
                "beat" => Split::Beat,
                "no" => Split::No,
                _ => {
                    return Err(invalid(
                        "encode_ids_split",
                        &self.encode_ids_split,
                        "bar, beat or no",
                    ));
                }
            },
            special_tokens: self
                .special_tokens
                .iter()
                .map(|token| special_name(token))
                .collect(),
            use_velocities: self.use_velocities,
            use_note_duration_programs: self.use_note_duration_programs,
            use_chords: self.use_chords,
            use_rests: self.use_rests,
            use_tempos: self.use_tempos,
            use_time_signatures: self.use_time_signatures,
            use_sustain_pedals: self.use_sustain_pedals,
            use_pitchdrum_tokens: self.use_pitchdrum_tokens && !before_3,
            default_note_duration: self.default_note_duration,
            beat_res_rest: read_resolutions("beat_res_rest", &self.beat_res_rest)?,
            chord_maps: self.chord_maps,
            chord_tokens_with_root_note: self.chord_tokens_with_root_note,
            chord_unknown: self.chord_unknown,
            num_tempos: self.num_tempos,
            tempo_range: self.tempo_range,
            log_tempos: self.log_tempos,
            delete_equal_successive_tempo_changes: self.delete_equal_successive_tempo_changes,
            time_signature_range: self
                .time_signature_range
                .into_iter()
                .map(|(denominator, numerators)| match denominator.parse() {
                    Ok(value) => Ok((value, numerators)),
                    Err(_) => Err(invalid("time_signature_range", &denominator, "a number")),
                })
                .collect::<Result<_, _>>()?,
            delete_equal_successive_time_sig_changes: self.delete_equal_successive_time_sig_changes,
            sustain_pedal_duration: self.sustain_pedal_duration && self.use_sustain_pedals,
            drums_pitch_range: self.drums_pitch_range,
            max_bar_embedding: self.additional_params.max_bar_embedding,
            use_bar_end_tokens: self.additional_params.use_bar_end_tokens,
            add_trailing_bars: self.additional_params.add_trailing_bars,
        };
        config.validate()?;
        Ok(config)
    }

    fn refuse_unsupported(&self) -> Result<(), ConfigError> {
        let features = [
            (self.use_programs, "programs (use_programs)"),
            (
                self.use_key_signatures,
                "key signatures (use_key_signatures)",
            ),
            (self.use_pitch_bends, "pitch bends (use_pitch_bends)"),
            (
                self.use_control_changes,
                "control changes (use_control_changes)",
            ),
            (
                self.use_pitch_intervals,
                "pitch intervals (use_pitch_intervals)",
            ),
            (
                self.ac_polyphony_track,
                "attribute controls (ac_polyphony_track)",
            ),
            (
                self.ac_polyphony_bar,
                "attribute controls (ac_polyphony_bar)",
            ),
            (
                self.ac_pitch_class_bar,
                "attribute controls (ac_pitch_class_bar)",
            ),
            (
                self.ac_note_density_track,
                "attribute controls (ac_note_density_track)",
            ),
            (
                self.ac_note_density_bar,
                "attribute controls (ac_note_density_bar)",
            ),
            (
                self.ac_note_duration_bar,
                "attribute controls (ac_note_duration_bar)",
            ),
            (
                self.ac_note_duration_track,
                "attribute controls (ac_note_duration_track)",
            ),
            (
                self.ac_repetition_track,
                "attribute controls (ac_repetition_track)",
            ),
        ];
        match features.iter().find(|(used, _)| *used) {
            Some((_, name)) => Err(ConfigError::Unsupported((*name).to_owned())),
            None => Ok(()),
        }
    }
}

/// MidiTok 2 wrote `PAD` where 3 writes `PAD_None`; with more than one
/// underscore the earlier ones become hyphens.
fn special_name(token: &str) -> String {
    match token.rsplit_once('_') {
        None => format!("{token}_None"),
        Some((kind, value)) => format!("{}_{value}", kind.replace('_', "-")),
    }
}

fn read_resolutions(
    field: &'static str,
    table: &Resolutions,
) -> Result<Vec<BeatResolution>, ConfigError> {
    let row = |(range, positions): (&String, &u16)| {
        let (from, to) = range.split_once('_')?;
        Some(BeatResolution {
            from: from.parse().ok()?,
            to: to.parse().ok()?,
            positions: *positions,
        })
    };
    let expected = "beats as in 0_4";
    table
        .iter()
        .map(|entry| row(entry).ok_or_else(|| invalid(field, entry.0, expected)))
        .collect()
}

fn invalid(field: &'static str, value: &str, expected: &'static str) -> ConfigError {
    ConfigError::Invalid {
        field,
        value: value.to_owned(),
        expected,
    }
}
