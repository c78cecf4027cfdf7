//! The only place that starts other programs. A child never outlives its parent: the kernel ends it when the parent
//! dies, however that happened.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// A program to be started.
#[derive(Debug, Clone)]
pub struct ChildCommand {
    path: PathBuf,
    arg0: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    output_piped: bool,
    errors_piped: bool,
}

impl ChildCommand {
    /// The executable at `path`, shown in process lists as `arg0`. Its output joins our stderr.
    pub fn new(path: impl Into<PathBuf>, arg0: impl AsRef<OsStr>) -> Self {
        Self {
            path: path.into(),
            arg0: arg0.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            output_piped: false,
            errors_piped: false,
        }
    }

    /// Adds an argument. No secret may be one: every user of the machine can read them.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Sets a variable of the child's environment.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Gives the child's standard output to the caller.
    #[must_use]
    pub fn piped(mut self) -> Self {
        self.output_piped = true;
        self
    }

    /// Gives the child's standard error to the caller.
    #[must_use]
    pub fn errors_piped(mut self) -> Self {
        self.errors_piped = true;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the executable is missing or cannot be run.
    #[allow(clippy::disallowed_methods, unsafe_code)]
    pub fn start(&self) -> io::Result<Child> {
        let mut command = Command::new(&self.path);
        let parent = nix::unistd::getpid();
        command
            .arg0(&self.arg0)
            .args(&self.args)
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(if self.output_piped { Stdio::piped() } else { Stdio::from(io::stderr()) })
            .stderr(if self.errors_piped { Stdio::piped() } else { Stdio::inherit() })
            // Ctrl-C on a terminal is for us; we end the child in our own time.
            .process_group(0)
            .kill_on_drop(true);
        // SAFETY: between fork and exec only two system calls are made, both async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
                // The parent may have died before the line above took hold.
                if nix::unistd::getppid() != parent {
                    return Err(io::ErrorKind::NotConnected.into());
                }
                Ok(())
            });
        }
        command.spawn()
    }

    /// Replaces this process with it (exec). Returns only when that fails.
    #[must_use]
    #[allow(clippy::disallowed_methods)]
    pub fn exec(&self) -> io::Error {
        std::process::Command::new(&self.path)
            .arg0(&self.arg0)
            .args(&self.args)
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .exec()
    }
}

/// The path of an executable that is installed beside this one, or in `../lib/robocast`.
#[must_use]
pub fn sibling(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    sibling_of(own.parent().unwrap_or(Path::new("/usr/bin")), name)
}

fn sibling_of(folder: &Path, name: &str) -> PathBuf {
    let beside = folder.join(name);
    let library = folder.parent().unwrap_or(folder).join("lib/robocast").join(name);
    if !beside.exists() && library.exists() { library } else { beside }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn a_child_shows_under_its_given_name_and_sees_its_variables() {
        let mut child = ChildCommand::new("/bin/sh", "robocast camera front")
            .arg("-c")
            .arg("echo $COLOUR; tr '\\0' ' ' < /proc/$$/cmdline")
            .env("COLOUR", "green")
            .piped()
            .start()
            .unwrap();
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
        assert!(out.starts_with("green\nrobocast camera front -c"), "{out}");
        assert!(child.wait().await.unwrap().success());
    }

    #[test]
    fn a_sibling_is_beside_this_executable_or_in_the_library_folder() {
        let root = tempfile::tempdir().unwrap();
        let (bin, library) = (root.path().join("bin"), root.path().join("lib/robocast"));
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir_all(&library).unwrap();
        // Where it is nowhere, the error names the place beside.
        assert_eq!(sibling_of(&bin, "media"), bin.join("media"));
        std::fs::File::create(library.join("media")).unwrap();
        assert_eq!(sibling_of(&bin, "media"), library.join("media"));
        std::fs::File::create(bin.join("media")).unwrap();
        assert_eq!(sibling_of(&bin, "media"), bin.join("media"));
    }

    #[tokio::test]
    async fn a_program_that_is_dropped_ends() {
        let child = ChildCommand::new("/bin/sleep", "sleep").arg("1000").start().unwrap();
        let pid = child.id().unwrap();
        drop(child);
        let gone = async {
            // A zombie that is not reaped yet has no command line.
            while std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(15), gone).await.expect("it ends");
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error_and_not_a_panic() {
        assert!(ChildCommand::new("/nonexistent", "x").start().is_err());
    }
}
