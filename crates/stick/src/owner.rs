//! The owner's key pair: Ed25519. The secret half is PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` makes it; the
//! public half is one line, `ed25519:BASE64`.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pem::{EncodeConfig, LineEnding, Pem};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use robocast_config::Secret;
use serde::{Deserialize, Serialize};

/// Not a valid key. It never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnerKeyError {
    /// No key in PEM.
    #[error("there is no private key here: the form is PEM, from -----BEGIN PRIVATE KEY----- on")]
    NoKey,
    /// Locked with a password.
    #[error("the private key has a password: take it off with `openssl pkey -in KEY -out PLAIN`")]
    Locked,
    /// RSA, EC and others.
    #[error("the private key is not of Ed25519: make one with `robocast stick key PATH`")]
    OtherKind,
    /// The public half is not one.
    #[error("this is not an owner's public key: the form is ed25519: and 44 characters of base64")]
    Public,
}

/// PKCS#8, version 1, of an Ed25519 key, up to its 32 bytes (RFC 8410, section 7).
const HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const TAG: &str = "PRIVATE KEY";
/// How a public key begins.
const PREFIX: &str = "ed25519:";

/// The owner's secret key: signs the files that boxes accept.
pub struct OwnerKey {
    pub(crate) pair: Ed25519KeyPair,
    document: Secret<Vec<u8>>,
}

/// The owner's public key. `Display`, `FromStr` and serde have the form `ed25519:BASE64`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OwnerPublic(pub(crate) [u8; 32]);

impl OwnerKey {
    /// A new key, from the system's randomness.
    ///
    /// # Panics
    /// When the system has none.
    #[must_use]
    pub fn generate() -> Self {
        let mut document = HEAD.to_vec();
        document.resize(HEAD.len() + 32, 0);
        SystemRandom::new().fill(&mut document[HEAD.len()..]).expect("the system has randomness");
        Self::from_document(document).expect("any 32 bytes are a key")
    }

    /// Reads a key in PEM. Other blocks in the file, such as a public key, are passed over.
    ///
    /// # Errors
    /// There is no key, or none of Ed25519 without a password.
    pub fn from_pem(text: &[u8]) -> Result<Self, OwnerKeyError> {
        let blocks = pem::parse_many(text).map_err(|_| OwnerKeyError::NoKey)?;
        let key = blocks.into_iter().find(|block| block.tag().ends_with(TAG)).ok_or(OwnerKeyError::NoKey)?;
        match key.tag() {
            TAG => Self::from_document(key.into_contents()),
            "ENCRYPTED PRIVATE KEY" => Err(OwnerKeyError::Locked),
            _ => Err(OwnerKeyError::OtherKind),
        }
    }

    fn from_document(document: Vec<u8>) -> Result<Self, OwnerKeyError> {
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document).map_err(|_| OwnerKeyError::OtherKind)?;
        Ok(Self { pair, document: Secret::new(document) })
    }

    /// The key in PEM.
    #[must_use]
    pub fn to_pem(&self) -> Secret<String> {
        let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
        Secret::new(pem::encode_config(&Pem::new(TAG, self.document.expose().as_slice()), lines))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> OwnerPublic {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        OwnerPublic(bytes)
    }
}

impl fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerKey({})", self.public())
    }
}

/// White space around it is passed over.
impl FromStr for OwnerPublic {
    type Err = OwnerKeyError;

    fn from_str(text: &str) -> Result<Self, OwnerKeyError> {
        Self::exact(text.trim())
    }
}

impl OwnerPublic {
    /// Reads the only text form of a key.
    pub(crate) fn exact(text: &str) -> Result<Self, OwnerKeyError> {
        let text = text.strip_prefix(PREFIX).ok_or(OwnerKeyError::Public)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| OwnerKeyError::Public)?;
        bytes.try_into().map(Self).map_err(|_| OwnerKeyError::Public)
    }
}

impl TryFrom<String> for OwnerPublic {
    type Error = OwnerKeyError;

    fn try_from(text: String) -> Result<Self, OwnerKeyError> {
        text.parse()
    }
}

impl From<OwnerPublic> for String {
    fn from(key: OwnerPublic) -> Self {
        key.to_string()
    }
}

impl fmt::Display for OwnerPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for OwnerPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerPublic({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_file_is_read_back_and_one_of_openssl_too() {
        let key = OwnerKey::generate();
        let pem = key.to_pem();
        assert!(
            pem.expose().starts_with("-----BEGIN PRIVATE KEY-----\n") && pem.expose().ends_with("-----\n")
        );
        assert_eq!(OwnerKey::from_pem(pem.expose().as_bytes()).unwrap().public(), key.public());
        // RFC 8410, section 10.3.
        let known = "-----BEGIN PRIVATE KEY-----\r\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\r\n-----END PRIVATE KEY-----\r\n";
        let public = OwnerKey::from_pem(known.as_bytes()).unwrap().public().to_string();
        assert_eq!(public, "ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
    }

    #[test]
    fn what_is_no_key_is_told_apart() {
        let block = |tag: &str| format!("-----BEGIN {tag}-----\nAAAA\n-----END {tag}-----\n");
        for (text, error) in [
            (String::new(), OwnerKeyError::NoKey),
            (block("CERTIFICATE"), OwnerKeyError::NoKey),
            (block("ENCRYPTED PRIVATE KEY"), OwnerKeyError::Locked),
            (block("EC PRIVATE KEY"), OwnerKeyError::OtherKind),
            (block("PRIVATE KEY"), OwnerKeyError::OtherKind),
            (OwnerKey::generate().public().to_string(), OwnerKeyError::NoKey),
        ] {
            assert_eq!(OwnerKey::from_pem(text.as_bytes()).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn nothing_that_is_printed_holds_the_key() {
        let key = OwnerKey::generate();
        let pem = key.to_pem();
        let secret = pem.expose().lines().nth(1).unwrap();
        let shown = format!("{key:?} {key:#?} {pem} {pem:?}");
        assert!(!shown.contains(secret) && !shown.contains("BEGIN") && shown.contains(PREFIX), "{shown}");
    }

    proptest! {
        #[test]
        fn a_public_key_is_read_back(bytes: [u8; 32]) {
            let key = OwnerPublic(bytes);
            prop_assert_eq!(key.to_string().parse::<OwnerPublic>(), Ok(key));
            let json = serde_json::to_string(&key).unwrap();
            prop_assert_eq!(serde_json::from_str::<OwnerPublic>(&json).unwrap(), key);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}", end in "[A-Za-z0-9+/=]{0,50}", bytes: Vec<u8>) {
            for text in [text, format!("ed25519:{end}")] {
                let _ = text.parse::<OwnerPublic>().map(|key| key.to_string());
            }
            let _ = OwnerKey::from_pem(&bytes);
            let _ = OwnerKey::from_pem(&[b"-----BEGIN PRIVATE KEY-----\n", &bytes[..], b"\n-----END PRIVATE KEY-----"].concat());
            let _ = OwnerKey::from_document(bytes);
        }
    }
}
