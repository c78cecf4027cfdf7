//! Whose box it is: which signatures are taken, and which came before. Pure.
//!
//! Each signed file has a count of its own: a box takes none of a lower serial than the last one under the same name, nor another
//! file of the same serial. The count outlives a change of the key.

use crate::home::sha256;
use crate::trouble::Trouble;
use robocast_stick::names::{OWNER, OWNER_SIGNATURE};
use robocast_stick::{OwnerPublic, Signature};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `owner.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The key that the box obeys.
    pub key: OwnerPublic,
    /// The last file that was taken under each name.
    #[serde(default)]
    pub taken: BTreeMap<String, Taken>,
}

/// A signed file that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The serial of its signature.
    pub serial: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// A file and its signature, as a stick carries them.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'s> {
    /// The name that was signed.
    pub name: &'s str,
    /// The file.
    pub bytes: &'s [u8],
    /// The file of the signature.
    pub signature: Option<&'s [u8]>,
}

/// What becomes of the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing: no key came, or the one that the box has.
    None,
    /// The box had no owner.
    Adopted,
    /// The box has a new key, which the old one vouched for.
    Rotated,
}

/// The owner after a stick with the public key `offered`, and what changed.
///
/// # Errors
/// The box has another owner, who did not sign this key.
pub fn after(
    present: Option<&Owner>,
    offered: Option<Signed<'_>>,
) -> Result<(Option<Owner>, Change), Trouble> {
    let Some(offered) = offered else { return Ok((present.cloned(), Change::None)) };
    let key = std::str::from_utf8(offered.bytes).ok().and_then(|text| text.parse().ok());
    let key: OwnerPublic = key.ok_or_else(|| {
        Trouble::new(format!("`{OWNER}` holds no owner's public key"))
            .mend("its form is one line, ed25519:BASE64; copy the file anew")
    })?;
    match present {
        None => Ok((Some(Owner { key, taken: BTreeMap::new() }), Change::Adopted)),
        Some(owner) if owner.key == key => Ok((Some(owner.clone()), Change::None)),
        Some(owner) if offered.signature.is_none() => {
            let text = format!("the box has an owner, {}; `{OWNER}` is another's", owner.key);
            Err(Trouble::new(text).mend(format!(
                "remove `{OWNER}`; or, to change the key, sign it with the old one and add `{OWNER_SIGNATURE}`"
            )))
        }
        Some(owner) => Ok((Some(Owner { key, ..owner.take(offered)? }), Change::Rotated)),
    }
}

impl Owner {
    /// The state after a signed file is taken.
    ///
    /// # Errors
    /// It is not signed, not by the owner, or older than the last one.
    pub fn take(&self, signed: Signed<'_>) -> Result<Self, Trouble> {
        let name = signed.name;
        let Some(signature) = signed.signature else {
            let text = format!("`{name}` is not signed, and this box takes only what its owner signed");
            return Err(Trouble::new(text).mend(format!(
                "sign it with `robocast stick sign`, and put `{name}.sig` beside it; the owner's key is {}",
                self.key
            )));
        };
        let refused = |error| Trouble::new(format!("`{name}.sig`: {error}"));
        let serial = Signature::parse(signature)
            .and_then(|signature| signature.verify(&self.key, name, signed.bytes))
            .map_err(refused)?;
        let new = Taken { serial, sha256: sha256(signed.bytes) };
        if let Some(last) = self.taken.get(name) {
            let again = "sign the file that is meant again, with `robocast stick sign`";
            if serial < last.serial {
                let text = format!(
                    "`{name}` was signed before the one that this box took last (serial {serial} is lower than {})",
                    last.serial
                );
                return Err(Trouble::new(text).mend(again));
            }
            if serial == last.serial && new.sha256 != last.sha256 {
                let text =
                    format!("`{name}` has the same serial, {serial}, as another one that this box took");
                return Err(Trouble::new(text).mend(again));
            }
        }
        let mut after = self.clone();
        after.taken.insert(name.to_owned(), new);
        Ok(after)
    }
}

#[cfg(test)]
mod tests;
