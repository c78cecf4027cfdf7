//! The folder of state, and the small files in it that provisioning keeps.

use crate::problem::ProvisionProblem;
use robocast_daemon::atomic;
use robocast_daemon::journal::chain;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folders of the box: what outlives a reboot, and what does not.
#[derive(Debug, Clone)]
pub struct StateDir {
    /// `/var/lib/robocast`.
    pub state: PathBuf,
    /// `/run/robocast`.
    pub run: PathBuf,
}

impl StateDir {
    /// Those of this machine.
    #[must_use]
    pub fn of_host() -> Self {
        Self { state: robocast_daemon::paths::state(), run: robocast_daemon::paths::run() }
    }

    /// A file of the state.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// Reads a file of the state, at most `limit` bytes. None when it is not there.
    ///
    /// # Errors
    /// It cannot be read, or is larger.
    pub fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, ProvisionProblem> {
        let path = self.file(name);
        let failed = |error: &dyn std::fmt::Display| {
            ProvisionProblem::new(format!("the box cannot read its own {}: {error}", path.display()))
                .with_hint("if it stays so, the disk of the box is damaged: flash it again")
        };
        let mut bytes = Vec::new();
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| failed(&error))?,
        };
        file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        if bytes.len() > limit {
            return Err(failed(&"it is too large"));
        }
        Ok(Some(bytes))
    }

    /// Writes a state file, readable only by root; afterwards it holds the old bytes or the new ones, whatever happens.
    ///
    /// # Errors
    /// It cannot be written; the old one is still there.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), ProvisionProblem> {
        let path = self.file(name);
        let failed = |why: &str| {
            ProvisionProblem::new(format!("the box cannot write: {why}"))
                .with_hint("its disk is full or damaged: restart the box; if it stays so, flash it again")
        };
        let folder = path.parent().unwrap_or(&self.state);
        make(folder).map_err(|error| failed(&format!("{}: {error}", folder.display())))?;
        atomic::write(&path, content, 0o600).map_err(|error| failed(&chain(&error)))
    }

    /// Removes files that a power cut left half written beside these: they may hold secrets. Best effort.
    pub fn remove_leftovers(&self, names: &[&str]) {
        for name in names {
            let path = self.file(name);
            if let Some(name) = path.file_name() {
                let _ = std::fs::remove_file(path.with_file_name(format!(".{}.new", name.to_string_lossy())));
            }
        }
    }

    /// Removes a state file permanently. A missing file is fine.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), ProvisionProblem> {
        let path = self.file(name);
        let removed = match std::fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => Err(error),
            Ok(()) => File::open(&self.state).and_then(|folder| folder.sync_all()),
        };
        removed.map_err(|error| {
            ProvisionProblem::new(format!("the box cannot remove {}: {error}", path.display()))
        })
    }
}

/// Makes a folder and its parents. Those below the state folder are only for root.
fn make(folder: &Path) -> io::Result<()> {
    let private = folder.file_name().is_some_and(|name| name == "keys" || name == "receipts");
    if let Some(above) = folder.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(above)?;
    }
    DirBuilder::new().recursive(true).mode(if private { 0o700 } else { 0o755 }).create(folder)
}
