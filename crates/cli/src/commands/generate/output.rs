//! The files of the results.

use std::path::{Path, PathBuf};

use anyhow::Context;
use score::{Score, write_midi};

use super::Args;
use crate::write;

/// The names of the files, one a sample.
pub fn files(args: &Args) -> Vec<PathBuf> {
    let file = args.output_file.clone().unwrap_or_else(|| {
        let now = jiff::Zoned::now().strftime("%Y-%m-%d_%H-%M-%S.mid");
        Path::new("generated_midis").join(now.to_string())
    });
    numbered(&file, args.num_samples)
}

/// A file for each sample; of several, each has a number in its name.
pub fn numbered(file: &Path, samples: u8) -> Vec<PathBuf> {
    if samples == 1 {
        return vec![file.to_owned()];
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().unwrap_or("mid".as_ref()).to_string_lossy();
    (1..=samples)
        .map(|number| file.with_file_name(format!("{stem}-{number}.{extension}")))
        .collect()
}

/// Finds out before the work whether its results can be kept.
pub fn check_writable(files: &[PathBuf]) -> anyhow::Result<()> {
    for file in files {
        let remedy = || {
            let file = file.display();
            format!("cannot write {file}; choose another place by --output-file FILE")
        };
        if file.is_dir() || file.file_name().is_none() {
            return Err(anyhow::anyhow!("it is a folder")).with_context(remedy);
        }
        // The nearest folder that is there has to take a file.
        let nearest = file.ancestors().skip(1).find(|path| path.exists());
        let nearest = nearest.unwrap_or(Path::new("."));
        tempfile::tempfile_in(nearest).with_context(remedy)?;
    }
    Ok(())
}

/// Writes a file whole, or not at all.
pub fn write(file: &Path, score: &Score) -> anyhow::Result<()> {
    write::atomically(file, &write_midi(score)?)
}
