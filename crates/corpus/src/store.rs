//! Writing a dataset folder: all of it under a temporary name, then renamed.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use remi::BaseTokens;
use tempfile::TempDir;

use crate::CorpusError;
use crate::dataset::{Header, Piece, SHARD_TOKENS, Shard, WORD_START};
use crate::report::Report;

/// A dataset folder in the making; it vanishes unless it is finished.
pub(crate) struct Store {
    target: PathBuf,
    folder: TempDir,
    shards: Vec<Shard>,
    current: Option<(BufWriter<File>, blake3::Hasher, u64)>,
}

impl Store {
    /// Begins a folder beside the target.
    pub fn create(target: &Path) -> Result<Self, CorpusError> {
        if target.exists() {
            return Err(CorpusError::Exists(target.to_owned()));
        }
        let parent = parent_of(target);
        fs::create_dir_all(parent).map_err(CorpusError::io("create", parent))?;
        let folder = tempfile::Builder::new()
            .prefix(".dataset-")
            .suffix(".partial")
            .tempdir_in(parent)
            .map_err(CorpusError::io("write in", parent))?;
        Ok(Self {
            target: target.to_owned(),
            folder,
            shards: Vec::new(),
            current: None,
        })
    }

    /// Appends a piece's tokens; gives their shard and the index of the first
    /// in it.
    pub fn append(&mut self, tokens: &BaseTokens) -> Result<(usize, u64), CorpusError> {
        if self
            .current
            .as_ref()
            .is_some_and(|(_, _, count)| *count >= SHARD_TOKENS)
        {
            self.close_shard()?;
        }
        let shard = self.shards.len();
        let path = self.folder.path().join(shard_name(shard));
        let (file, hasher, count) = match &mut self.current {
            Some(current) => current,
            None => {
                let file = File::create(&path).map_err(CorpusError::io("write", &path))?;
                self.current
                    .insert((BufWriter::new(file), blake3::Hasher::new(), 0))
            }
        };
        let mut bytes = Vec::with_capacity(tokens.ids.len() * 2);
        let mut starts = tokens.word_starts.iter().copied().peekable();
        for (index, id) in tokens.ids.iter().enumerate() {
            let mark = if starts.next_if_eq(&(index as u32)).is_some() {
                WORD_START
            } else {
                0
            };
            bytes.extend_from_slice(&(id | mark).to_le_bytes());
        }
        file.write_all(&bytes)
            .map_err(CorpusError::io("write", &path))?;
        hasher.update(&bytes);
        let offset = *count;
        *count += tokens.ids.len() as u64;
        Ok((shard, offset))
    }

    fn close_shard(&mut self) -> Result<(), CorpusError> {
        let Some((writer, hasher, tokens)) = self.current.take() else {
            return Ok(());
        };
        let file = shard_name(self.shards.len());
        let path = self.folder.path().join(&file);
        let inner = writer.into_inner().map_err(|error| error.into_error());
        inner
            .and_then(|file| file.sync_all())
            .map_err(CorpusError::io("write", &path))?;
        self.shards.push(Shard {
            file,
            tokens,
            blake3: hasher.finalize().to_hex().to_string(),
        });
        Ok(())
    }

    /// Writes everything but the report: the folder can be opened now, under
    /// its temporary name.
    pub fn stage(
        mut self,
        mut header: Header,
        pieces: &[Piece],
        tokenizer: &str,
    ) -> Result<Staged, CorpusError> {
        self.close_shard()?;
        header.shards = std::mem::take(&mut self.shards);
        let mut lines = Vec::new();
        for piece in pieces {
            let line = serde_json::to_vec(piece);
            lines.extend_from_slice(&line.map_err(|error| self.unwritable(error))?);
            lines.push(b'\n');
        }
        header.pieces_blake3 = blake3::hash(&lines).to_hex().to_string();
        header.tokenizer_blake3 = blake3::hash(tokenizer.as_bytes()).to_hex().to_string();
        let header = serde_json::to_vec_pretty(&header).map_err(|error| self.unwritable(error))?;
        self.write("pieces.jsonl", &lines)?;
        self.write("tokenizer.json", tokenizer.as_bytes())?;
        self.write("dataset.json", &header)?;
        Ok(Staged(self))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CorpusError> {
        let path = self.folder.path().join(name);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(CorpusError::io("write", &path))
    }

    fn unwritable(&self, error: serde_json::Error) -> CorpusError {
        CorpusError::Damaged {
            path: self.target.clone(),
            reason: error.to_string(),
        }
    }
}

/// A whole dataset that has not got its name yet.
pub(crate) struct Staged(Store);

impl Staged {
    /// The folder, under its temporary name.
    pub fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// Adds the report and gives the folder its name.
    pub fn finish(self, report: &Report) -> Result<(), CorpusError> {
        let store = self.0;
        let json = serde_json::to_vec_pretty(report).map_err(|error| store.unwritable(error))?;
        store.write("report.json", &json)?;
        set_readable(store.folder.path())?;
        if store.target.exists() {
            return Err(CorpusError::Exists(store.target));
        }
        let target = &store.target;
        fs::rename(store.folder.path(), target).map_err(CorpusError::io("write", target))?;
        sync_entries(target).map_err(CorpusError::io("write", target))?;
        // Renamed: under its temporary name nothing is left to remove.
        let _temporary_name = store.folder.keep();
        Ok(())
    }
}

/// Puts the name of a renamed folder onto the disk; only Unix has a call for it.
#[cfg(unix)]
fn sync_entries(target: &Path) -> std::io::Result<()> {
    File::open(parent_of(target))?.sync_all()
}

#[cfg(not(unix))]
fn sync_entries(_target: &Path) -> std::io::Result<()> {
    Ok(())
}

fn parent_of(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn shard_name(index: usize) -> String {
    format!("tokens-{index:05}.bin")
}

/// Temporary folders are made for their owner alone; a dataset is not secret.
#[cfg(unix)]
fn set_readable(folder: &Path) -> Result<(), CorpusError> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder, permissions).map_err(CorpusError::io("write", folder))
}

#[cfg(not(unix))]
fn set_readable(_folder: &Path) -> Result<(), CorpusError> {
    Ok(())
}
