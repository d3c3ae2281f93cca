//! Reading a dataset folder.
//!
//! Tokens are read where and when they are asked for, by position, so that
//! memory does not grow with the corpus. Positioned reads and not a memory map:
//! a shard that another program cuts short then is an error and no crash.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use remi::{BaseTokens, Tokenizer};
use serde::{Deserialize, Serialize};

use crate::CorpusError;
use crate::split::{SPLIT_SEED, Split, by_hash};

/// The format's version.
pub(crate) const FORMAT: u32 = 1;

/// Shards are closed once they hold so many tokens (128 MiB).
pub(crate) const SHARD_TOKENS: u64 = 64 << 20;

/// Set in the stored token that begins a word of BPE.
pub(crate) const WORD_START: u16 = 1 << 15;

/// `dataset.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Header {
    pub format: u32,
    pub pieces: usize,
    pub tokens: u64,
    pub shards: Vec<Shard>,
    pub pieces_blake3: String,
    pub tokenizer_blake3: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Shard {
    pub file: String,
    pub tokens: u64,
    pub blake3: String,
}

/// One piece of a dataset.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Piece {
    /// The MIDI file, relative to the folder that was tokenised.
    pub source: String,
    /// What the piece is for.
    pub split: Split,
    /// Number of notes.
    pub notes: usize,
    /// Length in seconds.
    pub seconds: f64,
    /// Number of base tokens.
    pub tokens: u64,
    /// The shard that holds them, and the index of the first there.
    pub shard: usize,
    /// See `shard`.
    pub offset: u64,
    /// BLAKE3 hash of the notes in real time.
    pub notes_blake3: String,
}

impl Piece {
    /// Whether the piece is among this share of all pieces that its notes pick
    /// for validation: as tokenising picks them by default, so that a share
    /// no larger than its own picks none of its training pieces.
    pub fn is_held_out(&self, share: f64) -> bool {
        let hash = blake3::Hash::from_hex(&self.notes_blake3);
        hash.is_ok_and(|hash| by_hash(&hash, SPLIT_SEED, share) == Split::Valid)
    }
}

/// An open dataset folder.
#[derive(Debug)]
pub struct Dataset {
    folder: PathBuf,
    header: Header,
    pieces: Vec<Piece>,
    tokenizer: Tokenizer,
    shards: Vec<File>,
}

impl Dataset {
    /// Opens a dataset folder; sizes and the index are checked, the tokens are
    /// by [`Dataset::verify`].
    ///
    /// # Errors
    /// [`CorpusError::Damaged`] where something is missing, of another size or
    /// hash, or of another version; [`CorpusError::Tokenizer`].
    pub fn open(folder: &Path) -> Result<Self, CorpusError> {
        let damaged = |name: &str, reason: String| CorpusError::Damaged {
            path: folder.join(name),
            reason,
        };
        let read = |name: &str| {
            fs::read(folder.join(name)).map_err(|error| damaged(name, error.to_string()))
        };
        let header: Header = serde_json::from_slice(&read("dataset.json")?)
            .map_err(|error| damaged("dataset.json", error.to_string()))?;
        if header.format != FORMAT {
            let reason = format!(
                "its format is {}, this program reads {FORMAT}",
                header.format
            );
            return Err(damaged("dataset.json", reason));
        }
        let index = read("pieces.jsonl")?;
        if blake3::hash(&index).to_hex().as_str() != header.pieces_blake3 {
            return Err(damaged("pieces.jsonl", "its checksum is wrong".to_owned()));
        }
        let pieces = serde_json::Deserializer::from_slice(&index)
            .into_iter()
            .collect();
        let pieces: Vec<Piece> = Result::map_err(pieces, |error: serde_json::Error| {
            damaged("pieces.jsonl", error.to_string())
        })?;
        let tokenizer = read("tokenizer.json")?;
        if blake3::hash(&tokenizer).to_hex().as_str() != header.tokenizer_blake3 {
            return Err(damaged(
                "tokenizer.json",
                "it is not the one the dataset was made with".to_owned(),
            ));
        }
        let mut shards = Vec::with_capacity(header.shards.len());
        for shard in &header.shards {
            let opened = File::open(folder.join(&shard.file))
                .and_then(|file| Ok((file.metadata()?.len(), file)));
            let (size, file) = opened.map_err(|error| damaged(&shard.file, error.to_string()))?;
            if size != shard.tokens * 2 {
                let reason = format!("it has {size} bytes, not {}", shard.tokens * 2);
                return Err(damaged(&shard.file, reason));
            }
            shards.push(file);
        }
        for piece in &pieces {
            let held = header
                .shards
                .get(piece.shard)
                .map_or(0, |shard| shard.tokens);
            if piece
                .offset
                .checked_add(piece.tokens)
                .is_none_or(|end| end > held)
            {
                return Err(damaged(
                    "pieces.jsonl",
                    format!("{} lies outside its shard", piece.source),
                ));
            }
        }
        let tokenizer = Tokenizer::load(folder.join("tokenizer.json"))?;
        Ok(Self {
            folder: folder.to_owned(),
            header,
            pieces,
            tokenizer,
            shards,
        })
    }

    /// Compares every shard with its checksum.
    ///
    /// # Errors
    /// [`CorpusError::Damaged`] with the first shard that differs.
    pub fn verify(&self) -> Result<(), CorpusError> {
        for shard in &self.header.shards {
            let path = self.folder.join(&shard.file);
            let mut hasher = blake3::Hasher::new();
            let mut file = File::open(&path).map_err(CorpusError::io("read", &path))?;
            let mut buffer = vec![0; 1 << 16];
            loop {
                let read = file
                    .read(&mut buffer)
                    .map_err(CorpusError::io("read", &path))?;
                if read == 0 {
                    break;
                }
                hasher.update(&buffer[..read]);
            }
            if hasher.finalize().to_hex().as_str() != shard.blake3 {
                let reason = "its checksum is wrong".to_owned();
                return Err(CorpusError::Damaged { path, reason });
            }
        }
        Ok(())
    }

    /// The pieces, in the order of their files.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The tokenizer the dataset was made with.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The dataset's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All base tokens.
    pub fn tokens(&self) -> u64 {
        self.header.tokens
    }

    /// Base tokens of a piece, by its index; empty for an index beyond the last.
    ///
    /// # Errors
    /// [`CorpusError::Io`] where they cannot be read.
    pub fn base_tokens(&self, index: usize) -> Result<BaseTokens, CorpusError> {
        let Some(piece) = self.pieces.get(index) else {
            return Ok(BaseTokens::default());
        };
        let mut bytes = vec![0; piece.tokens as usize * 2];
        let path = self.folder.join(&self.header.shards[piece.shard].file);
        read_at(&self.shards[piece.shard], &mut bytes, piece.offset * 2)
            .map_err(CorpusError::io("read", path))?;
        let mut tokens = BaseTokens::default();
        tokens.ids.reserve_exact(piece.tokens as usize);
        for (index, pair) in bytes.chunks_exact(2).enumerate() {
            let stored = u16::from_le_bytes([pair[0], pair[1]]);
            if stored & WORD_START != 0 {
                tokens.word_starts.push(index as u32);
            }
            tokens.ids.push(stored & !WORD_START);
        }
        Ok(tokens)
    }
}

/// The tokenizer of a dataset or model folder, or of a `tokenizer.json` itself.
///
/// # Errors
/// As [`Tokenizer::load`].
pub fn open_tokenizer(path: &Path) -> Result<Tokenizer, CorpusError> {
    read_tokenizer(path).map(|(tokenizer, _)| tokenizer)
}

/// Like [`open_tokenizer`], with the contents of the file.
pub(crate) fn read_tokenizer(path: &Path) -> Result<(Tokenizer, String), CorpusError> {
    let file = match path.is_dir() {
        true => path.join("tokenizer.json"),
        false => path.to_owned(),
    };
    let text = fs::read_to_string(&file).map_err(CorpusError::io("read", &file))?;
    Ok((Tokenizer::from_json(&text, &file)?, text))
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[read..];
        offset += read as u64;
    }
    Ok(())
}
