//! `robocast stick seal FILE --to BOX`.

use super::files::{Readers, read, settings_of, with_ending, write};
use super::{BAD, USAGE};
use crate::check;
use crate::output::{print_error, print_line};
use robocast_config::LoadError;
use robocast_stick::{Receipt, Recipient, names, seal_document};
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Seals the secrets of a file, onto the output or in place. 0 done, 1 not valid, 2 a file cannot be read or written.
pub fn seal(path: &Path, to: &str, in_place: bool) -> ExitCode {
    let file = settings_of(path);
    let recipient = match recipient(to) {
        Ok(recipient) => recipient,
        Err(error) => return print_error(error.as_ref(), USAGE),
    };
    let bytes = match robocast_config::read(&file) {
        Ok(bytes) => bytes,
        Err(error @ LoadError::Read { .. }) => return print_error(&error, USAGE),
        Err(LoadError::Invalid { problems, .. }) => return check::refuse(&file, &[], &problems),
    };
    // The check reports bytes that are not text.
    let text = String::from_utf8_lossy(&bytes);
    let sealed = match robocast_config::check(&bytes).and_then(|_| seal_document(&text, &recipient)) {
        Ok(sealed) => sealed,
        Err(problems) => return check::refuse(&file, &bytes, &problems),
    };
    if !in_place {
        return match std::io::stdout().write_all(sealed.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(BAD),
        };
    }
    if let Err(error) = write(&file, sealed.as_bytes(), Readers::Owner) {
        return print_error(&error, USAGE);
    }
    print_line(&format!("{}: the secrets are sealed to {recipient}", file.display()));
    let signature = with_ending(&file, ".sig");
    if sealed.as_bytes() != bytes && signature.exists() {
        print_line(&format!("{}: does not fit any more: sign again", signature.display()));
    }
    ExitCode::SUCCESS
}

/// The key that is meant: itself, or the one in a receipt.
fn recipient(to: &str) -> Result<Recipient, Box<dyn Error>> {
    if to.starts_with("age1") || to.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
        return Ok(to.parse()?);
    }
    let path = Path::new(to);
    let path = if path.is_dir() { path.join(names::RECEIPT_JSON) } else { path.to_owned() };
    let bytes = read(&path, names::RECEIPT_LIMIT)?;
    match Receipt::parse(&bytes) {
        Ok(receipt) => Ok(receipt.public_key.parse()?),
        // The text for people has the key in it too.
        Err(error) => in_words(&String::from_utf8_lossy(&bytes))
            .ok_or_else(|| NoKey { path, why: error.to_string() }.into()),
    }
}

/// Neither a receipt nor a text with one key in it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}, and there is no box's key in it; give the box's robocast-receipt.json, or its key age1...", path.display())]
struct NoKey {
    path: PathBuf,
    why: String,
}

/// The one key among the words of a text.
fn in_words(text: &str) -> Option<Recipient> {
    let mut keys = text.split_whitespace().filter_map(|word| word.parse::<Recipient>().ok());
    let key = keys.next()?;
    keys.all(|other| other == key).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use robocast_stick::BoxKey;

    #[test]
    fn a_text_names_a_box_when_there_is_one_key_in_it() {
        let (a, b) = (BoxKey::generate().recipient(), BoxKey::generate().recipient());
        assert_eq!(in_words(&format!("The box\n  key  {a}\nand {a}\n")), Some(a.clone()));
        assert_eq!(in_words(&format!("{a} {b}")), None);
        assert_eq!(in_words("age1 x"), None);
    }
}
