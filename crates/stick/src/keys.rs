//! The box's key: X25519, in the form of age.

use std::fmt;
use std::str::FromStr;

use age::secrecy::ExposeSecret as _;
use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey, X25519};
use ring::rand::SystemRandom;
use robocast_config::Secret;

/// A text that is not a key. It never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a secret key of age.
    #[error("this is not a box's key: the form is AGE-SECRET-KEY-1...")]
    Secret,
    /// A secret key where a public one is wanted.
    #[error("this is a secret key, which stays on its box: what is wanted is its public half, age1...")]
    SecretForPublic,
    /// Not a public key of age.
    #[error(
        "this is not a box's public key: the form is age1... and 58 more characters, as the receipt prints it"
    )]
    Public,
    /// A point with which every secret is known to everyone.
    #[error("this public key protects nothing: take the one in the box's receipt")]
    Weak,
}

/// The key that only its box holds: opens what is sealed to its [`Recipient`].
#[derive(Clone)]
pub struct BoxKey(pub(crate) age::x25519::Identity);

/// The public half of a [`BoxKey`]: seals. `Display` and `FromStr` have the form `age1...`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Recipient(pub(crate) age::x25519::Recipient);

impl BoxKey {
    /// A new key, from the system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// Reads a key file: `AGE-SECRET-KEY-1...` on one line; empty lines and those that begin with `#` are passed over, as in
    /// the files of `age-keygen`.
    ///
    /// # Errors
    /// There is no key, or more than one.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        match (lines.next(), lines.next()) {
            (Some(line), None) => line.parse().map(Self).map_err(|_| KeyError::Secret),
            _ => Err(KeyError::Secret),
        }
    }

    /// The key file: one line.
    #[must_use]
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(format!("{}\n", self.0.to_string().expose_secret()))
    }

    /// The public half.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient(self.0.to_public())
    }
}

impl fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BoxKey({})", self.recipient())
    }
}

/// White space around it is passed over.
impl FromStr for Recipient {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
            return Err(KeyError::SecretForPublic);
        }
        let key = text.parse().map_err(|_| KeyError::Public)?;
        // age panics when it seals to a point of low order, which a hostile receipt could name.
        let (_, point) = bech32::decode(text).map_err(|_| KeyError::Public)?;
        if contributes(&point) { Ok(Self(key)) } else { Err(KeyError::Weak) }
    }
}

/// Whether secrets shared with a point depend on one's own key.
fn contributes(point: &[u8]) -> bool {
    EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).is_ok_and(|own| {
        agreement::agree_ephemeral(own, &UnparsedPublicKey::new(&X25519, point), |_| ()).is_ok()
    })
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_file_is_read_back_and_one_of_age_too() {
        let key = BoxKey::generate();
        assert_eq!(BoxKey::parse(key.to_text().expose()).unwrap().recipient(), key.recipient());
        // A file written by age-keygen.
        let file = "# created: 2026-01-01T00:00:00Z\r\n# public key: age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa\r\n\
                    AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33\r\n";
        let public = BoxKey::parse(file).unwrap().recipient().to_string();
        assert_eq!(public, "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa");
        assert_eq!(BoxKey::parse(&format!("{file}{file}")).unwrap_err(), KeyError::Secret);
        assert_eq!(BoxKey::parse("").unwrap_err(), KeyError::Secret);
    }

    #[test]
    fn nothing_that_is_printed_holds_the_key() {
        let key = BoxKey::generate();
        let shown = format!("{key:?} {key:#?} {:?} {}", key.to_text(), key.to_text());
        assert!(!shown.to_ascii_uppercase().contains("SECRET-KEY") && shown.contains("age1"), "{shown}");
        let text = key.to_text().expose().clone();
        let error = text.parse::<Recipient>().unwrap_err();
        assert_eq!(error, KeyError::SecretForPublic);
        assert!(!error.to_string().contains(text.trim()));
    }

    #[test]
    fn a_key_that_protects_nothing_is_refused() {
        for (first, rest) in [(0u8, 0u8), (1, 0)] {
            let mut point = [rest; 32];
            point[0] = first;
            let hrp = bech32::Hrp::parse("age").unwrap();
            let text = bech32::encode::<bech32::Bech32>(hrp, &point).unwrap();
            assert_eq!(text.parse::<Recipient>(), Err(KeyError::Weak), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}", word in "(age1|AGE-SECRET-KEY-1)[a-zA-Z0-9]{0,70}") {
            for text in [text, word] {
                let _ = (BoxKey::parse(&text).is_ok(), text.parse::<Recipient>().is_ok());
            }
        }

        #[test]
        fn a_changed_character_is_seen(at: usize, with in "[a-z0-9]") {
            let text = BoxKey::generate().recipient().to_string();
            let at = at % text.len();
            let mut changed = text.clone();
            changed.replace_range(at..=at, &with);
            prop_assert!(changed == text || changed.parse::<Recipient>().is_err());
        }
    }
}
