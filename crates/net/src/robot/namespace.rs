//! Network namespaces: created as `ip netns add` creates them, entered by dedicated threads. A thread that has entered one
//! does its work and ends: threads that run other tasks never change namespaces. A socket stays in the namespace in which it was
//! opened.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

/// Where the names of namespaces are.
const FOLDER: &str = "/run/netns";

/// A network namespace.
#[derive(Debug, Clone)]
pub struct Namespace {
    file: Arc<File>,
}

/// Why a namespace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// It cannot be opened or entered.
    #[error("cannot enter the network namespace {name}{}", hint(source))]
    Enter {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It cannot be created.
    #[error("cannot create the network namespace {name}{}", hint(source))]
    Create {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
}

/// The usual reason.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; root, or CAP_NET_ADMIN and CAP_SYS_ADMIN, is needed",
        _ => "",
    }
}

/// The path of a namespace.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

impl Namespace {
    /// The one in which this program runs.
    ///
    /// # Errors
    /// When `/proc` is not there.
    pub fn own() -> Result<Self, NamespaceError> {
        let enter = |source| NamespaceError::Enter { name: "of this program".to_owned(), source };
        Ok(Self { file: Arc::new(File::open("/proc/self/ns/net").map_err(enter)?) })
    }

    /// The one with this name; none where it does not exist.
    ///
    /// # Errors
    /// When it exists and cannot be opened.
    pub fn open(name: &str) -> Result<Option<Self>, NamespaceError> {
        let enter = |source| NamespaceError::Enter { name: name.to_owned(), source };
        let file = match File::open(path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(enter)?,
        };
        // Without a namespace mounted on it the name is an empty file.
        let kind = fstatfs(&file).map_err(|errno| enter(errno.into()))?.filesystem_type();
        Ok((kind == NSFS_MAGIC).then(|| Self { file: Arc::new(file) }))
    }

    /// Creates one with this name, or opens the existing one.
    ///
    /// # Errors
    /// When the program lacks the privileges.
    pub async fn create(name: &str) -> Result<Self, NamespaceError> {
        if let Some(there) = Self::open(name)? {
            return Ok(there);
        }
        let fault = |source| NamespaceError::Create { name: name.to_owned(), source };
        let target = path(name);
        on_own_thread(move || create(&target)).await.and_then(|created| created).map_err(fault)?;
        Self::open(name)?.ok_or_else(|| fault(io::ErrorKind::NotFound.into()))
    }

    /// Runs a short piece of work in it. Sockets opened by it belong to the namespace, those of the runtime included.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or the work panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let file = self.file.clone();
        let runtime = tokio::runtime::Handle::current();
        on_own_thread(move || {
            setns(&*file, CloneFlags::CLONE_NEWNET)?;
            let _runtime = runtime.enter();
            Ok(work())
        })
        .await?
    }

    /// Runs a task in it, on a thread with its own runtime, until the task ends. Programs that it starts run in the namespace.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or the task panics.
    pub async fn run_task<T, F>(&self, task: impl FnOnce() -> F + Send + 'static) -> io::Result<T>
    where
        T: Send + 'static,
        F: Future<Output = T>,
    {
        let file = self.file.clone();
        on_own_thread(move || {
            setns(&*file, CloneFlags::CLONE_NEWNET)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(task()))
        })
        .await?
    }

    /// Identifies the namespace to the kernel, as the target of a move.
    pub(super) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Runs work on a dedicated thread, which ends with it.
async fn on_own_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (told, answer) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("side".to_owned()).spawn(move || {
        // The caller may have been dropped.
        let _ = told.send(work());
    })?;
    answer.await.map_err(|_| io::Error::other("the work in the namespace ended early"))
}

fn create(target: &Path) -> io::Result<()> {
    const NONE: Option<&str> = None;
    std::fs::create_dir_all(FOLDER)?;
    // Shared, so that every program sees later mounts there; only a mount point can be shared.
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
    fn a_name_that_does_not_exist_is_no_error() {
        assert!(Namespace::open("nobody-has-this").unwrap().is_none());
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_and_no_panic() {
        let error = on_own_thread::<()>(|| panic!("on purpose")).await.unwrap_err();
        assert!(error.to_string().contains("ended early"), "{error}");
    }
}
