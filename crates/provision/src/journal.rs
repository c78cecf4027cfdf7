//! The journal, `provision.json`: written before the settings are, removed when all is done.
//!
//! ```text
//!            provision.json        owner.json            settings.toml        apply, prove        provision.json goes
//! a cut at:  old              old, forgotten      old, forgotten       new, resumed         new, resumed            new
//! ```
//! Each file is replaced whole, so after a cut the SHA-256 in the journal shows whether the new settings were written.
//! The owner is written first: settings are never in force whose serial is not recorded. A recorded serial with the old
//! settings does no harm: the same file is accepted again.

use crate::owner::Owner;
use crate::problem::ProvisionProblem;
use crate::state_dir::StateDir;
use crate::{key, settings_files};
use robocast_daemon::digest::sha256_hex;
use robocast_daemon::paths;
use serde::{Deserialize, Serialize};

/// The file in the state.
pub const FILE: &str = "provision.json";
/// The file of the owner.
pub const OWNER_FILE: &str = "owner.json";
const LIMIT: usize = 64 * 1024;

/// `provision.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsTrial {
    /// SHA-256 of the settings that are tried, in hexadecimal digits.
    pub trial: String,
}

/// The state of the settings in force according to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterCut {
    /// The trial did not begin: the old ones are in force.
    Forget,
    /// They are those of the trial: it resumes with `apply`.
    Resume,
}

/// How to handle a journal that was found. One that cannot be read counts as a trial: applying the settings in force
/// does no harm.
#[must_use]
pub fn decide_after_cut(journal: &[u8], in_force: Option<&[u8]>) -> AfterCut {
    match (serde_json::from_slice::<SettingsTrial>(journal), in_force) {
        (_, None) => AfterCut::Forget,
        (Err(_), Some(_)) => AfterCut::Resume,
        (Ok(trial), Some(bytes)) if sha256_hex(bytes) == trial.trial => AfterCut::Resume,
        (Ok(_), Some(_)) => AfterCut::Forget,
    }
}

/// Repairs the files after a power cut. True when a trial must be resumed: its settings must be applied and verified.
///
/// # Errors
/// The disk of the box fails.
pub fn recover_after_cut(state: &StateDir) -> Result<bool, ProvisionProblem> {
    state.remove_leftovers(&[paths::SETTINGS, paths::PROVEN_SETTINGS, FILE, OWNER_FILE, key::FILE]);
    let Some(journal) = state.read(FILE, LIMIT).unwrap_or(Some(Vec::new())) else { return Ok(false) };
    match decide_after_cut(&journal, settings_files::read_current(state)?.as_deref()) {
        AfterCut::Forget => end_trial(state).map(|()| false),
        AfterCut::Resume => Ok(true),
    }
}

/// Begins a trial: writes its owner, if there is one, and its settings.
///
/// # Errors
/// The disk of the box fails: the old settings are in force.
pub fn begin_trial(state: &StateDir, settings: &[u8], owner: Option<&Owner>) -> Result<(), ProvisionProblem> {
    let before = read_owner(state)?;
    state.write(FILE, &json(&SettingsTrial { trial: sha256_hex(settings) })?)?;
    let changed = owner.filter(|owner| before.as_ref() != Some(owner));
    let written = changed
        .map_or(Ok(()), |owner| write_owner(state, owner))
        .and_then(|()| settings_files::write_current(state, settings));
    if written.is_err() {
        // Best effort; the journal itself shows that the trial did not begin.
        let _ = match (changed, before) {
            (None, _) => Ok(()),
            (Some(_), None) => state.remove(OWNER_FILE),
            (Some(_), Some(before)) => write_owner(state, &before),
        };
        let _ = end_trial(state);
    }
    written
}

/// The trial is over, one way or the other.
///
/// # Errors
/// The disk of the box fails; then the next boot resumes it.
pub fn end_trial(state: &StateDir) -> Result<(), ProvisionProblem> {
    state.remove(FILE)
}

/// Reads the owner.
///
/// # Errors
/// It cannot be read, or is damaged: then no signature is accepted.
pub fn read_owner(state: &StateDir) -> Result<Option<Owner>, ProvisionProblem> {
    let Some(bytes) = state.read(OWNER_FILE, LIMIT)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|_| {
        ProvisionProblem::new(format!(
            "the box cannot tell who owns it: {} is damaged",
            state.file(OWNER_FILE).display()
        ))
        .with_hint("flash the box again")
    })
}

/// Writes the owner.
///
/// # Errors
/// The disk of the box fails.
pub fn write_owner(state: &StateDir, owner: &Owner) -> Result<(), ProvisionProblem> {
    state.write(OWNER_FILE, &json(owner)?)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, ProvisionProblem> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| ProvisionProblem::new(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use robocast_stick::OwnerKey;
    use std::collections::BTreeMap;

    fn state() -> (tempfile::TempDir, StateDir) {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir { state: folder.path().join("state"), run: folder.path().join("run") };
        (folder, state)
    }

    fn owner() -> Owner {
        Owner { key: OwnerKey::generate().public(), taken: BTreeMap::new() }
    }

    #[test]
    fn the_settings_themselves_tell_whether_the_trial_began() {
        let journal = json(&SettingsTrial { trial: sha256_hex(b"new") }).unwrap();
        for (journal, in_force, next) in [
            (&journal[..], Some(&b"new"[..]), AfterCut::Resume),
            (&journal, Some(b"old"), AfterCut::Forget),
            (&journal, None, AfterCut::Forget),
            (b"", Some(b"old"), AfterCut::Resume),
            (b"{\"trial\": 3}", Some(b"old"), AfterCut::Resume),
            (b"", None, AfterCut::Forget),
        ] {
            assert_eq!(decide_after_cut(journal, in_force), next);
        }
        let text = String::from_utf8(json(&SettingsTrial { trial: "ab".into() }).unwrap()).unwrap();
        assert_eq!(text, "{\n  \"trial\": \"ab\"\n}\n");
    }

    #[test]
    fn a_cut_after_each_file_leaves_the_old_or_the_new_settings() {
        for cut in 0..4 {
            let (_folder, state) = state();
            settings_files::write_current(&state, b"old").unwrap();
            let trial = SettingsTrial { trial: sha256_hex(b"new") };
            let files: [&dyn Fn(); 3] = [
                &|| state.write(FILE, &json(&trial).unwrap()).unwrap(),
                &|| write_owner(&state, &owner()).unwrap(),
                &|| settings_files::write_current(&state, b"new").unwrap(),
            ];
            files.iter().take(cut).for_each(|write| write());
            assert_eq!(recover_after_cut(&state).unwrap(), cut == 3, "cut {cut}");
            let settings = settings_files::read_current(&state).unwrap().unwrap();
            assert_eq!(settings, if cut < 3 { b"old" } else { b"new" });
            end_trial(&state).unwrap();
            assert!(!recover_after_cut(&state).unwrap());
        }
    }

    #[test]
    fn settings_that_cannot_be_written_leave_the_owner_as_it_was() {
        for before in [None, Some(owner())] {
            let (_folder, state) = state();
            before.iter().for_each(|before| write_owner(&state, before).unwrap());
            // Nothing can be renamed over a folder.
            std::fs::create_dir_all(state.file(paths::SETTINGS)).unwrap();
            begin_trial(&state, b"new", Some(&owner())).unwrap_err();
            assert_eq!(read_owner(&state).unwrap(), before);
            assert!(!state.file(FILE).exists());
        }
    }

    #[test]
    fn a_damaged_owner_is_not_taken_for_none() {
        let (_folder, state) = state();
        assert_eq!(read_owner(&state), Ok(None));
        state.write(OWNER_FILE, b"").unwrap();
        assert!(read_owner(&state).is_err());
        write_owner(&state, &owner()).unwrap();
        assert!(read_owner(&state).unwrap().is_some());
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
            match decide_after_cut(&bytes, in_force.as_deref()) {
                AfterCut::Resume => prop_assert!(in_force.is_some()),
                AfterCut::Forget => prop_assert!(in_force.is_none() || serde_json::from_slice::<SettingsTrial>(&bytes).is_ok()),
            }
        }
    }
}
