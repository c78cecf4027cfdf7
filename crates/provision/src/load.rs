//! What of a stick is for the box: which partition, which files, their bytes.

use crate::find::{alike, names, open, pick, pick_ending, read, shown};
use crate::media::Top;
use crate::trouble::Trouble;
use robocast_stick::names::{
    AUTHORIZED_KEYS, AUTHORIZED_KEYS_LIMIT, OWNER, OWNER_LIMIT, OWNER_SIGNATURE, SETTINGS, SETTINGS_LIMIT,
    SIGNATURE, SIGNATURE_LIMIT, SUPPORT,
};
use std::ffi::{OsStr, OsString};
use std::fs::File;

/// The signature over [`AUTHORIZED_KEYS`], wanted when the box has an owner.
pub const AUTHORIZED_KEYS_SIGNATURE: &str = "authorized_keys.sig";
/// The end of an update's name.
const BUNDLE: &str = "raucb";

/// The names of the files that are for the box, as the stick writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
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

impl Names {
    /// Those among all names of a top folder.
    ///
    /// # Errors
    /// There are two of one.
    pub fn of(all: &[OsString]) -> Result<Self, Trouble> {
        let one = |wanted| pick(all, wanted).map(|name| name.map(OsStr::to_owned));
        Ok(Self {
            settings: one(SETTINGS)?,
            signature: one(SIGNATURE)?,
            owner: one(OWNER)?,
            owner_signature: one(OWNER_SIGNATURE)?,
            authorized_keys: one(AUTHORIZED_KEYS)?,
            authorized_keys_signature: one(AUTHORIZED_KEYS_SIGNATURE)?,
            bundle: pick_ending(all, BUNDLE)?.map(OsStr::to_owned),
            support: one(SUPPORT)?,
        })
    }

    /// Whether any of them asks for something. Signatures alone do not.
    #[must_use]
    pub fn ask(&self) -> bool {
        [&self.settings, &self.owner, &self.authorized_keys, &self.bundle, &self.support]
            .iter()
            .any(|name| name.is_some())
    }
}

/// What was found on one file system.
#[derive(Debug)]
pub enum Found {
    /// Files for the box.
    Files(Names),
    /// Something was meant for the box, but is not right. It gets a receipt.
    Wrong(Trouble),
    /// Nothing for a box. It gets none.
    Nothing,
}

/// Looks through a top folder.
#[must_use]
pub fn look(top: &Top) -> Found {
    let all = match names(top.folder()) {
        Ok(all) => all,
        Err(trouble) => return Found::Wrong(trouble),
    };
    match Names::of(&all) {
        Err(trouble) => Found::Wrong(trouble),
        Ok(names) if names.ask() => Found::Files(names),
        Ok(_) => match alike(&all, SETTINGS) {
            Some(name) => Found::Wrong(
                Trouble::new(format!("there is no `{SETTINGS}`, but {}", shown(name)))
                    .mend(format!("name it `{SETTINGS}`; a computer may hide the end of a name")),
            ),
            None => Found::Nothing,
        },
    }
}

/// Which of several file systems is meant: the one with settings, else the one with anything. `Err` with its number where a receipt
/// can go, if there is one.
///
/// # Errors
/// There are several, or none.
pub fn choose(found: Vec<Found>) -> Result<(usize, Names), (Option<usize>, Trouble)> {
    let mut with_settings = Vec::new();
    let mut asking = Vec::new();
    let mut wrong = Vec::new();
    for (number, found) in found.into_iter().enumerate() {
        match found {
            Found::Files(names) if names.settings.is_some() => with_settings.push((number, names)),
            Found::Files(names) => asking.push((number, names)),
            Found::Wrong(trouble) => wrong.push((number, trouble)),
            Found::Nothing => {}
        }
    }
    for mut candidates in [with_settings, asking] {
        match candidates.len() {
            0 => {}
            1 => return candidates.pop().ok_or_else(nothing),
            _ => {
                let trouble = Trouble::new("several partitions have files for the box")
                    .mend("leave them on the one that is meant");
                return Err((candidates.first().map(|(number, _)| *number), trouble));
            }
        }
        // What is wrong with one partition does not matter when another has settings; before anything less it does.
        if let Some((number, trouble)) = wrong.pop() {
            return Err((Some(number), trouble));
        }
    }
    Err(nothing())
}

fn nothing() -> (Option<usize>, Trouble) {
    let trouble = Trouble::new(format!("there is no `{SETTINGS}` on it, nor anything else for the box"));
    (None, trouble.mend(format!("put `{SETTINGS}` into the top folder; `robocast stick init` writes one")))
}

/// The bytes of what was found.
#[derive(Debug)]
pub struct Load {
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

/// Reads what was found, each file within its bounds.
///
/// # Errors
/// One is no regular file, too large, or cannot be read.
pub fn load(top: &Top, names: &Names) -> Result<Load, Trouble> {
    let folder = top.folder();
    let some = |name: &Option<OsString>, limit| match name {
        Some(name) => read(folder, name, limit).map(Some),
        None => Ok(None),
    };
    Ok(Load {
        settings: some(&names.settings, SETTINGS_LIMIT)?,
        signature: some(&names.signature, SIGNATURE_LIMIT)?,
        owner: some(&names.owner, OWNER_LIMIT)?,
        owner_signature: some(&names.owner_signature, SIGNATURE_LIMIT)?,
        authorized_keys: some(&names.authorized_keys, AUTHORIZED_KEYS_LIMIT)?,
        authorized_keys_signature: some(&names.authorized_keys_signature, SIGNATURE_LIMIT)?,
        bundle: match &names.bundle {
            Some(name) => Some((name.clone(), open(folder, name)?)),
            None => None,
        },
        support: match &names.support {
            Some(name) => open(folder, name).map(|_| true)?,
            None => false,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Found {
        let names: Vec<_> = names.iter().map(OsString::from).collect();
        Found::Files(Names::of(&names).unwrap())
    }

    #[test]
    fn the_file_decides_which_partition_is_meant() {
        let settings = || files(&["Robocast.TOML"]);
        let update = || files(&["a.raucb"]);
        let wrong = || Found::Wrong(Trouble::new("wrong"));
        for (found, chosen) in [
            (vec![settings()], Ok(0)),
            (vec![Found::Nothing, settings()], Ok(1)),
            (vec![update(), settings()], Ok(1)),
            (vec![wrong(), settings()], Ok(1)),
            (vec![update()], Ok(0)),
            (vec![wrong(), update()], Err(Some(0))),
            (vec![settings(), Found::Nothing, settings()], Err(Some(0))),
            (vec![update(), update()], Err(Some(0))),
            (vec![Found::Nothing, wrong()], Err(Some(1))),
            (vec![Found::Nothing, Found::Nothing], Err(None)),
            (vec![], Err(None)),
        ] {
            let told = format!("{found:?}");
            let got = choose(found).map(|(number, _)| number).map_err(|(number, _)| number);
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
            assert_eq!(Names::of(&[name.into()]).unwrap().ask(), asks, "{name}");
        }
    }
}
