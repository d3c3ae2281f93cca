//! Instruments from SoundFont files, through `rustysynth`.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rustysynth::{SoundFont, Synthesizer, SynthesizerSettings};
use score::Score;

use crate::{Instrument, RenderError};

/// Notes that sound at once at most.
const POLYPHONY: usize = 256;
/// Channels but the drums'; parts beyond them share.
const MELODIC: [u8; 15] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15];
const DRUMS: u8 = 9;
const PROGRAM_CHANGE: i32 = 0xc0;
const CONTROL_CHANGE: i32 = 0xb0;
const SUSTAIN: i32 = 64;
/// What is below this in amplitude for so many seconds has ended.
const SILENCE: f32 = 1e-5;
const SILENT_SECONDS: f64 = 0.3;

/// A SoundFont that plays each part with its General MIDI program.
pub struct SoundFontPlayer {
    synthesizer: Synthesizer,
    channels: Vec<i32>,
    held: usize,
    quiet: usize,
    quiet_enough: usize,
    broken: bool,
}

impl SoundFontPlayer {
    /// Reads a SoundFont and sets it up for the parts of a score.
    ///
    /// # Errors
    /// [`RenderError::SoundFont`] where it cannot be read,
    /// [`RenderError::SampleRate`] for a rate beyond 16,000 to 192,000 Hz.
    pub fn new(mut file: impl Read, score: &Score, sample_rate: u32) -> Result<Self, RenderError> {
        // The library indexes by what a damaged file says.
        let font = catch_unwind(AssertUnwindSafe(|| SoundFont::new(&mut file)));
        let font = font.map_err(|_| RenderError::damaged_soundfont())?;
        let font = Arc::new(font.map_err(|error| RenderError::SoundFont(error.to_string()))?);
        let rate = i32::try_from(sample_rate).map_err(|_| RenderError::SampleRate(sample_rate))?;
        let mut settings = SynthesizerSettings::new(rate);
        settings.maximum_polyphony = POLYPHONY;
        let synthesizer = Synthesizer::new(&font, &settings);
        let mut player = Self {
            synthesizer: synthesizer.map_err(|_| RenderError::SampleRate(sample_rate))?,
            channels: Vec::new(),
            held: 0,
            quiet: 0,
            quiet_enough: (SILENT_SECONDS * f64::from(sample_rate)) as usize,
            broken: false,
        };
        let mut melodic = MELODIC.iter().cycle();
        for track in &score.tracks {
            let channel = match track.is_drum {
                true => DRUMS,
                false => *melodic.next().unwrap_or(&0),
            };
            let channel = i32::from(channel);
            let program = i32::from(track.program);
            player
                .synthesizer
                .process_midi_message(channel, PROGRAM_CHANGE, program, 0);
            player.channels.push(channel);
        }
        Ok(player)
    }

    fn channel(&self, part: usize) -> i32 {
        self.channels.get(part).copied().unwrap_or(0)
    }
}

impl Instrument for SoundFontPlayer {
    fn has_drums(&self) -> bool {
        true
    }

    fn note_on(&mut self, part: usize, key: u8, velocity: u8) {
        let channel = self.channel(part);
        let velocity = i32::from(velocity.min(127));
        self.synthesizer.note_on(channel, i32::from(key), velocity);
        self.held += 1;
        self.quiet = 0;
    }

    fn note_off(&mut self, part: usize, key: u8) {
        let channel = self.channel(part);
        self.synthesizer.note_off(channel, i32::from(key));
        self.held = self.held.saturating_sub(1);
    }

    fn pedal(&mut self, part: usize, down: bool) {
        let channel = self.channel(part);
        let value = if down { 127 } else { 0 };
        self.synthesizer
            .process_midi_message(channel, CONTROL_CHANGE, SUSTAIN, value);
    }

    fn process(&mut self, left: &mut [f32], right: &mut [f32]) {
        let samples = left.len().min(right.len());
        let (left, right) = (&mut left[..samples], &mut right[..samples]);
        let synthesizer = &mut self.synthesizer;
        let played = catch_unwind(AssertUnwindSafe(|| synthesizer.render(left, right)));
        if self.broken || played.is_err() {
            self.broken = true;
            left.fill(0.0);
            right.fill(0.0);
        }
        let heard = |sample: &f32| sample.abs() > SILENCE;
        self.quiet = match left.iter().chain(right.iter()).any(heard) {
            true => 0,
            false => self.quiet.saturating_add(samples),
        };
    }

    fn is_silent(&self) -> bool {
        self.held == 0 && self.quiet >= self.quiet_enough
    }

    fn is_broken(&self) -> bool {
        self.broken
    }
}
