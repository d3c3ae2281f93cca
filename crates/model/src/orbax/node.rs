//! Nodes of the B-tree.
//!
//! Body: height (byte, 0 for a leaf); table of data files; varint number of
//! entries; keys, which leave out what the nodes above say that all keys below
//! share: column by column the lengths shared with the key before (none for the
//! first), the lengths of what is new, in interior nodes the lengths of each key
//! that all keys of its child share; then what is new of each key. Then
//! - in a leaf, column by column: length of the value, kind (byte: 0 in the node,
//!   1 in a data file), file and offset of those in data files, bytes of those in
//!   the node;
//! - in an interior node, column by column: file, offset, length of the child, and
//!   its numbers of keys, of bytes in nodes and in values.

use super::bytes::{Bytes, MAX_STRING};
use super::error::{Flaw, damaged};
use super::file_table::FileTable;
use super::frame;
use super::place::Place;

const MAGIC: u32 = 0x0cdb_20de;
const IN_FILE: u8 = 1;

/// A value, or where it lies.
#[derive(Debug)]
pub(super) enum Value {
    Inline(Vec<u8>),
    InFile(Place),
}

/// A node below an interior one.
pub(super) struct Child {
    /// What all its keys begin with.
    pub(super) prefix: Vec<u8>,
    pub(super) place: Place,
}

/// What a node holds; keys are whole.
pub(super) enum Node {
    Leaf(Vec<(Vec<u8>, Value)>),
    Interior(Vec<Child>),
}

impl Node {
    /// Reads a node of this height, whose keys all begin with `prefix`; `base` is
    /// that of the file that holds it.
    pub(super) fn read(file: &[u8], height: u8, prefix: &[u8], base: &str) -> Result<Self, Flaw> {
        let body = frame::open(file, MAGIC)?;
        let mut bytes = Bytes::new(&body);
        let found = bytes.byte()?;
        if found != height {
            return damaged(format!("a node has height {found}, not {height}"));
        }
        let files = FileTable::read(&mut bytes, base)?;
        let count = bytes.count("entries")?;
        if count == 0 {
            return damaged("a node is empty");
        }
        let lengths = bytes.shared_lengths(count)?;
        let common = match height {
            0 => Vec::new(),
            _ => bytes.sizes(count)?,
        };
        let keys: Vec<Vec<u8>> = bytes.shared_strings(&lengths)?;
        if !keys.is_sorted_by(|one, next| one < next) {
            return damaged("its keys are not in order");
        }
        let node = match height {
            0 => Self::leaf(&mut bytes, &files, prefix, &keys)?,
            _ => Self::interior(&mut bytes, &files, prefix, &keys, &common)?,
        };
        bytes.end()?;
        Ok(node)
    }

    fn leaf(
        bytes: &mut Bytes<'_>,
        files: &FileTable,
        prefix: &[u8],
        keys: &[Vec<u8>],
    ) -> Result<Self, Flaw> {
        let lengths = bytes.varints(keys.len())?;
        let kinds = bytes.take(keys.len())?;
        if let Some(kind) = kinds.iter().find(|kind| **kind > IN_FILE) {
            return damaged(format!("a value is of kind {kind}"));
        }
        let outside = kinds.iter().filter(|kind| **kind == IN_FILE).count();
        let indices = bytes.sizes(outside)?;
        let offsets = bytes.varints(outside)?;
        let mut places = indices.into_iter().zip(offsets);
        let mut entries = Vec::with_capacity(keys.len());
        for ((key, kind), length) in keys.iter().zip(kinds).zip(lengths) {
            let place = match *kind {
                IN_FILE => places.next(),
                _ => None,
            };
            let value = match place {
                Some((index, offset)) => Value::InFile(files.place(index, offset, length)?),
                None => {
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    Value::Inline(bytes.take(length)?.to_vec())
                }
            };
            entries.push((whole(prefix, key)?, value));
        }
        Ok(Self::Leaf(entries))
    }

    fn interior(
        bytes: &mut Bytes<'_>,
        files: &FileTable,
        prefix: &[u8],
        keys: &[Vec<u8>],
        common: &[usize],
    ) -> Result<Self, Flaw> {
        let count = keys.len();
        let indices = bytes.sizes(count)?;
        let offsets = bytes.varints(count)?;
        let lengths = bytes.varints(count)?;
        bytes.varints(3 * count)?;
        let references = indices.into_iter().zip(offsets).zip(lengths);
        let mut children = Vec::with_capacity(count);
        for ((key, common), ((index, offset), length)) in keys.iter().zip(common).zip(references) {
            let Some(shared) = key.get(..*common) else {
                return damaged(format!(
                    "a child shares {common} bytes of a key of {}",
                    key.len()
                ));
            };
            children.push(Child {
                prefix: whole(prefix, shared)?,
                place: files.place(index, offset, length)?,
            });
        }
        Ok(Self::Interior(children))
    }
}

/// A key, or the beginning of keys, with what the nodes above leave out.
fn whole(prefix: &[u8], rest: &[u8]) -> Result<Vec<u8>, Flaw> {
    match prefix.len() + rest.len() {
        ..=MAX_STRING => Ok([prefix, rest].concat()),
        length => damaged(format!("a key has {length} bytes")),
    }
}
