//! Network namespaces: made as `ip netns add` makes them, entered by threads of their own. A thread that has entered one
//! does its work and ends: none of those that run tasks ever changes sides. Sockets stay on the side where they were opened.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

/// Where namespaces have names.
const FOLDER: &str = "/run/netns";

/// A network namespace.
#[derive(Debug, Clone)]
pub struct Namespace {
    file: Arc<File>,
}

/// Why a namespace cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// It cannot be opened or entered.
    #[error("cannot enter the network namespace {name}{}", mend(source))]
    Enter {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It cannot be made.
    #[error("cannot make the network namespace {name}{}", mend(source))]
    Make {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
}

/// A hint for what is usually wrong.
fn mend(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; it takes root, or CAP_NET_ADMIN and CAP_SYS_ADMIN",
        _ => "",
    }
}

/// The path of a namespace.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

impl Namespace {
    /// The one this program runs in.
    ///
    /// # Errors
    /// When `/proc` is not there.
    pub fn own() -> Result<Self, NamespaceError> {
        let enter = |source| NamespaceError::Enter { name: "of this program".to_owned(), source };
        Ok(Self { file: Arc::new(File::open("/proc/self/ns/net").map_err(enter)?) })
    }

    /// The one of a name; none when there is none.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub fn open(name: &str) -> Result<Option<Self>, NamespaceError> {
        let enter = |source| NamespaceError::Enter { name: name.to_owned(), source };
        let file = match File::open(path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(enter)?,
        };
        // Without a namespace on it the name is an empty file: its mount was undone.
        let kind = fstatfs(&file).map_err(|errno| enter(errno.into()))?.filesystem_type();
        Ok((kind == NSFS_MAGIC).then(|| Self { file: Arc::new(file) }))
    }

    /// Makes one of a name, or opens that which is there.
    ///
    /// # Errors
    /// When this takes rights that the program does not have.
    pub async fn make(name: &str) -> Result<Self, NamespaceError> {
        if let Some(there) = Self::open(name)? {
            return Ok(there);
        }
        let fault = |source| NamespaceError::Make { name: name.to_owned(), source };
        let target = path(name);
        aside(move || make(&target)).await.and_then(|made| made).map_err(fault)?;
        Self::open(name)?.ok_or_else(|| fault(io::ErrorKind::NotFound.into()))
    }

    /// Runs a short piece of work in it. Sockets that it opens, those of the runtime too, stay in the namespace.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or the work panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let file = self.file.clone();
        let runtime = tokio::runtime::Handle::current();
        aside(move || {
            setns(&*file, CloneFlags::CLONE_NEWNET)?;
            let _runtime = runtime.enter();
            Ok(work())
        })
        .await?
    }

    /// Runs a task in it, on a thread with a runtime of its own, for as long as it takes. Programs that it starts are in
    /// the namespace.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or the task panics.
    pub async fn dwell<T, F>(&self, task: impl FnOnce() -> F + Send + 'static) -> io::Result<T>
    where
        T: Send + 'static,
        F: Future<Output = T>,
    {
        let file = self.file.clone();
        aside(move || {
            setns(&*file, CloneFlags::CLONE_NEWNET)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(task()))
        })
        .await?
    }

    /// For the kernel, as the side that an interface goes to.
    pub(super) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Runs work on a thread of its own, which ends with it.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (told, answer) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("side".to_owned()).spawn(move || {
        // Who asked may have gone.
        let _ = told.send(work());
    })?;
    answer.await.map_err(|_| io::Error::other("the work on the other side ended early"))
}

fn make(target: &Path) -> io::Result<()> {
    const NONE: Option<&str> = None;
    std::fs::create_dir_all(FOLDER)?;
    // Shared, so that every program sees what is mounted there later; only a mount can be.
    let share = || mount(NONE, FOLDER, NONE, MsFlags::MS_SHARED | MsFlags::MS_REC, NONE);
    if share().is_err() {
        mount(Some(FOLDER), FOLDER, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE)?;
        share()?;
    }
    File::options().create(true).truncate(false).write(true).open(target)?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    mount(Some("/proc/thread-self/ns/net"), target, NONE, MsFlags::MS_BIND, NONE)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_has_is_no_error() {
        assert!(Namespace::open("nobody-has-this").unwrap().is_none());
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_and_no_panic() {
        let error = aside::<()>(|| panic!("on purpose")).await.unwrap_err();
        assert!(error.to_string().contains("ended early"), "{error}");
    }
}
