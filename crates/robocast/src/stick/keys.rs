//! `robocast stick key` and `sign`: the owner's key pair, and what it signs.

use super::files::{FileError, Readers, free, read, read_if_there, settings_of, with_ending, write};
use super::{BAD, USAGE};
use crate::check;
use crate::output::{print_error, print_line};
use robocast_stick::{OwnerKey, OwnerPublic, Signature, names, ssh};
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// The largest secret key that is read.
const KEY_LIMIT: usize = 16 * 1024;

/// Makes a pair. 0 made, 2 not written.
pub fn key(path: &Path) -> ExitCode {
    let public = with_ending(path, ".pub");
    let key = OwnerKey::generate();
    let written = (|| {
        for path in [path, &public] {
            free(path, "a key that is lost cannot be made again: give another path, or take it away")?;
        }
        write(path, key.to_pem().expose().as_bytes(), Readers::Owner)?;
        write(&public, format!("{}\n", key.public()).as_bytes(), Readers::All)
    })();
    if let Err(error) = written {
        return print_error(&error, USAGE);
    }
    print_line(&format!(
        "{}: the secret key. Keep it, and a copy: it never goes onto a stick.",
        path.display()
    ));
    print_line(&format!("{}: the public key, {}", public.display(), key.public()));
    print_line(&format!(
        "On a stick as {}, a box without an owner takes it, and from then on only what you sign.",
        names::OWNER
    ));
    ExitCode::SUCCESS
}

/// Signs a file. 0 signed, 1 the file is not valid, 2 a file cannot be read or written.
pub fn sign(path: &Path, key: &Path, serial: Option<u64>) -> ExitCode {
    let file = settings_of(path);
    let name = name_of(&file);
    let (key, bytes) = match (secret(key), read(&file, names::SETTINGS_LIMIT)) {
        (Ok(key), Ok(bytes)) => (key, bytes),
        (Err(Unsigned::File(error)), _) | (_, Err(error)) => return print_error(&error, USAGE),
        (Err(Unsigned::Key(error)), _) => return print_error(&error, USAGE),
    };
    let judged = match name {
        names::OWNER => {
            String::from_utf8_lossy(&bytes).parse::<OwnerPublic>().map(drop).map_err(|e| print_error(&e, BAD))
        }
        names::AUTHORIZED_KEYS => ssh::count(&bytes).map(drop).map_err(|error| print_error(&error, BAD)),
        _ => robocast_config::check(&bytes).map(drop).map_err(|bad| check::refuse(&file, &bytes, &bad)),
    };
    if let Err(code) = judged {
        return code;
    }
    let beside = with_ending(&file, ".sig");
    let serial = match (serial, last(&beside)) {
        (Some(serial), _) => serial,
        (None, Ok(last)) => now().max(last.map_or(0, |last| last.saturating_add(1))),
        (None, Err(error)) => return print_error(&error, USAGE),
    };
    match write(&beside, key.sign(name, &bytes, serial).as_bytes(), Readers::All) {
        Ok(()) => {
            print_line(&format!(
                "{}: signed as {name} by {}, serial {serial}",
                beside.display(),
                key.public()
            ));
            ExitCode::SUCCESS
        }
        Err(error) => print_error(&error, USAGE),
    }
}

enum Unsigned {
    File(FileError),
    Key(robocast_stick::OwnerKeyError),
}

fn secret(path: &Path) -> Result<OwnerKey, Unsigned> {
    let bytes = read(path, KEY_LIMIT).map_err(Unsigned::File)?;
    OwnerKey::from_pem(&bytes).map_err(Unsigned::Key)
}

/// The name of a file on a stick, whatever its name here.
fn name_of(file: &Path) -> &'static str {
    let is =
        |part: Option<&OsStr>, name| part.is_some_and(|part| part.eq_ignore_ascii_case(OsStr::new(name)));
    if is(file.extension(), "pub") {
        names::OWNER
    } else if is(file.file_name(), names::AUTHORIZED_KEYS) {
        names::AUTHORIZED_KEYS
    } else {
        names::SETTINGS
    }
}

/// The serial of the signature that is there.
fn last(path: &Path) -> Result<Option<u64>, FileError> {
    let text = read_if_there(path, names::SIGNATURE_LIMIT)?;
    Ok(text.and_then(|text| Signature::parse(&text).ok()).map(|signature| signature.serial))
}

/// In s since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
