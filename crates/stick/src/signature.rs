//! What the owner signs, and whether it is valid.
//!
//! A signature is a text file of four lines; Windows' line ends are taken too:
//! ```text
//! robocast signature 1
//! key: ed25519:BASE64
//! serial: 1792400000
//! signature: BASE64
//! ```
//! It covers `robocast signature 1\nfile: NAME\nserial: N\nsha256: HEX\n`: a file cannot be passed off as another one, nor an
//! older one as a newer one.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::names::SIGNATURE_LIMIT;
use crate::owner::{OwnerKey, OwnerPublic};

/// The first line of the file, and of the signed text.
const TITLE: &str = "robocast signature 1";

/// Why a file is not taken as its owner's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Larger than [`SIGNATURE_LIMIT`].
    #[error("the signature is larger than {} KiB; sign the file again with `robocast stick sign`", SIGNATURE_LIMIT / 1024)]
    TooLarge,
    /// Not of the form of a signature.
    #[error("this is no signature, or a damaged one; sign the file again with `robocast stick sign`")]
    Form,
    /// Of a later release.
    #[error(
        "the signature is of a form that this release does not know; update the box, or sign with its release"
    )]
    Newer,
    /// Signed, but by another key.
    #[error(
        "it is signed with another key, {found}, not with the owner's, {owner}; sign it with the owner's key"
    )]
    OtherKey {
        /// The signer.
        found: OwnerPublic,
        /// The expected signer.
        owner: OwnerPublic,
    },
    /// Not these bytes, not under this name, or not with this serial.
    #[error(
        "the signature does not fit the file: it was changed after it was signed, or the signature is of another \
             file; sign it again with `robocast stick sign`"
    )]
    Mismatch,
}

/// A signature that is read, but not verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    /// The signer that it claims.
    pub key: OwnerPublic,
    /// The serial that it claims; trusted once [`Signature::verify`] returns it.
    pub serial: u64,
    bytes: [u8; 64],
}

impl OwnerKey {
    /// Signs the bytes of a file for a name, such as `robocast.toml`: the text of its `.sig` file. `serial` is at least
    /// that of the last one; the time in s since 1970 is a good choice.
    #[must_use]
    pub fn sign(&self, name: &str, bytes: &[u8], serial: u64) -> String {
        let signature = self.pair.sign(covered(name, bytes, serial).as_bytes());
        let key = self.public();
        format!(
            "{TITLE}\nkey: {key}\nserial: {serial}\nsignature: {}\n",
            BASE64_STANDARD.encode(signature.as_ref())
        )
    }
}

impl Signature {
    /// Reads a `.sig` file.
    ///
    /// # Errors
    /// It is too large, or of another form.
    pub fn parse(file: &[u8]) -> Result<Self, SignatureError> {
        use SignatureError::{Form, Newer, TooLarge};
        if file.len() > SIGNATURE_LIMIT {
            return Err(TooLarge);
        }
        let text = std::str::from_utf8(file).map_err(|_| Form)?.replace("\r\n", "\n");
        let (title, rest) = text.split_once('\n').ok_or(Form)?;
        if title != TITLE {
            let version = title.strip_prefix("robocast signature ").and_then(|v| v.parse::<u32>().ok());
            return Err(if version.is_some_and(|v| v > 1) { Newer } else { Form });
        }
        let lines: Vec<&str> = rest.split('\n').collect();
        let [key, serial, signature, ""] = lines[..] else { return Err(Form) };
        let key = OwnerPublic::exact(key.strip_prefix("key: ").ok_or(Form)?).map_err(|_| Form)?;
        let written = serial.strip_prefix("serial: ").ok_or(Form)?;
        let serial: u64 = written.parse().map_err(|_| Form)?;
        let bytes = signature.strip_prefix("signature: ").ok_or(Form)?;
        let bytes = BASE64_STANDARD.decode(bytes).map_err(|_| Form)?;
        // One text for each number.
        if serial.to_string() != written {
            return Err(Form);
        }
        Ok(Self { key, serial, bytes: bytes.try_into().map_err(|_| Form)? })
    }

    /// Whether it is the owner's, of these bytes under this name. Returns the serial.
    ///
    /// # Errors
    /// It is of another key, or does not fit.
    pub fn verify(&self, owner: &OwnerPublic, name: &str, bytes: &[u8]) -> Result<u64, SignatureError> {
        if self.key != *owner {
            return Err(SignatureError::OtherKey { found: self.key, owner: *owner });
        }
        UnparsedPublicKey::new(&ED25519, owner.0)
            .verify(covered(name, bytes, self.serial).as_bytes(), &self.bytes)
            .map_err(|_| SignatureError::Mismatch)?;
        Ok(self.serial)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}, serial {})", self.key, self.serial)
    }
}

/// SHA-256 in lower-case hexadecimal digits. Not `robocast_daemon`'s: that crate belongs to a box, and this one to a laptop too.
fn sha256_hex(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The signed text.
fn covered(name: &str, bytes: &[u8], serial: u64) -> String {
    let sum = sha256_hex(bytes);
    format!("{TITLE}\nfile: {name}\nserial: {serial}\nsha256: {sum}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{OWNER, SETTINGS};
    use proptest::prelude::*;

    #[test]
    fn what_is_covered_is_what_is_written_down() {
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(
            covered(SETTINGS, b"abc", 7),
            format!("robocast signature 1\nfile: robocast.toml\nserial: 7\nsha256: {sum}\n")
        );
    }

    #[test]
    fn a_file_is_its_owners_under_its_name_alone() {
        let (key, other) = (OwnerKey::generate(), OwnerKey::generate().public());
        let text = key.sign(SETTINGS, b"schema = 1\n", 7);
        let signature = Signature::parse(text.as_bytes()).unwrap();
        assert_eq!(signature.verify(&key.public(), SETTINGS, b"schema = 1\n"), Ok(7));
        assert_eq!(signature.verify(&key.public(), OWNER, b"schema = 1\n"), Err(SignatureError::Mismatch));
        assert_eq!(signature.verify(&key.public(), SETTINGS, b""), Err(SignatureError::Mismatch));
        assert_eq!(
            signature.verify(&other, SETTINGS, b"schema = 1\n"),
            Err(SignatureError::OtherKey { found: key.public(), owner: other })
        );
        let mine = OwnerKey::generate();
        let forged = text.replace(&key.public().to_string(), &mine.public().to_string());
        let forged = Signature::parse(forged.as_bytes()).unwrap();
        assert_eq!(forged.verify(&mine.public(), SETTINGS, b"schema = 1\n"), Err(SignatureError::Mismatch));
        // An older one passed off as newer.
        let newer = Signature::parse(text.replace("serial: 7", "serial: 8").as_bytes()).unwrap();
        assert_eq!(newer.verify(&key.public(), SETTINGS, b"schema = 1\n"), Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_signature_of_another_form_is_refused() {
        let text = OwnerKey::generate().sign(SETTINGS, b"", 7);
        for (from, to, error) in [
            ("signature 1", "signature 2", SignatureError::Newer),
            ("signature 1", "signature 0", SignatureError::Form),
            ("robocast", "Robocast", SignatureError::Form),
            ("serial: 7", "serial: 07", SignatureError::Form),
            ("serial: 7", "serial: +7", SignatureError::Form),
            ("serial: 7", "serial: 18446744073709551616", SignatureError::Form),
            ("serial: 7\n", "", SignatureError::Form),
            ("key: ", "key:  ", SignatureError::Form),
            ("==\n", "==\n\n", SignatureError::Form),
            ("==\n", "==", SignatureError::Form),
            ("==\n", "\n", SignatureError::Form),
        ] {
            let bad = text.replacen(from, to, 1);
            assert_ne!(bad, text, "{from}");
            assert_eq!(Signature::parse(bad.as_bytes()), Err(error), "{bad}");
        }
        assert_eq!(Signature::parse(&[b'x'; SIGNATURE_LIMIT + 1]), Err(SignatureError::TooLarge));
        assert!(Signature::parse(text.replace('\n', "\r\n").as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_refused(
            file in proptest::collection::vec(any::<u8>(), 1..300),
            serial: u64,
            at: usize,
            flip in 1u8..,
            odd in proptest::sample::select(b"\r\n \t=+0A".as_slice()),
        ) {
            let key = OwnerKey::generate();
            let text = key.sign(SETTINGS, &file, serial).into_bytes();
            let holds = |text: &[u8], file: &[u8]| {
                Signature::parse(text).and_then(|s| s.verify(&key.public(), SETTINGS, file))
            };
            prop_assert_eq!(holds(&text, &file), Ok(serial));
            let mut other = file.clone();
            other[at % file.len()] ^= flip;
            prop_assert_eq!(holds(&text, &other), Err(SignatureError::Mismatch));
            let at = at % text.len();
            for with in [text[at] ^ flip, odd] {
                let mut changed = text.clone();
                changed[at] = with;
                prop_assert!(changed == text || holds(&changed, &file).is_err(), "byte {} is {}", at, with);
            }
            let mut cut = text.clone();
            cut.truncate(at);
            prop_assert!(holds(&cut, &file).is_err(), "cut at {}", at);
            cut = text.clone();
            cut.remove(at);
            prop_assert!(holds(&cut, &file).is_err(), "without {}", at);
            cut = text;
            cut.insert(at, odd);
            // Windows puts `\r` before `\n` in texts.
            prop_assert!(odd == b'\r' || holds(&cut, &file).is_err(), "with {} at {}", odd, at);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text in "(robocast signature 1|key: |ed25519:|serial: |signature: |[0-9A-Za-z+/=]{1,44}|\n|\r\n|\\PC){0,12}") {
            let _ = Signature::parse(&bytes);
            let _ = Signature::parse(text.as_bytes());
        }
    }
}
