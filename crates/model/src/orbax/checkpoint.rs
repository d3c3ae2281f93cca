//! A checkpoint: named arrays.

use std::collections::BTreeMap;
use std::path::Path;

use super::database::{DESCRIPTION, Database};
use super::error::{Flaw, OrbaxError};
use super::zarr::Array;

/// The key of a version 3 array's description, after its name.
const DESCRIPTION_3: &str = "/zarr.json";

/// An opened checkpoint. Its arrays are read when they are asked for.
pub struct Checkpoint {
    database: Database,
    arrays: BTreeMap<String, Array>,
}

impl Checkpoint {
    /// Opens a checkpoint folder: reads which arrays there are.
    ///
    /// # Errors
    /// [`OrbaxError`] for a folder that is no checkpoint, a file that is missing
    /// or damaged, or something that the original does not write.
    pub fn open(folder: &Path) -> Result<Self, OrbaxError> {
        let database = Database::open(folder)?;
        let mut arrays = BTreeMap::new();
        for key in database.keys() {
            let flawed = |flaw: Flaw| flaw.within(key).of(&database.path(key));
            if let Some(name) = key.strip_suffix(DESCRIPTION) {
                let json = database.get(key)?.unwrap_or_default();
                arrays.insert(name.to_owned(), Array::parse(&json).map_err(flawed)?);
            } else if key.ends_with(DESCRIPTION_3) {
                let json = database.get(key)?.unwrap_or_default();
                return Err(flawed(version_3(&json)));
            }
        }
        Ok(Self { database, arrays })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.database.folder()
    }

    /// The names and shapes of all arrays, in the order of their names.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        let arrays = self.arrays.iter();
        arrays.map(|(name, array)| (name.as_str(), array.shape.as_slice()))
    }

    /// The values of an array, row-major; bf16 is widened to f32.
    ///
    /// # Errors
    /// [`OrbaxError::NoArray`], or another for a file that is missing or damaged.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, OrbaxError> {
        let array = self.arrays.get(name).ok_or_else(|| OrbaxError::NoArray {
            path: self.folder().to_owned(),
            name: name.to_owned(),
        })?;
        let mut key = String::new();
        let read = array.read(|chunk| {
            key = format!("{name}/{chunk}");
            self.database.get(&key).map_err(Failure::Whole)
        });
        read.map_err(|failure| match failure {
            Failure::Whole(error) => error,
            Failure::Part(flaw) => flaw.within(&key).of(&self.database.path(&key)),
        })
    }
}

/// What a version 3 array is called when it is refused.
fn version_3(json: &[u8]) -> Flaw {
    let sharded = String::from_utf8_lossy(json).contains("sharding_indexed");
    Flaw::Unsupported(match sharded {
        true => "a sharded array of zarr version 3".to_owned(),
        false => "an array of zarr version 3".to_owned(),
    })
}

/// A failure while reading a chunk, with its file or without.
enum Failure {
    Whole(OrbaxError),
    Part(Flaw),
}

impl From<Flaw> for Failure {
    fn from(flaw: Flaw) -> Self {
        Self::Part(flaw)
    }
}
