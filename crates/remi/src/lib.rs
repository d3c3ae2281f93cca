//! REMI tokens as MidiTok 3.1.0 makes them, with BPE: scores to ids and back.
//!
//! ```
//! use remi::{Config, Tokenizer};
//! use score::{Note, Score, Track};
//!
//! let mut score = Score::new(480);
//! let mut track = Track::piano();
//! track.notes.push(Note { onset: 0, duration: 480, pitch: 60, velocity: 63 });
//! score.tracks.push(track);
//!
//! let tokenizer = Tokenizer::new(Config::seed())?;
//! let base = tokenizer.encode_base(&score)?;
//! let names = tokenizer.names(&base[0].ids);
//! assert_eq!(names, ["Bar_None", "Position_0", "Pitch_60", "Velocity_63", "Duration_1.0.8"]);
//! let decoded = tokenizer.decode(&tokenizer.encode(&score)?);
//! assert_eq!(decoded.score.note_count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The rules are MidiTok's, down to its oddities: ids are equal, which tests
//! hold against MidiTok's own output.

mod augment;
mod bpe;
mod chords;
mod config;
mod config_file;
mod decode;
mod encode;
mod error;
mod grammar;
mod ids;
mod prepare;
mod tables;
mod time_values;
mod tokenizer;
mod tokenizer_file;
mod vocabulary;
mod words;

pub use augment::Augmentation;
pub use bpe::{Bpe, Scratch, WordCounts};
pub use config::{BeatResolution, Config, Split, Time};
pub use decode::Decoded;
pub use encode::BaseTokens;
pub use error::{BpeError, ConfigError, EncodeError, TokenizerFileError};
pub use grammar::{Grammar, GrammarState};
pub use time_values::TimeValue;
pub use tokenizer::Tokenizer;
pub use vocabulary::{MAX_BASE_TOKENS, Token, Vocabulary};
