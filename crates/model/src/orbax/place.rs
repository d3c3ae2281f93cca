//! Where bytes lie: a file of the checkpoint, an offset and a length.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::error::{Flaw, OrbaxError, damaged, unsupported};

/// A data file, by its path within the checkpoint. Files that a node names lie
/// below the base of the file that holds the node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DataFile {
    pub(super) base: Arc<str>,
    pub(super) path: Arc<str>,
}

impl DataFile {
    pub(super) fn new(base: &str, path: &str) -> Self {
        Self {
            base: base.into(),
            path: path.into(),
        }
    }

    /// Checks that the file lies in the checkpoint.
    pub(super) fn check(&self) -> Result<(), Flaw> {
        let whole = format!("{}{}", self.base, self.path);
        let inside = Path::new(&whole)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if whole.is_empty() || whole.contains('\\') || !inside {
            return unsupported(format!("data in {whole:?}, outside of the checkpoint"));
        }
        Ok(())
    }

    /// The file's path, in a checkpoint.
    pub(super) fn within(&self, checkpoint: &Path) -> PathBuf {
        checkpoint.join(format!("{}{}", self.base, self.path))
    }
}

/// Some bytes of a data file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: DataFile,
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl Place {
    /// Reads the bytes. Memory is taken only where the file is long enough.
    pub(super) fn read(&self, checkpoint: &Path) -> Result<Vec<u8>, OrbaxError> {
        let path = self.file.within(checkpoint);
        let unreadable = |source| OrbaxError::Read {
            path: path.clone(),
            source,
        };
        let mut file = File::open(&path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let length = self.length_within(size).map_err(|flaw| flaw.of(&path))?;
        let mut bytes = vec![0; length];
        let read = file.seek(SeekFrom::Start(self.offset));
        let read = read.and_then(|_| file.read_exact(&mut bytes));
        read.map_err(unreadable)?;
        Ok(bytes)
    }

    fn length_within(&self, size: u64) -> Result<usize, Flaw> {
        let end = self.offset.checked_add(self.length);
        match usize::try_from(self.length) {
            Ok(length) if end.is_some_and(|end| end <= size) => Ok(length),
            _ => damaged(format!(
                "it has {size} bytes, but should have {} from {} on",
                self.length, self.offset
            )),
        }
    }
}
