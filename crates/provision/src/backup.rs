//! The backup of the settings: on a raw partition, which survives whatever happens to the file system of `/var`.
//!
//! [`back_up_settings`] writes it after each change of the settings; [`restore_settings`] restores them from it at boot, before
//! systemd runs. Both work on a block device and on a plain file, and need nothing but `/dev` and `/var`.

use crate::backup_record::{self, BackupRecord, HEAD, LIMIT, PLACE, PLACES, StoredRecord};
use robocast_config::{LoadError, Problems};
use robocast_daemon::atomic::{self, WriteError};
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

/// Where the box has the partition.
pub const DEVICE: &str = "/dev/disk/by-partlabel/env";
/// Bytes from the start of the partition to the first place; the environment of U-Boot is before it.
pub const OFFSET: u64 = 1 << 20;
/// The smallest partition that holds both places, in bytes.
pub const SMALLEST: u64 = OFFSET + PLACES as u64 * PLACE;

/// The partition of the backup cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It is not there, or may not be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The partition.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The partition.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It cannot be written; the record that was there last still is.
    #[error("cannot write {}", path.display())]
    Write {
        /// The partition.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It has no room for two places.
    #[error("{} has {size} bytes; the copies need {SMALLEST}", path.display())]
    TooSmall {
        /// The partition.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
}

/// The settings were not copied; the last copy is still there.
#[derive(Debug, thiserror::Error)]
pub enum BackUpError {
    /// The settings cannot be read, or are not valid.
    #[error("the settings are not copied")]
    Settings(#[source] LoadError),
    /// The partition fails.
    #[error(transparent)]
    Copy(#[from] BackupError),
}

/// The box has no settings that it could run with.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The settings are lost and the partition of their copy fails.
    #[error("the settings {} are {fault}, and their copy cannot be had", path.display())]
    Copy {
        /// The settings.
        path: PathBuf,
        /// The problem with them.
        fault: SettingsFault,
        /// The problem with the partition.
        source: BackupError,
    },
    /// Neither is any good.
    #[error(
        "the settings {} are {fault}, and their copy in {} is {}; put the stick with robocast.toml in again",
        path.display(), copy.display(), if *damaged { "damaged" } else { "not there" }
    )]
    BothBad {
        /// The settings.
        path: PathBuf,
        /// The problem with them.
        fault: SettingsFault,
        /// The partition.
        copy: PathBuf,
        /// Whether there was a copy.
        damaged: bool,
    },
    /// The folder of the settings cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The settings cannot be written back.
    #[error("the settings are not put back")]
    Write(#[from] WriteError),
}

/// The result of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackedUp {
    /// There are no settings.
    Nothing,
    /// The newest copy is the same.
    Same,
    /// A copy was written.
    Written {
        /// Its number.
        sequence: u64,
    },
}

/// The result of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// The settings are as they should be.
    Fine,
    /// Neither settings nor copy: nobody has provisioned this box.
    NeverProvisioned,
    /// The settings were put back.
    Back {
        /// What had happened to them.
        fault: SettingsFault,
        /// The number of the copy.
        sequence: u64,
    },
}

/// A problem with a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingsFault {
    /// It is not there.
    Missing,
    /// It is empty, or holds only blanks.
    Empty,
    /// It cannot be read.
    Unreadable(String),
    /// It is not valid.
    Invalid(Problems),
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::Empty => f.write_str("empty"),
            Self::Unreadable(why) => write!(f, "unreadable ({why})"),
            Self::Invalid(problems) => match problems.iter().next() {
                Some(first) => write!(f, "not valid (line {}: {})", first.line, first.message),
                None => f.write_str("not valid"),
            },
        }
    }
}

/// Copies valid settings to the partition `copy`, unless the newest copy is the same.
///
/// # Errors
/// The settings are not valid, or the partition fails. The last copy is still there then.
pub fn back_up_settings(settings: &Path, copy: &Path) -> Result<BackedUp, BackUpError> {
    let payload = match robocast_config::read(settings) {
        Err(LoadError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
            return Ok(BackedUp::Nothing);
        }
        read => read.map_err(BackUpError::Settings)?,
    };
    if let Err(problems) = robocast_config::parse(&payload) {
        return Err(BackUpError::Settings(LoadError::Invalid { path: settings.to_owned(), problems }));
    }
    let partition = Partition::open(copy, OpenOptions::new().read(true).write(true))?;
    let found = partition.read()?;
    if backup_record::newest_first(&found).first().is_some_and(|newest| newest.payload == payload) {
        return Ok(BackedUp::Same);
    }
    let (place, sequence) = backup_record::next_place(&found);
    partition.write(place, &BackupRecord { sequence, payload })?;
    Ok(BackedUp::Written { sequence })
}

/// Restores lost settings from the newest valid copy in the partition `copy`.
///
/// # Errors
/// The settings are lost and cannot be put back.
pub fn restore_settings(settings: &Path, copy: &Path) -> Result<Restored, RestoreError> {
    let Some(fault) = find_fault(settings) else { return Ok(Restored::Fine) };
    let opened = Partition::open(copy, OpenOptions::new().read(true)).and_then(|partition| partition.read());
    let path = || settings.to_owned();
    let found = opened.map_err(|source| RestoreError::Copy { path: path(), fault: fault.clone(), source })?;
    let records = backup_record::newest_first(&found);
    let good = records.into_iter().find(|record| robocast_config::parse(&record.payload).is_ok());
    let Some(BackupRecord { sequence, payload }) = good else {
        let damaged = found.iter().any(|found| *found != StoredRecord::Nothing);
        return match fault {
            SettingsFault::Missing if !damaged => Ok(Restored::NeverProvisioned),
            fault => Err(RestoreError::BothBad { path: path(), fault, copy: copy.to_owned(), damaged }),
        };
    };
    let folder = settings.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .map_err(|source| RestoreError::Folder { path: folder.to_owned(), source })?;
    atomic::write(settings, payload, 0o600)?;
    Ok(Restored::Back { fault, sequence: *sequence })
}

/// The problem with the settings, if there is one.
fn find_fault(settings: &Path) -> Option<SettingsFault> {
    match robocast_config::read(settings) {
        Err(LoadError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Some(SettingsFault::Missing)
        }
        Err(LoadError::Read { source, .. }) => Some(SettingsFault::Unreadable(source.to_string())),
        Err(LoadError::Invalid { problems, .. }) => Some(SettingsFault::Invalid(problems)),
        Ok(bytes) if bytes.trim_ascii().is_empty() => Some(SettingsFault::Empty),
        Ok(bytes) => robocast_config::parse(&bytes).err().map(SettingsFault::Invalid),
    }
}

/// The raw partition, or a file in its stead.
struct Partition<'p> {
    path: &'p Path,
    file: File,
}

impl<'p> Partition<'p> {
    fn open(path: &'p Path, how: &OpenOptions) -> Result<Self, BackupError> {
        let mut file =
            how.open(path).map_err(|source| BackupError::Open { path: path.to_owned(), source })?;
        // The length of a block device is the position of its end, not the one in its metadata.
        let size = file
            .seek(SeekFrom::End(0))
            .map_err(|source| BackupError::Read { path: path.to_owned(), source })?;
        if size < SMALLEST {
            return Err(BackupError::TooSmall { path: path.to_owned(), size });
        }
        Ok(Self { path, file })
    }

    fn read(&self) -> Result<[StoredRecord; PLACES], BackupError> {
        let place = |number| {
            let mut bytes = vec![0; HEAD + LIMIT];
            // A place that cannot be read is as good as a broken one, as long as the other can.
            self.file.read_exact_at(&mut bytes, at(number)).map(|()| backup_record::decode(&bytes))
        };
        match [place(0), place(1)] {
            [Err(source), Err(_)] => Err(BackupError::Read { path: self.path.to_owned(), source }),
            found => Ok(found.map(|found| found.unwrap_or(StoredRecord::Broken))),
        }
    }

    /// Writes a record whole and waits until the disk has it.
    fn write(&self, place: usize, record: &BackupRecord) -> Result<(), BackupError> {
        let failed = |source| BackupError::Write { path: self.path.to_owned(), source };
        let bytes = backup_record::encode(record).ok_or_else(|| failed(ErrorKind::FileTooLarge.into()))?;
        self.file.write_all_at(&bytes, at(place)).and_then(|()| self.file.sync_all()).map_err(failed)
    }
}

fn at(place: usize) -> u64 {
    OFFSET + place as u64 * PLACE
}

#[cfg(test)]
mod tests;
