//! The contents of a bug report, without any secret of the box: `robocast-support-DEVICE-DATE.tar.gz`.
//!
//! | module | owns |
//! |---|---|
//! | this | the bundle: which files, how large at most |
//! | [`scrub`] | taking secrets out of any text: pure |
//! | [`pieces`] | the texts: the journal, the network, RAUC, versions |
//!
//! Every text is scrubbed, whatever its program promises: the settings' secrets, in every form in which they may have been
//! written, become `***`. The box's own key is not read at all.

pub mod pieces;
pub mod scrub;

use flate2::Compression;
use flate2::write::GzEncoder;
use robocast_config::LoadError;
use robocast_daemon::{journal, paths};
use scrub::Scrub;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The largest piece, in bytes. Of a larger one the end is kept: it shows the latest errors.
pub const PIECE: usize = 2 << 20;
/// All pieces together, in bytes; the rest is left out, with a note.
pub const LIMIT: usize = 8 << 20;
/// How many receipts: the newest.
const RECEIPTS: usize = 5;

const README: &str = "\
What this box says about itself, for whoever investigates a fault. Passwords, keys and stream keys are taken out (***).
versions.txt      what runs here, on what board
settings*.toml    the settings in force, and those that were proven last
status.json       streams and network, as `robocast status --json` shows them
network.txt       addresses, routes, name servers
updates.txt       the two slots, as RAUC sees them
journal.txt       the journal of this boot and of the one before
receipts/         what the box last did with sticks
";

/// A file of the bundle, scrubbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportFile {
    /// Its path in the bundle.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Gathers all of it. A missing part has a note in its place. It takes some seconds; no step waits longer than 15 s.
pub async fn gather_files() -> Vec<SupportFile> {
    let scrub = Scrub::of(&[paths::settings(), paths::proven_settings()]);
    let mut files = vec![("README.txt".to_owned(), README.to_owned())];
    files.push(("versions.txt".into(), pieces::versions()));
    for path in [paths::settings(), paths::proven_settings()] {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.extend(settings(&path).map(|text| (name, text)));
    }
    files.push(("status.json".into(), pieces::status().await));
    files.push(("network.txt".into(), pieces::network().await));
    files.push(("updates.txt".into(), pieces::updates().await));
    files.extend(receipts(&paths::state().join("receipts")));
    files.push(("journal.txt".into(), pieces::journal().await));
    bounded(files.into_iter().map(|(name, text)| SupportFile { name, text: scrub.clean(&text) }))
}

/// The settings without their secrets; none where there are none.
fn settings(path: &Path) -> Option<String> {
    let text = match robocast_config::read(path) {
        Err(LoadError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => return None,
        Err(error) => return Some(format!("# {}\n", journal::chain(&error))),
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    };
    Some(scrub::redacted(&text).unwrap_or_else(|problems| {
        // It is then unknown where a secret begins and ends: only the problem is shown, and none of the text.
        format!("# not valid, and so not shown:\n{}\n", problems.display(&path.display().to_string()))
    }))
}

/// The newest receipts; their names begin with their dates.
fn receipts(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    let newest = names.into_iter().rev().filter(|name| name.ends_with(".txt") || name.ends_with(".json"));
    let read = |name: String| {
        let bytes = std::fs::read(folder.join(&name)).ok()?;
        Some((format!("receipts/{name}"), String::from_utf8_lossy(&bytes).into_owned()))
    };
    newest.take(2 * RECEIPTS).filter_map(read).collect()
}

/// Cut to the limits.
fn bounded(files: impl Iterator<Item = SupportFile>) -> Vec<SupportFile> {
    let mut left = LIMIT;
    let cut = |SupportFile { name, text }: SupportFile| {
        let most = PIECE.min(left);
        let text = if text.len() > most {
            let begin = text.ceil_char_boundary(text.len() - most);
            format!("(the beginning is left out: {begin} bytes)\n{}", &text[begin..])
        } else {
            text
        };
        left = left.saturating_sub(text.len());
        SupportFile { name, text }
    };
    files.map(cut).collect()
}

/// As a compressed archive, in a folder of the name `folder`.
///
/// # Errors
/// When `out` fails.
pub fn pack_files(files: &[SupportFile], folder: &str, out: impl Write) -> io::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut archive = tar::Builder::new(GzEncoder::new(out, Compression::default()));
    for SupportFile { name, text } in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(now);
        archive.append_data(&mut header, Path::new(folder).join(name), text.as_bytes())?;
    }
    archive.into_inner()?.finish()?.flush()
}

/// The name of a bundle of `device`, made now, without its ending: also the folder in it.
#[must_use]
pub fn bundle_name(device: &str) -> String {
    let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    format!("robocast-support-{device}-{date}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn file(name: &str, size: usize) -> SupportFile {
        SupportFile { name: name.into(), text: "é".repeat(size / 2) }
    }

    #[test]
    fn what_is_too_large_is_cut_at_its_beginning_and_says_so() {
        let files = bounded([file("a", 10), file("b", PIECE + 5000)].into_iter());
        assert_eq!(files[0].text.len(), 10);
        assert!(
            files[1].text.starts_with("(the beginning is left out: 5000 bytes)\né"),
            "{:.60}",
            files[1].text
        );
        let many = bounded((0..9).map(|n| file(&n.to_string(), PIECE)));
        let all: usize = many.iter().map(|file| file.text.len()).sum();
        assert!(all <= LIMIT + 9 * 60, "{all}");
    }

    #[test]
    fn an_archive_holds_what_was_put_in() {
        let mut bytes = Vec::new();
        pack_files(&[file("receipts/a.txt", 10), file("b", 0)], "robocast-support-x", &mut bytes).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            found.push((entry.path().unwrap().display().to_string(), text));
        }
        let expected = [("robocast-support-x/receipts/a.txt", "ééééé"), ("robocast-support-x/b", "")];
        assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn the_name_is_that_of_the_contract() {
        let name = bundle_name("spot-07");
        let date = name.strip_prefix("robocast-support-spot-07-").unwrap();
        assert!(date.len() == 16 && date.ends_with('Z'), "{date}");
    }
}
