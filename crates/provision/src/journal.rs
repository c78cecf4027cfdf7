//! What is under way: `provision.json`, written before the settings are and gone when all is done.
//!
//! ```text
//!            provision.json        owner.json            settings.toml        apply, prove        provision.json goes
//! a cut at:  old              old, forgotten      old, forgotten       new, goes on         new, goes on            new
//! ```
//! Each file is replaced whole, so after a cut the SHA-256 in it tells whether the new settings were written. The owner goes first:
//! at no moment do settings stand whose serial is not taken. Old settings with a serial taken do no harm: the same file is taken again.

use crate::home::{Home, sha256};
use crate::owner::Owner;
use crate::trouble::Trouble;
use crate::{key, swap};
use serde::{Deserialize, Serialize};

/// The file in the state.
pub const FILE: &str = "provision.json";
/// The file of the owner.
pub const OWNER_FILE: &str = "owner.json";
const LIMIT: usize = 64 * 1024;

/// `provision.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// SHA-256 of the settings that are tried, in hexadecimal digits.
    pub trial: String,
}

/// What a journal says about the settings that are in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The trial did not begin: the old ones are in force.
    Forget,
    /// They are those of the trial: on with `apply`.
    GoOn,
}

/// What to do about a journal that was found. One that cannot be read is taken for a trial: to apply what is in force harms nothing.
#[must_use]
pub fn decide(journal: &[u8], in_force: Option<&[u8]>) -> Next {
    match (serde_json::from_slice::<Trial>(journal), in_force) {
        (_, None) => Next::Forget,
        (Err(_), Some(_)) => Next::GoOn,
        (Ok(trial), Some(bytes)) if sha256(bytes) == trial.trial => Next::GoOn,
        (Ok(_), Some(_)) => Next::Forget,
    }
}

/// Puts the files right after a cut. True when a trial goes on: its settings are to be applied and proven.
///
/// # Errors
/// The disk of the box fails.
pub fn recover(home: &Home) -> Result<bool, Trouble> {
    home.tidy(&[swap::SETTINGS, swap::PROVEN, FILE, OWNER_FILE, key::FILE]);
    let Some(journal) = home.read(FILE, LIMIT).unwrap_or(Some(Vec::new())) else { return Ok(false) };
    match decide(&journal, swap::in_force(home)?.as_deref()) {
        Next::Forget => end(home).map(|()| false),
        Next::GoOn => Ok(true),
    }
}

/// Begins a trial: writes its owner, if there is one, and its settings.
///
/// # Errors
/// The disk of the box fails: the old settings are in force.
pub fn begin(home: &Home, settings: &[u8], owner: Option<&Owner>) -> Result<(), Trouble> {
    let before = read_owner(home)?;
    home.write(FILE, &json(&Trial { trial: sha256(settings) })?)?;
    let changed = owner.filter(|owner| before.as_ref() != Some(owner));
    let written =
        changed.map_or(Ok(()), |owner| write_owner(home, owner)).and_then(|()| swap::write(home, settings));
    if written.is_err() {
        // Best effort; the journal says itself that the trial did not begin.
        let _ = match (changed, before) {
            (None, _) => Ok(()),
            (Some(_), None) => home.remove(OWNER_FILE),
            (Some(_), Some(before)) => write_owner(home, &before),
        };
        let _ = end(home);
    }
    written
}

/// All is done, one way or the other.
///
/// # Errors
/// The disk of the box fails; then the next boot goes on.
pub fn end(home: &Home) -> Result<(), Trouble> {
    home.remove(FILE)
}

/// Reads the owner.
///
/// # Errors
/// It cannot be read, or is damaged: then nobody is obeyed.
pub fn read_owner(home: &Home) -> Result<Option<Owner>, Trouble> {
    let Some(bytes) = home.read(OWNER_FILE, LIMIT)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|_| {
        Trouble::new(format!(
            "the box cannot tell whose it is: {} is damaged",
            home.file(OWNER_FILE).display()
        ))
        .mend("flash the box anew")
    })
}

/// Writes the owner.
///
/// # Errors
/// The disk of the box fails.
pub fn write_owner(home: &Home, owner: &Owner) -> Result<(), Trouble> {
    home.write(OWNER_FILE, &json(owner)?)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Trouble> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| Trouble::new(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use robocast_stick::OwnerKey;
    use std::collections::BTreeMap;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home { state: folder.path().join("state"), run: folder.path().join("run") };
        (folder, home)
    }

    fn owner() -> Owner {
        Owner { key: OwnerKey::generate().public(), taken: BTreeMap::new() }
    }

    #[test]
    fn the_settings_themselves_tell_whether_the_trial_began() {
        let journal = json(&Trial { trial: sha256(b"new") }).unwrap();
        for (journal, in_force, next) in [
            (&journal[..], Some(&b"new"[..]), Next::GoOn),
            (&journal, Some(b"old"), Next::Forget),
            (&journal, None, Next::Forget),
            (b"", Some(b"old"), Next::GoOn),
            (b"{\"trial\": 3}", Some(b"old"), Next::GoOn),
            (b"", None, Next::Forget),
        ] {
            assert_eq!(decide(journal, in_force), next);
        }
        let text = String::from_utf8(json(&Trial { trial: "ab".into() }).unwrap()).unwrap();
        assert_eq!(text, "{\n  \"trial\": \"ab\"\n}\n");
    }

    #[test]
    fn a_cut_after_each_file_leaves_the_old_or_the_new_settings() {
        for cut in 0..4 {
            let (_folder, home) = home();
            swap::write(&home, b"old").unwrap();
            let trial = Trial { trial: sha256(b"new") };
            let files: [&dyn Fn(); 3] = [
                &|| home.write(FILE, &json(&trial).unwrap()).unwrap(),
                &|| write_owner(&home, &owner()).unwrap(),
                &|| swap::write(&home, b"new").unwrap(),
            ];
            files.iter().take(cut).for_each(|write| write());
            assert_eq!(recover(&home).unwrap(), cut == 3, "cut {cut}");
            let settings = swap::in_force(&home).unwrap().unwrap();
            assert_eq!(settings, if cut < 3 { b"old" } else { b"new" });
            end(&home).unwrap();
            assert!(!recover(&home).unwrap());
        }
    }

    #[test]
    fn settings_that_cannot_be_written_leave_the_owner_as_it_was() {
        for before in [None, Some(owner())] {
            let (_folder, home) = home();
            before.iter().for_each(|before| write_owner(&home, before).unwrap());
            // Nothing can be renamed over a folder.
            std::fs::create_dir_all(home.file(swap::SETTINGS)).unwrap();
            begin(&home, b"new", Some(&owner())).unwrap_err();
            assert_eq!(read_owner(&home).unwrap(), before);
            assert!(!home.file(FILE).exists());
        }
    }

    #[test]
    fn a_damaged_owner_is_not_taken_for_none() {
        let (_folder, home) = home();
        assert_eq!(read_owner(&home), Ok(None));
        home.write(OWNER_FILE, b"").unwrap();
        assert!(read_owner(&home).is_err());
        write_owner(&home, &owner()).unwrap();
        assert!(read_owner(&home).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn no_journal_makes_it_panic(
            bytes in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                "\\{\"trial\": ?\"?[0-9a-f]{0,70}\"?(, ?\"other\": ?(null|3|\\{.{0,40}\\}))?\\}".prop_map(String::into_bytes),
            ],
            in_force in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)),
        ) {
            match decide(&bytes, in_force.as_deref()) {
                Next::GoOn => prop_assert!(in_force.is_some()),
                Next::Forget => prop_assert!(in_force.is_none() || serde_json::from_slice::<Trial>(&bytes).is_ok()),
            }
        }
    }
}
