//! One process a run.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use crate::error::TrainError;

/// Name of the file in a run's folder that the process which trains it has locked.
pub const LOCK_FILE: &str = "run.lock";

/// Holds a run's folder; dropped, or ended with its process, it lets go.
#[derive(Debug)]
pub(crate) struct RunLock(#[expect(dead_code, reason = "open is what it is for")] File);

impl RunLock {
    /// Takes the run in `out`, a folder that exists. File systems without locks
    /// are trusted.
    ///
    /// # Errors
    /// [`TrainError::InUse`] where another process has it, [`TrainError::Io`].
    pub(crate) fn take(out: &Path) -> Result<Self, TrainError> {
        let path = out.join(LOCK_FILE);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(TrainError::io(&path))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(TrainError::InUse(out.to_owned())),
            Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => {
                Err(TrainError::io(&path)(error))
            }
            _ => Ok(Self(file)),
        }
    }
}
