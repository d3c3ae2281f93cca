//! Scores to files of sound and pictures.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use render::{
    Depth, Instrument, Performance, Piano, PianoOptions, PictureOptions, SoundFontPlayer, draw,
    write_flac, write_wav,
};
use score::Score;

use crate::progress;
use crate::usage::wrong_use;
use crate::write;

/// A file to make, and what it is by its ending.
pub struct Output {
    pub path: PathBuf,
    pub kind: Kind,
}

/// What a file is.
#[derive(Clone, Copy)]
pub enum Kind {
    Sound(SoundFormat),
    Picture(PictureFormat),
}

/// Formats of sound.
#[derive(Clone, Copy)]
pub enum SoundFormat {
    Wav,
    Flac,
}

/// Formats of pictures.
#[derive(Clone, Copy)]
pub enum PictureFormat {
    Png,
    Svg,
}

impl Output {
    /// A file of a known ending.
    pub fn new(path: PathBuf) -> anyhow::Result<Self> {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        let kind = match ending.to_ascii_lowercase().as_str() {
            "wav" => Kind::Sound(SoundFormat::Wav),
            "flac" => Kind::Sound(SoundFormat::Flac),
            "png" => Kind::Picture(PictureFormat::Png),
            "svg" => Kind::Picture(PictureFormat::Svg),
            _ => {
                return Err(wrong_use(format!(
                    "{}: what to make is told by the name's ending: .wav or .flac for sound, .png or .svg for a picture",
                    path.display()
                )));
            }
        };
        Ok(Self { path, kind })
    }
}

/// How a score sounds.
#[derive(Clone)]
pub struct Sound {
    /// In place of the built-in piano.
    pub soundfont: Option<PathBuf>,
    pub sample_rate: u32,
    pub depth: Depth,
    /// Louder or softer than usual.
    pub decibels: f32,
    /// Of the built-in piano, 0 to 1.
    pub room: f32,
}

impl Default for Sound {
    fn default() -> Self {
        Self {
            soundfont: None,
            sample_rate: 48_000,
            depth: Depth::default(),
            decibels: 0.0,
            room: PianoOptions::default().room,
        }
    }
}

impl Sound {
    /// Plays a score into a file, whole or not at all.
    pub fn write(
        &self,
        score: &Score,
        path: &Path,
        format: SoundFormat,
        stopped: &AtomicBool,
    ) -> anyhow::Result<()> {
        let Some(soundfont) = &self.soundfont else {
            let options = PianoOptions {
                room: self.room,
                ..PianoOptions::default()
            };
            let drums = score.tracks.iter().filter(|track| track.is_drum);
            if drums.map(|track| track.notes.len()).sum::<usize>() > 0 {
                eprintln!("drums are left out: the built-in instrument is a piano");
            }
            let piano = Piano::new(self.sample_rate, options);
            return self.perform(score, piano, path, format, stopped);
        };
        let name = || soundfont.display().to_string();
        let file = File::open(soundfont).with_context(|| format!("cannot read {}", name()))?;
        // A damaged file is an error here, without the message of the panic that
        // it causes inside.
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let player = SoundFontPlayer::new(BufReader::new(file), score, self.sample_rate);
        let played = match player {
            Ok(player) => self.perform(score, player, path, format, stopped),
            Err(error) => Err(error.into()),
        };
        panic::set_hook(hook);
        played.with_context(name)
    }

    fn perform(
        &self,
        score: &Score,
        instrument: impl Instrument,
        path: &Path,
        format: SoundFormat,
        stopped: &AtomicBool,
    ) -> anyhow::Result<()> {
        let gain = 10.0_f32.powf(self.decibels / 20.0);
        let mut performance = Performance::new(score, instrument, self.sample_rate, gain);
        let rate = u64::from(self.sample_rate);
        let bar = progress::bar(performance.samples_of_score() / rate, "seconds");
        let go_on = |samples| {
            bar.set_position(samples / rate);
            !stopped.load(Ordering::Relaxed)
        };
        write::atomically_with(path, |file| {
            let file = BufWriter::new(file);
            match format {
                SoundFormat::Wav => write_wav(&mut performance, file, self.depth, go_on),
                SoundFormat::Flac => write_flac(&mut performance, file, self.depth, go_on),
            }
        })?;
        bar.finish_and_clear();
        Ok(())
    }
}

/// Draws a score into a file, whole or not at all.
pub fn write_picture(
    score: &Score,
    path: &Path,
    format: PictureFormat,
    options: &PictureOptions,
) -> anyhow::Result<()> {
    let drawing = draw(score, options);
    let bytes = match format {
        PictureFormat::Svg => drawing.to_svg().into_bytes(),
        PictureFormat::Png => {
            let png = drawing.to_png();
            png.with_context(|| path.display().to_string())?
        }
    };
    write::atomically(path, &bytes)
}
