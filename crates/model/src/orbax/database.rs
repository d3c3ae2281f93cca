//! The database: values by key, from a B-tree or from files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::error::{Flaw, OrbaxError};
use super::manifest;
use super::node::{Node, Value};
use super::place::Place;

const MANIFEST: &str = "manifest.ocdbt";

/// The key of an array's description, after its name.
pub(super) const DESCRIPTION: &str = "/.zarray";

/// An opened checkpoint folder.
pub(super) struct Database {
    folder: PathBuf,
    values: Values,
}

enum Values {
    /// A B-tree, whose nodes have been read.
    Tree(BTreeMap<String, Value>),
    /// Files, whose paths are the keys; these are the arrays' descriptions.
    Files(Vec<String>),
}

impl Database {
    pub(super) fn open(folder: &Path) -> Result<Self, OrbaxError> {
        let values = match folder.join(MANIFEST).is_file() {
            true => Values::Tree(read_tree(folder)?),
            false => Values::Files(find_files(folder)?),
        };
        Ok(Self {
            folder: folder.to_owned(),
            values,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// All keys of a B-tree; of files those that describe arrays.
    pub(super) fn keys(&self) -> Vec<&str> {
        match &self.values {
            Values::Tree(values) => values.keys().map(String::as_str).collect(),
            Values::Files(keys) => keys.iter().map(String::as_str).collect(),
        }
    }

    /// The file that holds the value of a key.
    pub(super) fn path(&self, key: &str) -> PathBuf {
        match &self.values {
            Values::Tree(values) => match values.get(key) {
                Some(Value::InFile(place)) => place.file.within(&self.folder),
                _ => self.folder.join(MANIFEST),
            },
            Values::Files(_) => self.folder.join(key),
        }
    }

    /// The value of a key, where there is one.
    pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, OrbaxError> {
        match &self.values {
            Values::Tree(values) => match values.get(key) {
                Some(Value::Inline(bytes)) => Ok(Some(bytes.clone())),
                Some(Value::InFile(place)) => place.read(&self.folder).map(Some),
                None => Ok(None),
            },
            Values::Files(_) => {
                let path = self.folder.join(key);
                match path.is_file() {
                    true => read(&path).map(Some),
                    false => Ok(None),
                }
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, OrbaxError> {
    fs::read(path).map_err(|source| OrbaxError::Read {
        path: path.to_owned(),
        source,
    })
}

/// All nodes of the newest version's tree, from the root down.
fn read_tree(folder: &Path) -> Result<BTreeMap<String, Value>, OrbaxError> {
    let path = folder.join(MANIFEST);
    let root = manifest::newest(&read(&path)?).map_err(|flaw| flaw.of(&path))?;
    let mut values = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let root = root.node.map(|place| (root.height, Vec::new(), place));
    let mut left: Vec<(u8, Vec<u8>, Place)> = root.into_iter().collect();
    while let Some((height, prefix, place)) = left.pop() {
        let path = place.file.within(folder);
        let flawed = |flaw: Flaw| {
            let part = format!("node of {} bytes at {}", place.length, place.offset);
            flaw.within(&part).of(&path)
        };
        let twice = |what: &str| Err(flawed(Flaw::Damaged(format!("{what} is there twice"))));
        if !seen.insert(place.clone()) {
            return twice("it");
        }
        let bytes = place.read(folder)?;
        let node = Node::read(&bytes, height, &prefix, &place.file.base).map_err(flawed)?;
        match node {
            Node::Interior(children) => {
                let children = children.into_iter();
                left.extend(children.map(|child| (height - 1, child.prefix, child.place)));
            }
            Node::Leaf(entries) => {
                for (key, value) in entries {
                    let Ok(key) = String::from_utf8(key) else {
                        return Err(flawed(Flaw::Damaged("a key is no text".to_owned())));
                    };
                    if values.insert(key.clone(), value).is_some() {
                        return twice(&format!("key {key}"));
                    }
                }
            }
        }
    }
    Ok(values)
}

/// The descriptions of arrays that lie in folders of their own.
fn find_files(folder: &Path) -> Result<Vec<String>, OrbaxError> {
    let none = || OrbaxError::NoCheckpoint(folder.to_owned());
    let entries = fs::read_dir(folder).map_err(|_| none())?;
    let mut keys = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let key = format!("{name}{DESCRIPTION}");
        if folder.join(&key).is_file() {
            keys.push(key);
        }
    }
    match keys.is_empty() {
        true => Err(none()),
        false => Ok(keys),
    }
}
