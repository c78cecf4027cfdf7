//! Secrets that only one box can read: base64 of an age file for the box's key.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use robocast_config::{Problems, Secret, Unseal, Value, parse_with, rewrite};

use crate::keys::{BoxKey, Recipient};

/// Seals a text: returns the value of `{ sealed = "..." }`. Each call returns another text.
///
/// # Panics
/// When the system has no randomness.
#[must_use]
pub fn seal(recipient: &Recipient, text: &str) -> String {
    let sealed = age::encrypt(&recipient.0, text.as_bytes()).expect("one key, and all is in memory");
    BASE64_STANDARD.encode(sealed)
}

impl Unseal for BoxKey {
    fn unseal(&self, sealed: &str) -> Result<String, String> {
        const DAMAGED: &str = "it is damaged; seal it again with `robocast stick seal`";
        const OTHER: &str = "it is sealed to another box; seal it to the public key in this box's receipt, with `robocast stick seal`";
        // Some tools break base64 into lines.
        let sealed: String = sealed.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = BASE64_STANDARD.decode(sealed).map_err(|_| DAMAGED)?;
        let plain = age::decrypt(&self.0, &bytes).map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => OTHER,
            _ => DAMAGED,
        })?;
        String::from_utf8(plain).map_err(|_| "what is sealed is not text in UTF-8".to_owned())
    }
}

/// Seals every plain secret of a settings text; comments, order and everything else stay.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn seal_document(text: &str, recipient: &Recipient) -> Result<String, Problems> {
    rewrite(text, |value| match value {
        Value::Plain(plain) => Some(Value::Sealed(seal(recipient, plain.expose()))),
        Value::Sealed(_) => None,
    })
}

/// Opens every sealed value of a settings text; comments, order and everything else stay.
///
/// # Errors
/// Everything that is wrong with the text, and each value that the key does not open, by position.
pub fn open_document(text: &str, key: &dyn Unseal) -> Result<String, Problems> {
    // Reports a problem with the sealed contents, at their place.
    parse_with(text.as_bytes(), key)?;
    rewrite(text, |value| match value {
        Value::Plain(_) => None,
        Value::Sealed(sealed) => key.unseal(sealed).ok().map(|plain| Value::Plain(Secret::new(plain))),
    })
}
