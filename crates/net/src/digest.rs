//! Names for content that is written down and compared later, by this release or a newer one: SHA-256 over lines of text.
//!
//! The caller spells the text out; `Debug` is never used: a renamed type must not change a digest. Its first line names
//! the format and its version.

use ring::digest::{Context, SHA256};
use std::fmt::Write as _;

/// A digest over lines.
pub(crate) struct StableDigest(Context);

impl StableDigest {
    /// Starts with the line that names the format.
    pub(crate) fn new(format: &str) -> Self {
        let mut digest = Self(Context::new(&SHA256));
        digest.line(format);
        digest
    }

    /// Adds a line. A line feed inside it is escaped, so that no two texts have one digest.
    pub(crate) fn line(&mut self, line: &str) {
        self.0.update(line.replace('\\', "\\\\").replace('\n', "\\n").as_bytes());
        self.0.update(b"\n");
    }

    /// The whole digest in hex: 64 characters.
    pub(crate) fn hex(self) -> String {
        hex(self.0.finish().as_ref())
    }

    /// Its first 16 characters, where space is short and no attacker is expected.
    pub(crate) fn short(self) -> String {
        let mut hex = self.hex();
        hex.truncate(16);
        hex
    }
}

/// The SHA-256 of bytes in hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> String {
        let mut digest = StableDigest::new("format 1");
        lines.iter().for_each(|line| digest.line(line));
        digest.hex()
    }

    #[test]
    fn a_digest_is_the_sha_256_of_the_lines() {
        assert_eq!(of(&["a", "b"]), sha256_hex(b"format 1\na\nb\n"));
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "FIPS 180-2, B.1"
        );
    }

    #[test]
    fn lines_cannot_be_confused() {
        let texts = [of(&["a", "b"]), of(&["a\nb"]), of(&["a\\nb"]), of(&["ab"]), of(&["a", "b", ""])];
        for (number, one) in texts.iter().enumerate() {
            assert!(!texts[..number].contains(one), "{number}");
        }
    }
}
