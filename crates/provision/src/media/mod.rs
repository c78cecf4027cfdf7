//! The inserted medium: a block device, an image of one, or a folder; each of its partitions is an open folder.
//!
//! Partitions are mounted read-only, `nosuid,nodev,noexec`, in a mount namespace of this thread: no other process sees
//! them, and they are unmounted when the thread ends, however it ends. Only [`Top::for_writing`] mounts one again for
//! writing.

pub mod kind;
mod loops;
mod mounted;
mod pieces;
pub mod table;

use crate::problem::ProvisionProblem;
use mounted::Mounted;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// The inserted medium, opened.
#[derive(Debug)]
pub struct Media {
    /// Each file system, by its top folder.
    pub tops: Vec<Top>,
    /// Partitions that could not be opened, and why.
    pub strange: Vec<ProvisionProblem>,
}

/// The top folder of a partition, or the folder that was given.
#[derive(Debug)]
pub struct Top {
    /// Its name, such as `/dev/sda1`.
    pub name: String,
    root: Root,
}

#[derive(Debug)]
enum Root {
    Folder(File),
    Mounted(Mounted),
}

impl Media {
    /// Opens a block device, an image or a folder; partitions are mounted below the folder `run`.
    ///
    /// # Errors
    /// It does not exist, is none of these, or holds nothing that can be opened.
    pub fn open(path: &Path, run: &Path) -> Result<Self, ProvisionProblem> {
        let shown = path.display();
        let about = std::fs::metadata(path)
            .map_err(|e| ProvisionProblem::new(format!("cannot open {shown}: {e}")))?;
        let file_type = about.file_type();
        if file_type.is_dir() {
            let folder =
                File::open(path).map_err(|e| ProvisionProblem::new(format!("cannot open {shown}: {e}")))?;
            let top = Top { name: shown.to_string(), root: Root::Folder(folder) };
            return Ok(Self { tops: vec![top], strange: Vec::new() });
        }
        if !file_type.is_block_device() && !file_type.is_file() {
            let problem = ProvisionProblem::new(format!("{shown} is no stick"));
            return Err(problem.with_hint("give a block device, an image file or a folder"));
        }
        mounted::enter_private_mounts()?;
        let mut media = Self { tops: Vec::new(), strange: Vec::new() };
        for (number, piece) in pieces::find_pieces(path)?.into_iter().enumerate() {
            let name = piece.name.clone();
            match Mounted::new(piece, &run.join(format!("stick/{number}"))) {
                Ok(mounted) => media.tops.push(Top { name, root: Root::Mounted(mounted) }),
                Err(problem) => media.strange.push(problem),
            }
        }
        match (media.tops.is_empty(), media.strange.first()) {
            (true, Some(first)) => Err(first.clone()),
            _ => Ok(media),
        }
    }
}

impl Top {
    /// The folder.
    #[must_use]
    pub fn folder(&self) -> BorrowedFd<'_> {
        match &self.root {
            Root::Folder(file) => file.as_fd(),
            Root::Mounted(mounted) => mounted.folder(),
        }
    }

    /// The same, mounted for writing. Whether a folder can be written shows when it is.
    ///
    /// # Errors
    /// It cannot be written: a stick with a switch, a device with a partition that is in use.
    pub fn for_writing(self) -> Result<Self, ProvisionProblem> {
        let root = match self.root {
            Root::Mounted(mounted) => Root::Mounted(mounted.for_writing()?),
            folder @ Root::Folder(_) => folder,
        };
        Ok(Self { name: self.name, root })
    }

    /// Waits until everything is written to the stick, and releases it.
    ///
    /// # Errors
    /// The stick does not take it.
    pub fn close(self) -> Result<(), ProvisionProblem> {
        match self.root {
            Root::Mounted(mounted) => mounted.close(),
            Root::Folder(_) => Ok(()),
        }
    }
}
