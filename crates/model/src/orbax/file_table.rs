//! The table of data files at the head of manifests and nodes.
//!
//! Varint number of files; then, column by column: the lengths that paths share
//! with the path before (none for the first), the lengths of what is new, the
//! lengths of the bases; then what is new of each path.

use super::bytes::Bytes;
use super::error::{Flaw, damaged};
use super::place::{DataFile, Place};

/// The data files that references name by their index. A reference to nothing
/// names one without a path.
pub(super) struct FileTable {
    files: Vec<DataFile>,
}

impl FileTable {
    /// Reads a table; `base` is that of the file that holds it, empty for the
    /// manifest.
    pub(super) fn read(bytes: &mut Bytes<'_>, base: &str) -> Result<Self, Flaw> {
        let count = bytes.count("data files")?;
        let lengths = bytes.shared_lengths(count)?;
        let bases = bytes.sizes(count)?;
        let paths = bytes.shared_strings(&lengths)?;
        let file = |(path, inner): (Vec<u8>, &usize)| {
            let path = String::from_utf8(path);
            let parts = path.ok().and_then(|path| {
                let (inner, path) = path.split_at_checked(*inner)?;
                Some((format!("{base}{inner}"), path.to_owned()))
            });
            match parts {
                Some((base, path)) => Ok(DataFile::new(&base, &path)),
                None => damaged("the name of a data file is no text"),
            }
        };
        let files = paths.into_iter().zip(&bases).map(file);
        Ok(Self {
            files: files.collect::<Result<_, _>>()?,
        })
    }

    /// A place in the file of this index.
    pub(super) fn place(&self, file: usize, offset: u64, length: u64) -> Result<Place, Flaw> {
        match self.files.get(file) {
            Some(file) => {
                file.check()?;
                Ok(Place {
                    file: file.clone(),
                    offset,
                    length,
                })
            }
            None => damaged(format!("it names data file {file} of {}", self.files.len())),
        }
    }
}
