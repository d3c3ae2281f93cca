//! Files and folders that appear whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How the names of unfinished files and folders begin; they lie beside their target.
pub const UNFINISHED_PREFIX: &str = ".unfinished-";

/// Writes a file and waits until it is on the disk. Not atomic by itself: for
/// use inside [`write_folder`].
///
/// # Errors
/// What the system says.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Writes a file under a temporary name beside its own, then renames it. Missing
/// parent folders are made.
///
/// # Errors
/// What the system says; then what was at `target` is still there, and nothing
/// else.
pub fn write_file(target: &Path, bytes: &[u8]) -> io::Result<()> {
    write_file_with(target, |file| file.write_all(bytes))
}

/// The same for what is written bit by bit.
///
/// # Errors
/// As above, and those of `write`.
pub fn write_file_with<E: From<io::Error>>(
    target: &Path,
    write: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    let parent = parent_of(target);
    fs::create_dir_all(&parent)?;
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED_PREFIX)
        .tempfile_in(&parent)?;
    write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    set_readable(file.as_file())?;
    file.persist(target).map_err(|error| error.error)?;
    Ok(sync_entries(&parent)?)
}

/// Temporary files are made for their owner alone.
#[cfg(unix)]
fn set_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_readable(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Puts the names in a folder onto the disk; only Unix has a call for it.
#[cfg(unix)]
fn sync_entries(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_entries(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes `target` a folder with what `fill` writes into the empty folder it is
/// given: a temporary sibling is filled, synced and renamed. When `fill` fails,
/// nothing is left behind and an old folder at `target` stays as it was. An old
/// folder is replaced; it is moved aside first, so that `target` is missing for
/// a moment, but never half there.
///
/// # Errors
/// The error of `fill`, or of the system by way of `From<io::Error>`.
pub fn write_folder<E: From<io::Error>>(
    target: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let parent = parent_of(target);
    fs::create_dir_all(&parent)?;
    let temporary = tempfile::Builder::new()
        .prefix(UNFINISHED_PREFIX)
        .tempdir_in(&parent)?;
    let new = temporary.path().join("new");
    fs::create_dir(&new)?;
    fill(&new)?;
    sync_folder(&new)?;
    if target.exists() {
        fs::rename(target, temporary.path().join("old"))?;
    }
    fs::rename(&new, target)?;
    sync_entries(&parent)?;
    temporary.close()?;
    Ok(())
}

/// Removes what killed processes left unfinished beside `target`.
///
/// # Errors
/// What the system says; a missing folder is no error.
pub fn remove_unfinished(target: &Path) -> io::Result<()> {
    let parent = parent_of(target);
    let entries = match fs::read_dir(&parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name: OsString = entry.file_name();
        if name.to_string_lossy().starts_with(UNFINISHED_PREFIX) {
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
    }
    Ok(())
}

fn parent_of(target: &Path) -> PathBuf {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_folder(&path)?;
        } else {
            File::options().write(true).open(&path)?.sync_all()?;
        }
    }
    sync_entries(folder)
}
