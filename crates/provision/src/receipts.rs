//! Receipts on the stick and on the box: the newest in the top folder, older ones by their date, a limited number.

use crate::dirfd;
use crate::lookup;
use crate::problem::ProvisionProblem;
use crate::state_dir::StateDir;
use nix::fcntl::renameat;
use robocast_daemon::journal::chain;
use robocast_stick::Receipt;
use robocast_stick::names::{
    RECEIPT_JSON, RECEIPT_LIMIT, RECEIPT_PICTURE, RECEIPT_TEXT, RECEIPTS, RECEIPTS_KEPT,
};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::DirBuilderExt;

const ENDINGS: [&str; 3] = ["txt", "json", "svg"];

/// The three forms of a receipt, by their endings. Without a picture it is still a receipt.
fn forms(receipt: &Receipt) -> impl Iterator<Item = (&'static str, String)> {
    let forms = [Some(receipt.text()), Some(receipt.json()), receipt.svg().ok()];
    ENDINGS.into_iter().zip(forms).filter_map(|(ending, text)| Some((ending, text?)))
}

/// Keeps a receipt on the box, in `receipts/`, and removes those beyond the newest 20.
///
/// # Errors
/// The disk of the box fails.
pub fn write_to_box(state: &StateDir, receipt: &Receipt) -> Result<(), ProvisionProblem> {
    let path = state.file("receipts");
    let failed = |error: &dyn std::fmt::Display| {
        ProvisionProblem::new(format!("the box cannot keep its receipt in {}: {error}", path.display()))
    };
    DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(|error| failed(&error))?;
    let folder = std::fs::File::open(&path).map_err(|error| failed(&error))?;
    let stem = free_stem(folder.as_fd(), &dated(receipt));
    for (ending, text) in forms(receipt) {
        dirfd::write_file(folder.as_fd(), &format!("{stem}.{ending}"), text.as_bytes(), 0o600)
            .map_err(|error| failed(&chain(&error)))?;
    }
    prune(folder.as_fd());
    Ok(())
}

/// Writes a receipt into a stick's top folder; the previous one moves to `robocast-receipts/`.
///
/// # Errors
/// The stick takes no text: it is full, broken or write-protected.
pub fn write_to_stick(top: BorrowedFd<'_>, receipt: &Receipt) -> Result<(), ProvisionProblem> {
    put_away(top);
    let failed = |name: &str, error: &dyn std::error::Error| {
        let why = error.source().map(ToString::to_string).unwrap_or_default();
        ProvisionProblem::new(format!("`{name}` cannot be written to the stick: {why}"))
            .with_hint("make room on the stick; the box has the receipt too")
    };
    let mut outcome = Ok(());
    for (ending, text) in forms(receipt) {
        let name = match ending {
            "txt" => RECEIPT_TEXT,
            "json" => RECEIPT_JSON,
            _ => RECEIPT_PICTURE,
        };
        // Each file separately: on a full stick there may still be room for the text.
        if let Err(error) = dirfd::write_file(top, name, text.as_bytes(), 0o644) {
            outcome = outcome.and(Err(failed(name, &error)));
        }
    }
    outcome
}

/// Moves the last receipt away, under its own date. One that cannot be moved is overwritten.
fn put_away(top: BorrowedFd<'_>) {
    let Ok(bytes) = lookup::read_file(top, OsStr::new(RECEIPT_JSON), RECEIPT_LIMIT) else { return };
    let Ok(older) = Receipt::parse(&bytes) else { return };
    let Ok(folder) = dirfd::make_folder(top, RECEIPTS) else { return };
    let stem = free_stem(folder.as_fd(), &dated(&older));
    for (name, ending) in [RECEIPT_TEXT, RECEIPT_JSON, RECEIPT_PICTURE].into_iter().zip(ENDINGS) {
        let _ = renameat(top, name, folder.as_fd(), format!("{stem}.{ending}").as_str());
    }
    prune(folder.as_fd());
}

/// The name of a receipt by its date, valid on any file system. A receipt on a stick may hold anything as its date.
fn dated(receipt: &Receipt) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let stem: String = receipt.time.chars().take(32).map(safe).collect();
    if stem.is_empty() { "undated".into() } else { stem }
}

/// The stem, or the stem and a letter when it is taken: two receipts can be of one second.
fn free_stem(folder: BorrowedFd<'_>, stem: &str) -> String {
    let taken = stems(folder);
    let more = ('b'..='z').map(|letter| format!("{stem}{letter}"));
    let mut names = std::iter::once(stem.to_owned()).chain(more);
    names.find(|name| !taken.contains(name)).unwrap_or_else(|| stem.to_owned())
}

fn stems(folder: BorrowedFd<'_>) -> BTreeSet<String> {
    let names = lookup::list_names(folder).unwrap_or_default();
    let stem = |name: &std::ffi::OsString| {
        let (stem, ending) = name.to_str()?.rsplit_once('.')?;
        (ENDINGS.contains(&ending) && !stem.starts_with('.')).then(|| stem.to_owned())
    };
    names.iter().filter_map(stem).collect()
}

fn prune(folder: BorrowedFd<'_>) {
    let stems = stems(folder);
    for stem in stems.iter().take(stems.len().saturating_sub(RECEIPTS_KEPT)) {
        for ending in ENDINGS {
            let _ = std::fs::remove_file(dirfd::path_of(folder).join(format!("{stem}.{ending}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use robocast_stick::Outcome;
    use std::fs::File;
    use std::path::Path;

    fn receipt(time: &str) -> Receipt {
        Receipt {
            schema: 1,
            device: "a".into(),
            hardware: String::new(),
            board: "virtual".into(),
            version: "0".into(),
            public_key: "age1".into(),
            owner: None,
            time: time.into(),
            outcome: Outcome::Kept,
            steps: Vec::new(),
        }
    }

    fn listed(folder: &Path) -> Vec<String> {
        let open = File::open(folder).unwrap();
        lookup::list_names(open.as_fd())
            .unwrap()
            .into_iter()
            .map(|name| name.into_string().unwrap())
            .collect()
    }

    fn write(folder: &Path, receipt: &Receipt) -> Result<(), ProvisionProblem> {
        write_to_stick(File::open(folder).unwrap().as_fd(), receipt)
    }

    #[test]
    fn the_newest_lies_on_top_and_twenty_older_ones_below() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..25 {
            write(folder.path(), &receipt(&format!("2026-01-01T00:00:{number:02}Z"))).unwrap();
        }
        assert_eq!(listed(folder.path()), [RECEIPT_JSON, RECEIPT_PICTURE, RECEIPT_TEXT, RECEIPTS]);
        let older = listed(&folder.path().join(RECEIPTS));
        assert_eq!(older.len(), 60);
        assert_eq!(
            (older[0].as_str(), older[59].as_str()),
            ("2026-01-01T00-00-04Z.json", "2026-01-01T00-00-23Z.txt")
        );
        let newest = std::fs::read(folder.path().join(RECEIPT_JSON)).unwrap();
        assert_eq!(Receipt::parse(&newest).unwrap().time, "2026-01-01T00:00:24Z");
    }

    #[test]
    fn two_of_one_second_are_both_kept_also_on_the_box() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir { state: folder.path().into(), run: folder.path().into() };
        for _ in 0..2 {
            write_to_box(&state, &receipt("2026-01-01T00:00:00Z")).unwrap();
        }
        assert_eq!(listed(&folder.path().join("receipts")).len(), 6);
        for number in 0..30 {
            write_to_box(&state, &receipt(&format!("2026-01-02T00:00:{number:02}Z"))).unwrap();
        }
        assert_eq!(listed(&folder.path().join("receipts")).len(), 60);
    }

    #[test]
    fn a_hostile_stick_leads_no_receipt_astray() {
        let folder = tempfile::tempdir().unwrap();
        let (stick, outside) = (folder.path().join("stick"), folder.path().join("outside"));
        std::fs::create_dir(&stick).unwrap();
        std::fs::create_dir(&outside).unwrap();
        for name in [RECEIPT_TEXT, RECEIPT_JSON, ".robocast-receipt.svg.new"] {
            std::os::unix::fs::symlink(outside.join("victim"), stick.join(name)).unwrap();
        }
        std::os::unix::fs::symlink(&outside, stick.join(RECEIPTS)).unwrap();
        write(&stick, &receipt("2026-01-01T00:00:00Z")).unwrap();
        write(&stick, &receipt("../../x")).unwrap();
        write(&stick, &receipt("2026-01-01T00:00:02Z")).unwrap();
        assert_eq!(listed(&outside), [""; 0]);
        assert!(stick.join(RECEIPT_TEXT).symlink_metadata().unwrap().is_file());
    }

    #[test]
    fn a_folder_in_the_place_of_one_form_costs_only_that_form() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(RECEIPT_JSON)).unwrap();
        assert!(write(folder.path(), &receipt("2026-01-01T00:00:00Z")).is_err());
        assert!(folder.path().join(RECEIPT_TEXT).is_file() && folder.path().join(RECEIPT_PICTURE).is_file());
    }
}
