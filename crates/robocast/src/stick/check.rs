//! `robocast stick check FILE`: the settings, and the signature beside them.

use super::files::{read, read_if_there, settings_of, with_ending};
use super::{BAD, USAGE};
use crate::output::{print_error, print_line};
use robocast_stick::{OwnerPublic, Signature, names};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

/// 0 when both are good, 1 when one is not, 2 when a file cannot be read.
pub fn check(path: &Path) -> ExitCode {
    let file = settings_of(path);
    let code = crate::check::check(&file);
    if code != ExitCode::SUCCESS {
        return code;
    }
    match signature(&file) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(verdict)) => {
            print_line(&verdict);
            ExitCode::SUCCESS
        }
        Err(SignatureFault::File(error)) => print_error(error.as_ref(), USAGE),
        Err(SignatureFault::Bad(error)) => print_error(error.as_ref(), BAD),
    }
}

enum SignatureFault {
    File(Box<dyn Error>),
    Bad(Box<dyn Error>),
}

impl<E: Error + 'static> From<E> for SignatureFault {
    fn from(error: E) -> Self {
        Self::Bad(Box::new(error))
    }
}

/// The verdict on the signature, if there is one. The owner is the one that the key beside it names, otherwise the
/// signer.
fn signature(file: &Path) -> Result<Option<String>, SignatureFault> {
    let unread = |error| SignatureFault::File(Box::new(error));
    let beside = with_ending(file, ".sig");
    let Some(text) = read_if_there(&beside, names::SIGNATURE_LIMIT).map_err(unread)? else {
        return Ok(None);
    };
    let signature = Signature::parse(&text)?;
    let bytes = read(file, names::SETTINGS_LIMIT).map_err(unread)?;
    let key = file.with_file_name(names::OWNER);
    let owner = match read_if_there(&key, names::OWNER_LIMIT).map_err(unread)? {
        Some(text) => String::from_utf8_lossy(&text).parse::<OwnerPublic>()?,
        None => signature.key,
    };
    let serial = signature.verify(&owner, names::SETTINGS, &bytes)?;
    Ok(Some(format!("{}: ok, signed by {owner}, serial {serial}", beside.display())))
}
