//! `[tls]`: which certificates are trusted.

use crate::parse_error::ParseError;
use crate::reader::{Reader, Section};

/// The trusted certificates.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tls {
    /// One or more root certificates in PEM, trusted in addition to the system's.
    pub ca: Option<String>,
}

impl Tls {
    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Self {
        let Some(section) = reader.section(root, "tls", "[tls]") else { return Self::default() };
        reader.known(&section, &["ca"]);
        let example = "`ca = \"\"\"` and the certificate's lines, `\"\"\"` at the end";
        Self { ca: reader.parsed(&section, "ca", example, certificates) }
    }
}

/// Checks certificates in PEM.
pub(crate) fn certificates(text: &str) -> Result<String, ParseError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    const FORM: &str =
        "a certificate in PEM, from `-----BEGIN CERTIFICATE-----` to `-----END CERTIFICATE-----`";
    if text.contains("PRIVATE KEY") {
        return Err(ParseError::new("there is a private key among the certificates")
            .with_hint("take it out, and make a new one: this one is no longer secret"));
    }
    let mut inside = false;
    let mut count = 0;
    for line in text.lines().map(str::trim) {
        match (line, inside) {
            (BEGIN, false) => inside = true,
            (END, true) => {
                inside = false;
                count += 1;
            }
            (BEGIN | END, _) => {
                return Err(ParseError::new("a certificate is incomplete").with_hint(format!("write {FORM}")));
            }
            (line, true) if !line.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)) => {
                return Err(
                    ParseError::new("a certificate is not in base64").with_hint(format!("write {FORM}"))
                );
            }
            _ => {}
        }
    }
    match count {
        _ if inside => Err(ParseError::new("a certificate is incomplete").with_hint(format!("write {FORM}"))),
        0 => Err(ParseError::new("there is no certificate here").with_hint(format!("write {FORM}"))),
        _ => Ok(text.to_owned()),
    }
}
