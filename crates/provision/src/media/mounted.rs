//! One partition, mounted where no other process sees it, until it is dropped.

use super::loops::Loop;
use super::pieces::{Piece, open};
use crate::dirfd;
use crate::problem::ProvisionProblem;
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
/// Others have closed a stick that was only read within this.
const LET_GO: Duration = Duration::from_secs(10);

/// Gives this thread its own mount namespace: no other process sees its mounts, and they are unmounted when the thread
/// ends.
///
/// # Errors
/// The kernel refuses: not root.
pub fn enter_private_mounts() -> Result<(), ProvisionProblem> {
    unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_SLAVE, NOTHING))
        .map_err(|error| {
            ProvisionProblem::new(format!("nothing can be mounted here: {error}"))
                .with_hint("run this as root")
        })
}

/// A mounted partition.
#[derive(Debug)]
pub struct Mounted {
    piece: Piece,
    mount: ActiveMount,
}

impl Mounted {
    /// Mounts a piece for reading at the folder `target`, which is made.
    ///
    /// # Errors
    /// Nothing that is taken, damaged, or the kernel does not know the file system.
    pub fn new(piece: Piece, target: &Path) -> Result<Self, ProvisionProblem> {
        let failed =
            |error: io::Error| ProvisionProblem::new(format!("cannot make {}: {error}", target.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(target).map_err(failed)?;
        let mount = ActiveMount::new(&piece, target.to_owned(), false).inspect_err(|_| forget(target))?;
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
    pub fn for_writing(self) -> Result<Self, ProvisionProblem> {
        let Self { piece, mount } = self;
        let target = mount.target.clone();
        // Not a remount: an ext4 whose journal was not replayed cannot become writable.
        let end = UnmountWatch::of(&mount);
        drop(mount);
        // The update program may need a moment to close a bundle.
        if let Err(error) = end.and_then(|end| end.wait(LET_GO)) {
            tracing::debug!("cannot tell when {} is closed: {error}", piece.name);
        }
        let mount = ActiveMount::new(&piece, target.clone(), true).inspect_err(|_| forget(&target))?;
        Ok(Self { piece, mount })
    }

    /// Waits until all is on the device, and unmounts.
    ///
    /// # Errors
    /// The device does not take it.
    pub fn close(self) -> Result<(), ProvisionProblem> {
        let synced = nix::unistd::syncfs(self.folder());
        let target = self.mount.target.clone();
        drop(self.mount);
        forget(&target);
        synced
            .map_err(|error| ProvisionProblem::new(format!("{} cannot be written: {error}", self.piece.name)))
    }
}

/// Best effort: an empty folder in /run does no harm.
fn forget(target: &Path) {
    let _ = std::fs::remove_dir(target);
}

/// The end of a file system: it is mounted nowhere any more, and none of its files is open.
struct UnmountWatch(Inotify);

impl UnmountWatch {
    /// Watches the top folder, which does not hold the file system.
    fn of(mount: &ActiveMount) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        // The end is reported whatever events are requested.
        inotify.add_watch(&dirfd::path_of(mount.folder.as_fd()), AddWatchFlags::IN_DELETE_SELF)?;
        Ok(Self(inotify))
    }

    fn wait(&self, limit: Duration) -> io::Result<()> {
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], limit)?;
        Ok(())
    }
}

/// The current mount. The fields are dropped in this order: the last hold on the file system, then its device.
#[derive(Debug)]
struct ActiveMount {
    folder: File,
    _device: Option<Loop>,
    target: PathBuf,
}

impl ActiveMount {
    fn new(piece: &Piece, target: PathBuf, writable: bool) -> Result<Self, ProvisionProblem> {
        let name = &piece.name;
        let format = "format the stick as FAT32 or exFAT, and copy the files again";
        let Some(kind) = piece.kind else {
            return Err(ProvisionProblem::new(format!("{name} holds no file system that is known here"))
                .with_hint(format));
        };
        let Some(how) = kind.mounting() else {
            return Err(ProvisionProblem::new(format!("{name} is {}, which is not taken", kind.name()))
                .with_hint(format));
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

impl Drop for ActiveMount {
    fn drop(&mut self) {
        detach(&self.target);
    }
}

/// Takes a file system out of the tree; it is released when nobody holds it, also when its device is gone.
fn detach(target: &Path) {
    let _ = umount2(target, MntFlags::UMOUNT_NOFOLLOW | MntFlags::MNT_DETACH);
}

fn explain(name: &str, kind: &str, writable: bool, error: &io::Error) -> ProvisionProblem {
    let errno = error.raw_os_error().map(Errno::from_raw);
    match errno {
        Some(Errno::ENODEV) => {
            ProvisionProblem::new(format!("the system of this box cannot read {kind} ({name})"))
                .with_hint("use a stick of another file system: FAT32, exFAT or ext4")
        }
        Some(Errno::EROFS | Errno::EACCES | Errno::EPERM) if writable => {
            ProvisionProblem::new(format!("{name} cannot be written"))
                .with_hint("check whether the stick has a write-protect switch")
        }
        Some(Errno::EBUSY) => {
            ProvisionProblem::new(format!("{name} is in use")).with_hint("unmount it first")
        }
        _ => ProvisionProblem::new(format!(
            "the {kind} file system of {name} is damaged, or the stick broken: {error}"
        ))
        .with_hint(
            "have the computer repair the stick, or format it as FAT32 or exFAT; copy the files again",
        ),
    }
}
