//! One partition, mounted where nobody else sees it, until it is dropped.

use super::loops::Loop;
use super::pieces::{Piece, open};
use crate::below;
use crate::trouble::Trouble;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const NOTHING: Option<&str> = None;
/// A stick that was only read is let go of by others within this.
const LET_GO: Duration = Duration::from_secs(10);

/// Gives this thread a mount namespace of its own: what it mounts is seen by nobody else, and goes with it.
///
/// # Errors
/// The kernel refuses: not root.
pub fn become_private() -> Result<(), Trouble> {
    unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_SLAVE, NOTHING))
        .map_err(|error| {
            Trouble::new(format!("nothing can be mounted here: {error}")).mend("run this as root")
        })
}

/// A mounted partition.
#[derive(Debug)]
pub struct Mounted {
    piece: Piece,
    mount: Mount,
}

impl Mounted {
    /// Mounts a piece for reading at the folder `target`, which is made.
    ///
    /// # Errors
    /// Nothing that is taken, damaged, or the kernel does not know the file system.
    pub fn new(piece: Piece, target: &Path) -> Result<Self, Trouble> {
        let failed = |error: io::Error| Trouble::new(format!("cannot make {}: {error}", target.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(target).map_err(failed)?;
        let mount = Mount::new(&piece, target.to_owned(), false).inspect_err(|_| forget(target))?;
        Ok(Self { piece, mount })
    }

    /// The top folder.
    #[must_use]
    pub fn folder(&self) -> BorrowedFd<'_> {
        self.mount.folder.as_fd()
    }

    /// The same for writing.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn for_writing(self) -> Result<Self, Trouble> {
        let Self { piece, mount } = self;
        let target = mount.target.clone();
        // Not a remount: an ext4 whose journal was left alone cannot become writable.
        let end = End::of(&mount);
        drop(mount);
        // Whoever read an update from it lets go of it in their own time.
        if let Err(error) = end.and_then(|end| end.wait(LET_GO)) {
            tracing::debug!("cannot tell when {} is let go of: {error}", piece.name);
        }
        let mount = Mount::new(&piece, target.clone(), true).inspect_err(|_| forget(&target))?;
        Ok(Self { piece, mount })
    }

    /// Waits until all is on the device, and unmounts.
    ///
    /// # Errors
    /// The device does not take it.
    pub fn close(self) -> Result<(), Trouble> {
        let synced = nix::unistd::syncfs(self.folder());
        let target = self.mount.target.clone();
        drop(self.mount);
        forget(&target);
        synced.map_err(|error| {
            Trouble::new(format!("{} does not take what is written: {error}", self.piece.name))
        })
    }
}

/// Best effort: an empty folder in /run harms nobody.
fn forget(target: &Path) {
    let _ = std::fs::remove_dir(target);
}

/// The end of a file system: nobody has it mounted any more, nor a file of it open.
struct End(Inotify);

impl End {
    /// Watches the top folder, which does not hold the file system.
    fn of(mount: &Mount) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        // The end is told whatever else is asked for.
        inotify.add_watch(&below::path(mount.folder.as_fd()), AddWatchFlags::IN_DELETE_SELF)?;
        Ok(Self(inotify))
    }

    fn wait(&self, limit: Duration) -> io::Result<()> {
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], limit)?;
        Ok(())
    }
}

/// What is mounted now. The fields go in this order: the last hold on the file system, then its device.
#[derive(Debug)]
struct Mount {
    folder: File,
    _device: Option<Loop>,
    target: PathBuf,
}

impl Mount {
    fn new(piece: &Piece, target: PathBuf, writable: bool) -> Result<Self, Trouble> {
        let name = &piece.name;
        let format = "format the stick as FAT32 or exFAT, and copy the files again";
        let Some(kind) = piece.kind else {
            return Err(Trouble::new(format!("{name} holds no file system that is known here")).mend(format));
        };
        let Some(how) = kind.mounting() else {
            return Err(Trouble::new(format!("{name} is {}, which is not taken", kind.name())).mend(format));
        };
        let failed = |error: io::Error| explain(name, kind.name(), writable, &error);
        let device = match piece.within {
            None => None,
            Some((offset, length)) => {
                let backing = open(&piece.path, writable).map_err(failed)?;
                Some(Loop::attach(&backing, writable, offset, length).map_err(failed)?)
            }
        };
        let mut flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_NOATIME;
        flags.set(MsFlags::MS_RDONLY, !writable);
        let options = if writable { how.writing } else { how.reading };
        let node = device.as_ref().map_or(piece.path.as_path(), Loop::path);
        mount(Some(node), &target, Some(how.kernel), flags, Some(options))
            .map_err(|error| failed(error.into()))?;
        match File::open(&target) {
            Ok(folder) => Ok(Self { folder, _device: device, target }),
            Err(error) => {
                detach(&target);
                Err(failed(error))
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        detach(&self.target);
    }
}

/// Takes a file system out of the tree; it is let go of when nobody holds it, also when its device is gone.
fn detach(target: &Path) {
    let _ = umount2(target, MntFlags::UMOUNT_NOFOLLOW | MntFlags::MNT_DETACH);
}

fn explain(name: &str, kind: &str, writable: bool, error: &io::Error) -> Trouble {
    let errno = error.raw_os_error().map(Errno::from_raw);
    match errno {
        Some(Errno::ENODEV) => Trouble::new(format!("the system of this box cannot read {kind} ({name})"))
            .mend("use a stick of another file system: FAT32, exFAT or ext4"),
        Some(Errno::EROFS | Errno::EACCES | Errno::EPERM) if writable => {
            Trouble::new(format!("{name} cannot be written"))
                .mend("see whether the stick has a switch against it")
        }
        Some(Errno::EBUSY) => Trouble::new(format!("{name} is in use")).mend("unmount it first"),
        _ => Trouble::new(format!(
            "the {kind} file system of {name} is damaged, or the stick broken: {error}"
        ))
        .mend("have the computer repair the stick, or format it as FAT32 or exFAT; copy the files again"),
    }
}
