//! Where pieces come from: MIDI files or a dataset.

use std::path::{Path, PathBuf};

use corpus::{Dataset, Split, midi_files, read_file};
use figures::Piece;

use crate::usage::wrong_use;

/// Pieces that can be read one by one.
pub enum Source {
    /// MIDI files below a folder.
    Folder {
        folder: PathBuf,
        files: Vec<PathBuf>,
    },
    /// Pieces of a dataset, by their indices.
    Dataset {
        dataset: Box<Dataset>,
        indices: Vec<usize>,
    },
}

impl Source {
    /// Opens a folder of MIDI files, or that part of a dataset.
    pub fn open(path: &Path, split: Split) -> anyhow::Result<Self> {
        if !path.join("dataset.json").is_file() {
            let files = midi_files(path)?;
            let folder = path.to_owned();
            return Ok(Self::Folder { folder, files });
        }
        let dataset = Dataset::open(path)?;
        let belongs = |index: &usize| dataset.pieces()[*index].split == split;
        let indices: Vec<usize> = (0..dataset.pieces().len()).filter(belongs).collect();
        if indices.is_empty() {
            let name = match split {
                Split::Train => "training",
                Split::Valid => "validation",
                Split::Test => "test",
            };
            return Err(wrong_use(format!(
                "{} has no {name} pieces; name a folder of MIDI files",
                path.display()
            )));
        }
        Ok(Self::Dataset {
            dataset: Box::new(dataset),
            indices,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder { folder, .. } => folder,
            Self::Dataset { dataset, .. } => dataset.folder(),
        }
    }

    /// Number of pieces.
    pub fn len(&self) -> usize {
        match self {
            Self::Folder { files, .. } => files.len(),
            Self::Dataset { indices, .. } => indices.len(),
        }
    }

    /// A piece's file, relative to the folder that was read or tokenised.
    pub fn name(&self, index: usize) -> String {
        match self {
            Self::Folder { files, .. } => files[index].display().to_string(),
            Self::Dataset { dataset, indices } => dataset.pieces()[indices[index]].source.clone(),
        }
    }

    /// Reads a piece; the error says in words why it cannot be used.
    pub fn piece(&self, index: usize) -> Result<Piece, String> {
        let score = match self {
            Self::Folder { folder, files } => read_file(&folder.join(&files[index]))?.score,
            Self::Dataset { dataset, indices } => {
                let tokens = dataset.base_tokens(indices[index]);
                let tokens = tokens.map_err(|error| error.to_string())?;
                dataset.tokenizer().decode_base(&[tokens.ids]).score
            }
        };
        Piece::new(&score).ok_or_else(|| "it holds no piano notes".to_owned())
    }
}
