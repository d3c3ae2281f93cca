//! The MIDI files below a folder.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::CorpusError;

/// All files named `.mid` or `.midi` (in any case) below a folder, as paths
/// relative to it, sorted. Links are followed, but not in circles; folders that
/// cannot be read are passed over.
///
/// # Errors
/// [`CorpusError::Io`] where the folder itself cannot be read,
/// [`CorpusError::NoFiles`] where there is no such file.
pub fn midi_files(folder: &Path) -> Result<Vec<PathBuf>, CorpusError> {
    std::fs::read_dir(folder).map_err(CorpusError::io("read the folder", folder))?;
    let is_midi = |path: &Path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|e| e.eq_ignore_ascii_case("mid") || e.eq_ignore_ascii_case("midi"))
    };
    let entries = WalkDir::new(folder)
        .follow_links(true)
        .into_iter()
        .flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_file() && is_midi(entry.path()))
        .filter_map(|entry| Some(entry.path().strip_prefix(folder).ok()?.to_owned()))
        .collect();
    if files.is_empty() {
        return Err(CorpusError::NoFiles(folder.to_owned()));
    }
    files.sort();
    Ok(files)
}
