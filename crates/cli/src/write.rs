//! Files that are whole or absent.

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::Context;

/// Writes a file under a temporary name beside its own, then renames it.
///
/// # Errors
/// Where the folder cannot be written to or the disk is full; then no file is
/// left.
pub fn atomically(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = model::atomic::write_file(path, bytes);
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// The same for what is written bit by bit.
///
/// # Errors
/// As above, and those of `write`.
pub fn atomically_with<E>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), E>,
) -> anyhow::Result<()>
where
    E: From<io::Error> + std::error::Error + Send + Sync + 'static,
{
    let written = model::atomic::write_file_with(path, write);
    written.with_context(|| format!("cannot write {}", path.display()))
}
