//! Writing in a folder that is held open by its file descriptor, whatever is in it: no link is followed, no file is left half
//! written.

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use robocast_daemon::atomic::{self, WriteError};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::PathBuf;

/// A path of an open folder, valid as long as it is open, also when the folder has no name any more.
#[must_use]
pub fn path_of(folder: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()))
}

/// Replaces the file `name` of a folder. A link under this name is replaced itself.
///
/// # Errors
/// A folder has this name, or it cannot be written; the old contents are still there.
pub fn write_file(folder: BorrowedFd<'_>, name: &str, content: &[u8], mode: u32) -> Result<(), WriteError> {
    atomic::write(&path_of(folder).join(name), content, mode)
}

/// Opens the folder `name` in a folder, after making it if it is not there; never through a link.
///
/// # Errors
/// Something else has this name, or it cannot be made.
pub fn make_folder(above: BorrowedFd<'_>, name: &str) -> io::Result<File> {
    match mkdirat(above, name, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let how = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(File::from(openat(above, name, how, Mode::empty())?))
}
