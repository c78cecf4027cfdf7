//! The files of a stick that are for the box: which partition, which names, their bytes.

use crate::lookup::{
    display_name, find_similar, list_names, open_file, pick_by_extension, pick_name, read_file,
};
use crate::media::Top;
use crate::problem::ProvisionProblem;
use robocast_stick::names::{
    AUTHORIZED_KEYS, AUTHORIZED_KEYS_LIMIT, AUTHORIZED_KEYS_SIGNATURE, BUNDLE_EXTENSION, OWNER, OWNER_LIMIT,
    OWNER_SIGNATURE, SETTINGS, SETTINGS_LIMIT, SIGNATURE, SIGNATURE_LIMIT, SUPPORT,
};
use std::ffi::{OsStr, OsString};
use std::fs::File;

/// The names of the files that are for the box, as the stick writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StickFileNames {
    /// `robocast.toml`.
    pub settings: Option<OsString>,
    signature: Option<OsString>,
    owner: Option<OsString>,
    owner_signature: Option<OsString>,
    authorized_keys: Option<OsString>,
    authorized_keys_signature: Option<OsString>,
    bundle: Option<OsString>,
    support: Option<OsString>,
}

impl StickFileNames {
    /// Those among all names of a top folder.
    ///
    /// # Errors
    /// There are two of one.
    pub fn of(all: &[OsString]) -> Result<Self, ProvisionProblem> {
        let one = |wanted| pick_name(all, wanted).map(|name| name.map(OsStr::to_owned));
        Ok(Self {
            settings: one(SETTINGS)?,
            signature: one(SIGNATURE)?,
            owner: one(OWNER)?,
            owner_signature: one(OWNER_SIGNATURE)?,
            authorized_keys: one(AUTHORIZED_KEYS)?,
            authorized_keys_signature: one(AUTHORIZED_KEYS_SIGNATURE)?,
            bundle: pick_by_extension(all, BUNDLE_EXTENSION)?.map(OsStr::to_owned),
            support: one(SUPPORT)?,
        })
    }

    /// Whether any of them requests something. Signatures alone do not.
    #[must_use]
    pub fn asks_for_something(&self) -> bool {
        [&self.settings, &self.owner, &self.authorized_keys, &self.bundle, &self.support]
            .iter()
            .any(|name| name.is_some())
    }
}

/// The contents of one top folder.
#[derive(Debug)]
pub enum TopContents {
    /// Files for the box.
    Files(StickFileNames),
    /// Something was meant for the box, but is not right. It gets a receipt.
    Invalid(ProvisionProblem),
    /// Nothing for a box. It gets none.
    Nothing,
}

/// Searches a top folder.
#[must_use]
pub fn search_top(top: &Top) -> TopContents {
    let all = match list_names(top.folder()) {
        Ok(all) => all,
        Err(problem) => return TopContents::Invalid(problem),
    };
    match StickFileNames::of(&all) {
        Err(problem) => TopContents::Invalid(problem),
        Ok(names) if names.asks_for_something() => TopContents::Files(names),
        Ok(_) => match find_similar(&all, SETTINGS) {
            Some(name) => TopContents::Invalid(
                ProvisionProblem::new(format!("there is no `{SETTINGS}`, but {}", display_name(name)))
                    .with_hint(format!("name it `{SETTINGS}`; a computer may hide the end of a name")),
            ),
            None => TopContents::Nothing,
        },
    }
}

/// Which of several file systems is meant: the one with settings, otherwise the one with anything. `Err` with the
/// number of one that can take a receipt, if there is one.
///
/// # Errors
/// There are several, or none.
pub fn choose_top(
    found: Vec<TopContents>,
) -> Result<(usize, StickFileNames), (Option<usize>, ProvisionProblem)> {
    let mut with_settings = Vec::new();
    let mut asking = Vec::new();
    let mut wrong = Vec::new();
    for (number, found) in found.into_iter().enumerate() {
        match found {
            TopContents::Files(names) if names.settings.is_some() => with_settings.push((number, names)),
            TopContents::Files(names) => asking.push((number, names)),
            TopContents::Invalid(problem) => wrong.push((number, problem)),
            TopContents::Nothing => {}
        }
    }
    for mut candidates in [with_settings, asking] {
        match candidates.len() {
            0 => {}
            1 => return candidates.pop().ok_or_else(nothing),
            _ => {
                let problem = ProvisionProblem::new("several partitions have files for the box")
                    .with_hint("leave them only on the one that is meant");
                return Err((candidates.first().map(|(number, _)| *number), problem));
            }
        }
        // A problem with one partition does not matter when another has settings; it does take precedence over any
        // lesser find.
        if let Some((number, problem)) = wrong.pop() {
            return Err((Some(number), problem));
        }
    }
    Err(nothing())
}

fn nothing() -> (Option<usize>, ProvisionProblem) {
    let problem =
        ProvisionProblem::new(format!("there is no `{SETTINGS}` on it, nor anything else for the box"));
    (
        None,
        problem.with_hint(format!("put `{SETTINGS}` into the top folder; `robocast stick init` writes one")),
    )
}

/// The contents of the files that were found.
#[derive(Debug)]
pub struct StickFiles {
    /// `robocast.toml`.
    pub settings: Option<Vec<u8>>,
    /// Its signature.
    pub signature: Option<Vec<u8>>,
    /// The owner's public key.
    pub owner: Option<Vec<u8>>,
    /// Its signature by the key before.
    pub owner_signature: Option<Vec<u8>>,
    /// SSH keys.
    pub authorized_keys: Option<Vec<u8>>,
    /// Their signature.
    pub authorized_keys_signature: Option<Vec<u8>>,
    /// An update, opened: too large to be read.
    pub bundle: Option<(OsString, File)>,
    /// Whether a support bundle is asked for.
    pub support: bool,
}

/// Reads the files that were found, each within its bounds.
///
/// # Errors
/// One is no regular file, too large, or cannot be read.
pub fn read_files(top: &Top, names: &StickFileNames) -> Result<StickFiles, ProvisionProblem> {
    let folder = top.folder();
    let some = |name: &Option<OsString>, limit| match name {
        Some(name) => read_file(folder, name, limit).map(Some),
        None => Ok(None),
    };
    Ok(StickFiles {
        settings: some(&names.settings, SETTINGS_LIMIT)?,
        signature: some(&names.signature, SIGNATURE_LIMIT)?,
        owner: some(&names.owner, OWNER_LIMIT)?,
        owner_signature: some(&names.owner_signature, SIGNATURE_LIMIT)?,
        authorized_keys: some(&names.authorized_keys, AUTHORIZED_KEYS_LIMIT)?,
        authorized_keys_signature: some(&names.authorized_keys_signature, SIGNATURE_LIMIT)?,
        bundle: match &names.bundle {
            Some(name) => Some((name.clone(), open_file(folder, name)?)),
            None => None,
        },
        support: match &names.support {
            Some(name) => open_file(folder, name).map(|_| true)?,
            None => false,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> TopContents {
        let names: Vec<_> = names.iter().map(OsString::from).collect();
        TopContents::Files(StickFileNames::of(&names).unwrap())
    }

    #[test]
    fn the_file_decides_which_partition_is_meant() {
        let settings = || files(&["Robocast.TOML"]);
        let update = || files(&["a.raucb"]);
        let wrong = || TopContents::Invalid(ProvisionProblem::new("wrong"));
        for (found, chosen) in [
            (vec![settings()], Ok(0)),
            (vec![TopContents::Nothing, settings()], Ok(1)),
            (vec![update(), settings()], Ok(1)),
            (vec![wrong(), settings()], Ok(1)),
            (vec![update()], Ok(0)),
            (vec![wrong(), update()], Err(Some(0))),
            (vec![settings(), TopContents::Nothing, settings()], Err(Some(0))),
            (vec![update(), update()], Err(Some(0))),
            (vec![TopContents::Nothing, wrong()], Err(Some(1))),
            (vec![TopContents::Nothing, TopContents::Nothing], Err(None)),
            (vec![], Err(None)),
        ] {
            let told = format!("{found:?}");
            let got = choose_top(found).map(|(number, _)| number).map_err(|(number, _)| number);
            assert_eq!(got, chosen, "{told}");
        }
    }

    #[test]
    fn signatures_alone_ask_for_nothing() {
        for (name, asks) in [
            ("robocast.toml", true),
            ("robocast.toml.sig", false),
            ("robocast-owner.pub", true),
            ("robocast-owner.pub.sig", false),
            ("authorized_keys", true),
            ("ROBOCAST-SUPPORT", true),
            ("x.raucb", true),
            ("robocast-receipt.txt", false),
        ] {
            assert_eq!(StickFileNames::of(&[name.into()]).unwrap().asks_for_something(), asks, "{name}");
        }
    }
}
