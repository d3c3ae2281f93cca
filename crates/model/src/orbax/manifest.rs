//! The manifest: where the newest version's B-tree has its root.
//!
//! Body: UUID (16 bytes); varints kind of manifest, largest inline value, largest
//! node; arity of the version tree (byte); varint compression and, where it is
//! zstd, its level (4 bytes); table of data files; the newest versions, varint
//! number and then column by column: generation, height of the tree (byte), file,
//! offset, length, numbers of keys, of bytes in nodes and in values, time of the
//! commit (8 bytes, nanoseconds); then references to nodes that list older
//! versions: varint number and generation, file, offset, length, number of
//! versions, time (8 bytes), height (byte).
//!
//! The newest version is always in the manifest itself, so nodes of older ones
//! are never needed.

use super::bytes::Bytes;
use super::error::{Flaw, damaged, unsupported};
use super::file_table::FileTable;
use super::frame;
use super::place::Place;

const MAGIC: u32 = 0x0cdb_3a2a;
const SINGLE: u64 = 0;
const ZSTD: u64 = 1;

/// The root of a version's tree.
pub(super) struct Root {
    /// Levels of nodes above the leaves.
    pub(super) height: u8,
    /// The root node; none for a database without keys.
    pub(super) node: Option<Place>,
}

/// Reads `manifest.ocdbt`: the newest version.
pub(super) fn newest(file: &[u8]) -> Result<Root, Flaw> {
    let body = frame::open(file, MAGIC)?;
    let mut bytes = Bytes::new(&body);
    bytes.take(16)?;
    let kind = bytes.varint()?;
    if kind != SINGLE {
        return unsupported("numbered manifests");
    }
    bytes.varints(2)?;
    bytes.byte()?;
    if bytes.varint()? == ZSTD {
        bytes.take(4)?;
    }
    let files = FileTable::read(&mut bytes, "")?;
    let versions = bytes.count("versions")?;
    let generations = bytes.varints(versions)?;
    if !generations.is_sorted_by(|one, next| one < next) {
        return damaged("its versions are not in order");
    }
    let heights = bytes.take(versions)?;
    let references = References::read(&mut bytes, versions)?;
    bytes.varints(3 * versions)?;
    bytes.take(8 * versions)?;
    let older = bytes.count("older versions")?;
    bytes.varints(older)?;
    References::read(&mut bytes, older)?;
    bytes.varints(older)?;
    bytes.take(9 * older)?;
    bytes.end()?;
    let Some(height) = heights.last() else {
        return damaged("it holds no version");
    };
    Ok(Root {
        height: *height,
        node: references.last(&files)?,
    })
}

/// Three columns: file, offset, length.
struct References {
    files: Vec<usize>,
    offsets: Vec<u64>,
    lengths: Vec<u64>,
}

impl References {
    fn read(bytes: &mut Bytes<'_>, count: usize) -> Result<Self, Flaw> {
        Ok(Self {
            files: bytes.sizes(count)?,
            offsets: bytes.varints(count)?,
            lengths: bytes.varints(count)?,
        })
    }

    /// The last; none where offset and length say that there is nothing.
    fn last(&self, table: &FileTable) -> Result<Option<Place>, Flaw> {
        match (self.files.last(), self.offsets.last(), self.lengths.last()) {
            (Some(_), Some(&u64::MAX), Some(&u64::MAX)) => Ok(None),
            (Some(file), Some(offset), Some(length)) => {
                table.place(*file, *offset, *length).map(Some)
            }
            _ => Ok(None),
        }
    }
}
