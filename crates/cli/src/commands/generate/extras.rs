//! What is heard and seen of a result.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use generate::Music;
use render::PictureOptions;
use score::TempoMap;

use super::Args;
use super::output::{check_writable, numbered};
use crate::commands::render::{Kind, Output, Sound, write_picture};
use crate::usage::wrong_use;

/// Files beside the MIDI files, one a sample of each kind that is asked for.
pub struct Extras {
    audio: Vec<Output>,
    pictures: Vec<Output>,
    /// Whether results begin with the prompt.
    prompt_is_in: bool,
}

impl Extras {
    /// Finds out before the work whether the files can be made.
    pub fn new(args: &Args) -> anyhow::Result<Self> {
        let outputs = |file: &Option<PathBuf>| -> anyhow::Result<Vec<Output>> {
            let Some(file) = file else {
                return Ok(Vec::new());
            };
            let files = numbered(file, args.num_samples);
            check_writable(&files)?;
            files.into_iter().map(Output::new).collect()
        };
        let (audio, pictures) = (outputs(&args.audio)?, outputs(&args.picture)?);
        if audio.iter().any(|o| matches!(o.kind, Kind::Picture(_))) {
            return Err(wrong_use("--audio needs a name that ends in .wav or .flac"));
        }
        if pictures.iter().any(|o| matches!(o.kind, Kind::Sound(_))) {
            return Err(wrong_use(
                "--picture needs a name that ends in .png or .svg",
            ));
        }
        Ok(Self {
            audio,
            pictures,
            prompt_is_in: !args.output_generated_only,
        })
    }

    /// Writes those of a sample.
    pub fn write(&self, index: usize, result: &Music) -> anyhow::Result<()> {
        for output in self
            .audio
            .get(index)
            .into_iter()
            .chain(self.pictures.get(index))
        {
            match output.kind {
                Kind::Sound(format) => {
                    let stopped = AtomicBool::new(false);
                    Sound::default().write(&result.score, &output.path, format, &stopped)?;
                }
                Kind::Picture(format) => {
                    let stem = output.path.file_stem().unwrap_or_default();
                    let options = PictureOptions {
                        title: stem.to_string_lossy().into_owned(),
                        prompt_seconds: self.prompt_seconds(result),
                        ..PictureOptions::default()
                    };
                    write_picture(&result.score, &output.path, format, &options)?;
                }
            }
        }
        Ok(())
    }

    /// When the first generated note begins, where a prompt is before it.
    fn prompt_seconds(&self, result: &Music) -> Option<f64> {
        let first = result.generated.iter().map(|note| note.onset).min()?;
        let told_apart = self.prompt_is_in && !result.prompt.is_empty();
        told_apart.then(|| TempoMap::new(&result.score).seconds(first))
    }
}
