//! Who owns the box: which signatures it accepts, and which it accepted before. Pure.
//!
//! Each signed file has a serial number: a box accepts none lower than the last one under the same name, nor a
//! different file with the same number. The numbers outlive a change of the key.

use crate::problem::ProvisionProblem;
use robocast_daemon::digest::sha256_hex;
use robocast_stick::names::{OWNER, OWNER_SIGNATURE};
use robocast_stick::{OwnerPublic, Signature};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `owner.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The key whose signatures the box accepts.
    pub key: OwnerPublic,
    /// The last file that was accepted under each name.
    #[serde(default)]
    pub taken: BTreeMap<String, AcceptedFile>,
}

/// A signed file that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedFile {
    /// The serial of its signature.
    pub serial: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// A file and its signature, as a stick carries them.
#[derive(Debug, Clone, Copy)]
pub struct SignedFile<'s> {
    /// The name that was signed.
    pub name: &'s str,
    /// The file.
    pub bytes: &'s [u8],
    /// The file of the signature.
    pub signature: Option<&'s [u8]>,
}

/// How the owner changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerChange {
    /// Not at all: the stick has no key, or the one that the box has.
    None,
    /// The box had no owner.
    Adopted,
    /// The box has a new key, signed with the old one.
    Rotated,
}

/// The owner after a stick with the public key `offered`, and what changed.
///
/// # Errors
/// The box has another owner, who did not sign this key.
pub fn next_owner(
    present: Option<&Owner>,
    offered: Option<SignedFile<'_>>,
) -> Result<(Option<Owner>, OwnerChange), ProvisionProblem> {
    let Some(offered) = offered else { return Ok((present.cloned(), OwnerChange::None)) };
    let key = std::str::from_utf8(offered.bytes).ok().and_then(|text| text.parse().ok());
    let key: OwnerPublic = key.ok_or_else(|| {
        ProvisionProblem::new(format!("`{OWNER}` holds no owner's public key"))
            .with_hint("its form is one line, ed25519:BASE64; copy the file again")
    })?;
    match present {
        None => Ok((Some(Owner { key, taken: BTreeMap::new() }), OwnerChange::Adopted)),
        Some(owner) if owner.key == key => Ok((Some(owner.clone()), OwnerChange::None)),
        Some(owner) if offered.signature.is_none() => {
            let text = format!("the box has an owner, {}; `{OWNER}` is another's", owner.key);
            Err(ProvisionProblem::new(text).with_hint(format!(
                "remove `{OWNER}`; or, to change the key, sign it with the old one and add `{OWNER_SIGNATURE}`"
            )))
        }
        Some(owner) => Ok((Some(Owner { key, ..owner.accept(offered)? }), OwnerChange::Rotated)),
    }
}

impl Owner {
    /// The state after a signed file is accepted.
    ///
    /// # Errors
    /// It is not signed, not by the owner, or older than the last one.
    pub fn accept(&self, signed: SignedFile<'_>) -> Result<Self, ProvisionProblem> {
        let name = signed.name;
        let Some(signature) = signed.signature else {
            let text = format!("`{name}` is not signed, and this box accepts only what its owner signed");
            return Err(ProvisionProblem::new(text).with_hint(format!(
                "sign it with `robocast stick sign`, and put `{name}.sig` beside it; the owner's key is {}",
                self.key
            )));
        };
        let refused = |error| ProvisionProblem::new(format!("`{name}.sig`: {error}"));
        let serial = Signature::parse(signature)
            .and_then(|signature| signature.verify(&self.key, name, signed.bytes))
            .map_err(refused)?;
        let new = AcceptedFile { serial, sha256: sha256_hex(signed.bytes) };
        if let Some(last) = self.taken.get(name) {
            let again = "sign the file that is meant again, with `robocast stick sign`";
            if serial < last.serial {
                let text = format!(
                    "`{name}` was signed before the one that this box accepted last (serial {serial} is lower than {})",
                    last.serial
                );
                return Err(ProvisionProblem::new(text).with_hint(again));
            }
            if serial == last.serial && new.sha256 != last.sha256 {
                let text =
                    format!("`{name}` has the same serial, {serial}, as another one that this box accepted");
                return Err(ProvisionProblem::new(text).with_hint(again));
            }
        }
        let mut after = self.clone();
        after.taken.insert(name.to_owned(), new);
        Ok(after)
    }
}

#[cfg(test)]
mod tests;
