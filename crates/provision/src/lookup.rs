//! Looks up files of a stick by their names, ignoring case: regular files only, bounded, and never through a link.

use crate::problem::ProvisionProblem;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

/// The most names a top folder may have.
pub const MOST_NAMES: usize = 10_000;

/// The names in a folder.
///
/// # Errors
/// It cannot be read, or has too many.
pub fn list_names(folder: BorrowedFd<'_>) -> Result<Vec<OsString>, ProvisionProblem> {
    let failed = |error: io::Error| broken("its top folder", &error);
    let mut names = Vec::new();
    // The folder itself, not the target of a name in it.
    let entries = std::fs::read_dir(crate::dirfd::path_of(folder)).map_err(failed)?;
    for entry in entries {
        if names.len() == MOST_NAMES {
            let problem = ProvisionProblem::new(format!("the top folder has more than {MOST_NAMES} files"));
            return Err(problem.with_hint("use a stick that holds nothing but the files for the box"));
        }
        names.push(entry.map_err(failed)?.file_name());
    }
    names.sort();
    Ok(names)
}

/// The name among `names` that is `wanted`, ignoring case. `None` when there is none.
///
/// # Errors
/// There are several.
pub fn pick_name<'n>(names: &'n [OsString], wanted: &str) -> Result<Option<&'n OsStr>, ProvisionProblem> {
    one(names, wanted, |name| name.eq_ignore_ascii_case(wanted))
}

/// The name among `names` that ends in `.extension`, ignoring case. `None` when there is none; the files that a Mac
/// adds (`._name`) do not count.
///
/// # Errors
/// There are several.
pub fn pick_by_extension<'n>(
    names: &'n [OsString],
    extension: &str,
) -> Result<Option<&'n OsStr>, ProvisionProblem> {
    one(names, &format!("*.{extension}"), |name| {
        let bytes = name.as_bytes();
        let Some(at) = bytes.len().checked_sub(extension.len() + 1) else { return false };
        at > 0
            && !bytes.starts_with(b"._")
            && bytes[at] == b'.'
            && bytes[at + 1..].eq_ignore_ascii_case(extension.as_bytes())
    })
}

fn one<'n>(
    names: &'n [OsString],
    wanted: &str,
    fits: impl Fn(&OsStr) -> bool,
) -> Result<Option<&'n OsStr>, ProvisionProblem> {
    let mut found = names.iter().map(OsString::as_os_str).filter(|name| fits(name));
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        (Some(first), Some(second)) => {
            let text =
                format!("there are several {wanted}: {} and {}", display_name(first), display_name(second));
            Err(ProvisionProblem::new(text).with_hint("leave only the one that is meant"))
        }
        (None, Some(_)) => Ok(None),
    }
}

/// A name that may have been meant as `wanted`, such as `robocast.toml.txt`.
#[must_use]
pub fn find_similar<'n>(names: &'n [OsString], wanted: &str) -> Option<&'n OsStr> {
    let stem = |text: &str| {
        let text: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        text.to_ascii_lowercase()
    };
    let wanted = stem(wanted);
    let close = |name: &&OsString| {
        let name = name.to_string_lossy();
        // The second file of a Mac, and our own.
        !name.starts_with("._") && !name.starts_with("robocast-") && stem(&name).starts_with(&wanted)
    };
    names.iter().find(close).map(OsString::as_os_str)
}

/// A name as it can be shown: without control characters, bounded.
#[must_use]
pub fn display_name(name: &OsStr) -> String {
    let text: String = name.to_string_lossy().chars().take(80).collect();
    format!("`{}`", text.escape_debug())
}

/// Opens the regular file `name` of a folder for reading, without following anything and without waiting.
///
/// # Errors
/// It is no regular file, or cannot be opened.
pub fn open_file(folder: BorrowedFd<'_>, name: &OsStr) -> Result<File, ProvisionProblem> {
    let failed = |error: Errno| broken(&display_name(name), &error.into());
    // Checked before it is opened: opening some devices has an effect.
    regular(name, &fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(failed)?)?;
    // A name in the folder itself, never a path. Not `openat2`, which could check this: systemd's `RestrictSUIDSGID=`
    // makes the kernel report that this call does not exist.
    if name.as_bytes().contains(&b'/') {
        return Err(failed(Errno::EINVAL));
    }
    let how = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = File::from(openat(folder, name, how, Mode::empty()).map_err(failed)?);
    regular(name, &fstat(file.as_fd()).map_err(failed)?)?;
    Ok(file)
}

/// The bytes of the regular file `name`, at most `limit`; a larger one is not read at all.
///
/// # Errors
/// It is no regular file, is larger, or cannot be read.
pub fn read_file(folder: BorrowedFd<'_>, name: &OsStr, limit: usize) -> Result<Vec<u8>, ProvisionProblem> {
    let failed = |error: io::Error| broken(&display_name(name), &error);
    let file = open_file(folder, name)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > limit as u64 {
        return Err(too_large(name, size, limit));
    }
    let mut bytes = Vec::new();
    // Bounded again while reading: the size may be wrong, or change.
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() > limit {
        true => Err(too_large(name, bytes.len() as u64, limit)),
        false => Ok(bytes),
    }
}

fn too_large(name: &OsStr, size: u64, limit: usize) -> ProvisionProblem {
    let text = format!("{} has {size} bytes; at most {limit} are accepted", display_name(name));
    ProvisionProblem::new(text).with_hint("put the right file there under this name")
}

fn regular(name: &OsStr, about: &FileStat) -> Result<(), ProvisionProblem> {
    let what = match SFlag::from_bits_truncate(about.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => return Ok(()),
        SFlag::S_IFDIR => "a folder",
        SFlag::S_IFLNK => "a link",
        SFlag::S_IFBLK | SFlag::S_IFCHR => "a device",
        SFlag::S_IFIFO => "a pipe",
        SFlag::S_IFSOCK => "a socket",
        _ => "of an unknown kind",
    };
    let text = format!("{} is {what}, not a file", display_name(name));
    Err(ProvisionProblem::new(text).with_hint("put the file itself under this name"))
}

fn broken(what: &str, error: &io::Error) -> ProvisionProblem {
    ProvisionProblem::new(format!("{what} cannot be read: {error}")).with_hint(
        "leave the stick in until the receipt is on it; if you did, the stick is damaged: format it again",
    )
}

#[cfg(test)]
mod tests;
