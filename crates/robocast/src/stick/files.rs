//! Files of a stick: read up to a limit, written whole or not at all.

use robocast_stick::names;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// It is larger than anything that could be meant.
    #[error("{} is larger than {} KiB: this is hardly what was meant", .0.display(), .1 / 1024)]
    TooLarge(PathBuf, usize),
    /// It cannot be written.
    #[error("cannot write {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// It would be overwritten.
    #[error("{} is there already; {}", .0.display(), .1)]
    There(PathBuf, &'static str),
}

/// The settings file that is meant: the file itself, or the one in a stick's folder.
pub fn settings_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join(names::SETTINGS) } else { path.to_owned() }
}

/// The path with something behind its last name: `a/robocast.toml` and `.sig`.
pub fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A file's bytes.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read(path.to_owned(), source);
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit { Err(FileError::TooLarge(path.to_owned(), limit)) } else { Ok(bytes) }
}

/// As [`read`]; `None` when there is no such file.
pub fn read_if_there(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, FileError> {
    match read(path, limit) {
        Err(FileError::Read(_, error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Refuses when there is something at the path, whatever it is.
pub fn free(path: &Path, mend: &'static str) -> Result<(), FileError> {
    match path.symlink_metadata() {
        Ok(_) => Err(FileError::There(path.to_owned(), mend)),
        Err(_) => Ok(()),
    }
}

/// Who may read the written file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Only its owner, where the file system has owners.
    Owner,
    /// Everybody.
    All,
}

/// Writes a file: afterwards it holds the old bytes or the new ones, even when the stick is pulled in between.
pub fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), FileError> {
    let failed = |source| FileError::Write(path.to_owned(), source);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".robocast-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = if readers == Readers::Owner { 0o600 } else { 0o644 };
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = readers;
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    // Some systems have no folders that could be synced.
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_its_readers_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("robocast.toml");
        assert!(free(&path, "x").is_ok() && read_if_there(&path, 9).unwrap().is_none());
        write(&path, b"old", Readers::All).unwrap();
        write(&path, b"new", Readers::Owner).unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"new");
        assert!(matches!(read(&path, 2), Err(FileError::TooLarge(..))));
        assert!(matches!(free(&path, "x"), Err(FileError::There(..))));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            write(&path, b"new", Readers::All).unwrap();
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        }
    }

    #[test]
    fn a_folder_stands_for_the_settings_in_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(settings_of(folder.path()), folder.path().join("robocast.toml"));
        assert_eq!(settings_of(Path::new("a/b.toml")), Path::new("a/b.toml"));
        assert_eq!(with_ending(Path::new("a/b.toml"), ".sig"), Path::new("a/b.toml.sig"));
    }
}
