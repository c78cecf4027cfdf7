//! `robocast generate NORMAL EARLY LATE`: the body of systemd's generator. It turns the settings into units before systemd
//! loads any, on every boot and at each `daemon-reload`.
//!
//! It never fails: problems go to the kernel's log, since no journal runs yet, and the boot continues.

use crate::appliance::units::{Body, UnitFile, units};
use robocast_config::LoadError;
use robocast_daemon::{journal, paths};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Longest text of a record in the kernel's log, in bytes; the kernel refuses records above 976.
const RECORD: usize = 900;

/// A unit could not be written.
#[derive(Debug, thiserror::Error)]
enum GenerateError {
    #[error(transparent)]
    Settings(#[from] LoadError),
    #[error("cannot make the folder {}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("cannot write {}", path.display())]
    Unit { path: PathBuf, source: io::Error },
}

/// Writes the units that the settings want below `normal`; problems go to `log`, one record each. Always 0.
pub fn generate(normal: &Path, log: &Path) -> ExitCode {
    let settings = paths::settings();
    if let Err(error) = work(&settings, normal) {
        append_records(log, &lines(&settings, &error));
    }
    ExitCode::SUCCESS
}

fn work(settings: &Path, normal: &Path) -> Result<(), GenerateError> {
    let checked = match robocast_config::load(settings) {
        // A box that was not provisioned yet.
        Err(LoadError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(()),
        loaded => loaded?,
    };
    units(&checked.settings).iter().try_for_each(|unit| write(normal, unit))
}

fn write(normal: &Path, unit: &UnitFile) -> Result<(), GenerateError> {
    let path = normal.join(&unit.path);
    let folder = path.parent().unwrap_or(normal);
    fs::create_dir_all(folder).map_err(|source| GenerateError::Folder { path: folder.to_owned(), source })?;
    let written = match &unit.body {
        Body::Link(to) => symlink(to, &path),
        // The folder is in memory and is made again each time: nothing there must survive a power cut.
        Body::Text(text) => File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes())),
    };
    written.map_err(|source| GenerateError::Unit { path, source })
}

/// The problems, one line each. Problems of settings never contain a secret.
fn lines(settings: &Path, error: &GenerateError) -> Vec<String> {
    let GenerateError::Settings(LoadError::Invalid { problems, .. }) = error else {
        return vec![journal::chain(error)];
    };
    let file = settings.display().to_string();
    problems.iter().map(|problem| problem.display(&file).to_string().replace("\n  hint: ", "; ")).collect()
}

/// One record a line; priority 3 is `err`. A log that cannot be opened is ignored.
fn append_records(log: &Path, lines: &[String]) {
    let Ok(mut log) = OpenOptions::new().append(true).open(log) else { return };
    for line in lines {
        let end = line.floor_char_boundary(RECORD);
        let _ = log.write_all(format!("<3>robocast: {}\n", &line[..end]).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_is_one_line_with_its_mend_and_without_secrets() {
        let text = b"schema = 1\n[device]\nname = \"Box\"\n[[stream]]\nname = \"a\"\nsourse = \"test:\"\n\
                     push = [\"rtmp://u:SECRET@h/app/SECRET\"]\n";
        let problems = robocast_config::parse(text).unwrap_err();
        let path = Path::new("settings.toml");
        let lines = lines(path, &LoadError::Invalid { path: path.into(), problems }.into());
        assert!(lines.len() >= 3, "{lines:?}");
        for line in &lines {
            assert!(line.starts_with("settings.toml:") && line.contains(": error: "), "{line}");
            assert!(!line.contains('\n') && !line.contains("SECRET"), "{line}");
        }
        assert!(lines.iter().any(|line| line.contains("; did you mean `source`?")), "{lines:?}");
    }

    #[test]
    fn a_record_is_no_longer_than_the_kernel_takes() {
        let log = tempfile::NamedTempFile::new().unwrap();
        append_records(log.path(), &["ä".repeat(2000), "short".into()]);
        let text = fs::read_to_string(log.path()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("<3>robocast: ä") && lines[0].len() < 976);
        assert_eq!(lines[1], "<3>robocast: short");
        append_records(Path::new("/nowhere/kmsg"), &["nobody reads it".into()]);
    }
}
