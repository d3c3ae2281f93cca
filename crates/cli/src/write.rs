//! Files that are whole or absent.

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
