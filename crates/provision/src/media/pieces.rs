//! The partitions of a device or an image: those the kernel knows, if any; otherwise those of its table; otherwise the
//! whole.

use super::kind::{self, FileSystem};
use super::table::{self, Disk};
use crate::problem::ProvisionProblem;
use nix::libc::O_NONBLOCK;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A part of a device or an image that may be a file system.
#[derive(Debug)]
pub struct Piece {
    /// For people.
    pub name: String,
    /// The device or image that it is part of.
    pub path: PathBuf,
    /// Its offset in bytes. `None`: it is a separate block device.
    pub within: Option<(u64, u64)>,
    /// Its contents, recognized by their bytes.
    pub kind: Option<FileSystem>,
}

/// The pieces of a device or an image.
///
/// # Errors
/// It cannot be read, or nothing on it is known.
pub fn find_pieces(path: &Path) -> Result<Vec<Piece>, ProvisionProblem> {
    let failed = |error: io::Error| {
        ProvisionProblem::new(format!("cannot read {}: {error}", path.display()))
            .with_hint("pull the stick out, put it in again; try another one")
    };
    let file = open(path, false).map_err(failed)?;
    let block = file.metadata().map_err(failed)?.file_type().is_block_device();
    if block {
        let nodes = nodes(&file).map_err(failed)?;
        if !nodes.is_empty() {
            return Ok(nodes.into_iter().filter_map(node).collect());
        }
    }
    let name = path.display().to_string();
    if let Some(kind) = tell(&file, 0).map_err(failed)? {
        let within = (!block).then_some((0, 0));
        return Ok(vec![Piece { name, path: path.to_owned(), within, kind: Some(kind) }]);
    }
    let places = table::partitions(&Sectors::of(&file).map_err(failed)?).map_err(failed)?;
    if places.is_empty() {
        let problem = ProvisionProblem::new(format!(
            "{name} has neither partitions nor a file system that is known here"
        ));
        return Err(problem.with_hint("format the stick as FAT32 or exFAT, and copy the files again"));
    }
    let piece = |place: &table::PartitionPlace| Piece {
        name: format!("{name}, partition {}", place.number),
        path: path.to_owned(),
        within: Some((place.offset, place.length)),
        kind: tell(&file, place.offset).unwrap_or(None),
    };
    Ok(places.iter().map(piece).collect())
}

/// Opens a device or an image without waiting for it.
pub fn open(path: &Path, writable: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(writable).custom_flags(O_NONBLOCK).open(path)
}

fn tell(file: &File, offset: u64) -> io::Result<Option<FileSystem>> {
    let mut head = Vec::new();
    let mut file = file;
    file.seek(SeekFrom::Start(offset))?;
    file.take(kind::HEAD as u64).read_to_end(&mut head)?;
    Ok(kind::detect_file_system(&head))
}

/// A partition that the kernel knows. `None` when it cannot be opened: it was pulled at once.
fn node((name, _): (PathBuf, u64)) -> Option<Piece> {
    let file = open(&name, false).ok()?;
    let kind = tell(&file, 0).ok()?;
    Some(Piece { name: name.display().to_string(), path: name, within: None, kind })
}

/// The kernel's partitions of a block device, with their numbers.
fn nodes(device: &File) -> io::Result<Vec<(PathBuf, u64)>> {
    let number = device.metadata()?.rdev();
    let (major, minor) = (nix::sys::stat::major(number), nix::sys::stat::minor(number));
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(format!("/sys/dev/block/{major}:{minor}")) else { return Ok(found) };
    for entry in entries.flatten() {
        let Ok(text) = std::fs::read_to_string(entry.path().join("partition")) else { continue };
        let Ok(number) = text.trim().parse() else { continue };
        found.push((Path::new("/dev").join(entry.file_name()), number));
    }
    found.sort_by_key(|(_, number)| *number);
    found.truncate(table::MOST);
    Ok(found)
}

struct Sectors<'f> {
    file: &'f File,
    sectors: u64,
}

impl<'f> Sectors<'f> {
    fn of(mut file: &'f File) -> io::Result<Self> {
        // The length of a block device is the position of its end, not the one in its metadata.
        let sectors = file.seek(SeekFrom::End(0))? / 512;
        Ok(Self { file, sectors })
    }
}

impl Disk for Sectors<'_> {
    fn sector(&self, number: u64) -> io::Result<[u8; 512]> {
        let mut sector = [0; 512];
        self.file.read_exact_at(&mut sector, number.saturating_mul(512))?;
        Ok(sector)
    }

    fn sectors(&self) -> u64 {
        self.sectors
    }
}
