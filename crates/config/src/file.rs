//! Settings files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::problem::{Problem, Problems};
use crate::{Checked, Unseal, parse, parse_with};

/// The largest settings file that is read, in bytes (256 KiB).
pub const LIMIT: usize = 256 * 1024;

/// Why a settings file was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file can be read but is not valid, or is too large.
    #[error("{}", problems.display(&path.to_string_lossy()))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it.
        problems: Problems,
    },
}

/// Reads a file's bytes, at most [`LIMIT`]; the rest of a larger file is not read.
///
/// # Errors
/// The file cannot be read, or is too large.
pub fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() > LIMIT {
        true => Err(LoadError::Invalid { path: path.to_owned(), problems: Problems::one(too_large()) }),
        false => Ok(bytes),
    }
}

pub(crate) fn too_large() -> Problem {
    let hint = "this is probably not a settings file".to_owned();
    Problem {
        hint: Some(hint),
        ..Problem::error(1, 1, format!("the file is larger than {} KiB", LIMIT / 1024))
    }
}

/// Reads and checks a settings file without sealed values.
///
/// # Errors
/// The file cannot be read, or is not valid.
pub fn load(path: &Path) -> Result<Checked, LoadError> {
    parse(&read(path)?).map_err(|problems| LoadError::Invalid { path: path.to_owned(), problems })
}

/// Like [`load`], and opens sealed values.
///
/// # Errors
/// The file cannot be read, or is not valid, or a sealed value cannot be opened.
pub fn load_with(path: &Path, key: &dyn Unseal) -> Result<Checked, LoadError> {
    parse_with(&read(path)?, key).map_err(|problems| LoadError::Invalid { path: path.to_owned(), problems })
}
