//! `[[uplink.wifi]]`: Wi-Fi networks, personal and enterprise.

use crate::addressing::Addressing;
use crate::parse_error::{ParseError, quote, unknown_word};
use crate::reader::{Reader, Section};
use crate::robot::filled;
use crate::secret::Secret;
use crate::tls::certificates;

/// A Wi-Fi network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wifi {
    /// Name of the network, 1 to 32 bytes.
    pub ssid: String,
    /// How the box authenticates.
    pub access: Access,
    /// Two upper-case letters: the country whose radio rules apply.
    pub country: Option<String>,
    /// Whether the network hides its name; default false.
    pub hidden: bool,
    /// Its address.
    pub ip: Addressing,
    /// Whether data costs money; default false.
    pub metered: bool,
}

/// How the box authenticates to a Wi-Fi network. Whether the network uses WPA2 or WPA3 is detected when connecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Without a password.
    Open,
    /// A passphrase of 8 to 63 characters, or a key of 64 hex digits.
    Personal(Secret<String>),
    /// With an identity.
    Enterprise(Enterprise),
}

/// How the box identifies itself (IEEE 802.1X).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enterprise {
    /// The user, or the name in the certificate.
    pub identity: String,
    /// `eap`.
    pub proof: Credentials,
    /// Certificates, in PEM, of the authority that signs the network's own. Without any, the network itself is not verified.
    pub ca: Option<String>,
}

/// What proves the identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// `peap`: a password, sent inside TLS.
    Peap {
        /// The user's password.
        password: Secret<String>,
        /// The inner authentication method; default `mschapv2`.
        phase2: Phase2,
    },
    /// `tls`: a certificate.
    Tls {
        /// In PEM.
        certificate: String,
        /// In PEM, not protected by a password.
        private_key: Secret<String>,
    },
}

/// The inner authentication method of PEAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Phase2 {
    /// `mschapv2`
    #[default]
    Mschapv2,
    /// `gtc`
    Gtc,
}

impl Phase2 {
    /// The word in the settings, which NetworkManager uses too.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mschapv2 => "mschapv2",
            Self::Gtc => "gtc",
        }
    }
}

const PASSWORD: &str = "`password = \"...\"`";
const IDENTITY: &str = "`identity = \"robot\"`";
const CERTIFICATE: &str = "`certificate = \"\"\"` and its lines";
const PRIVATE_KEY: &str = "`private_key = \"\"\"` and its lines";
const CA: &str = "`ca = \"\"\"` and the certificate's lines";
/// Keys that only an enterprise network has.
const ENTERPRISE: [&str; 5] = ["identity", "ca", "certificate", "private_key", "phase2"];

impl Wifi {
    pub(crate) fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> Self {
        reader.known(
            section,
            &[
                "ssid",
                "password",
                "country",
                "hidden",
                "metered",
                "address",
                "gateway",
                "dns",
                "eap",
                "identity",
                "ca",
                "certificate",
                "private_key",
                "phase2",
            ],
        );
        Self {
            ssid: reader.required(section, "ssid", "`ssid = \"Lab\"`", ssid).unwrap_or_default(),
            access: access(reader, section),
            country: reader.parsed(section, "country", "`country = \"US\"`", country),
            hidden: reader.flag(section, "hidden", false),
            ip: Addressing::read(reader, section),
            metered: reader.flag(section, "metered", false),
        }
    }
}

fn access(reader: &mut Reader<'_>, section: &Section<'_>) -> Access {
    let eap = |text: &str| match text {
        "peap" | "tls" => Ok(text == "tls"),
        other => Err(unknown_word("`eap`", other, &["peap", "tls"])),
    };
    if !reader.has(section, "eap") {
        for key in ENTERPRISE {
            if let Some(node) = reader.node(section, key) {
                let fault = ParseError::new(format!("`{key}` has no effect without `eap`"));
                let hint = "add `eap = \"peap\"` (a user and a password) or `eap = \"tls\"` (a certificate)";
                reader.fault(&node, fault.with_hint(hint));
            }
        }
        let password = reader.secret(section, "password", PASSWORD, passphrase);
        return password.map_or(Access::Open, Access::Personal);
    }
    let Some(tls) = reader.parsed(section, "eap", "`eap = \"peap\"`", eap) else { return Access::Open };
    let identity = reader.required(section, "identity", IDENTITY, filled);
    let ca = reader.parsed(section, "ca", CA, certificates);
    let proof = if tls { certificate(reader, section) } else { peap(reader, section) };
    match (identity, proof) {
        (Some(identity), Some(proof)) => Access::Enterprise(Enterprise { identity, proof, ca }),
        _ => Access::Open,
    }
}

fn peap(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Credentials> {
    idle(reader, section, &["certificate", "private_key"], "peap");
    if !reader.has(section, "password") {
        reader.missing(section, "password", PASSWORD);
    }
    let phase2 = |text: &str| match text {
        "mschapv2" => Ok(Phase2::Mschapv2),
        "gtc" => Ok(Phase2::Gtc),
        other => Err(unknown_word("`phase2`", other, &["mschapv2", "gtc"])),
    };
    let phase2 = reader.parsed(section, "phase2", "`phase2 = \"mschapv2\"`", phase2).unwrap_or_default();
    let password = reader.secret(section, "password", PASSWORD, |text| filled(text).map(|_| ()))?;
    Some(Credentials::Peap { password, phase2 })
}

fn certificate(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Credentials> {
    idle(reader, section, &["password", "phase2"], "tls");
    let certificate = reader.required(section, "certificate", CERTIFICATE, certificates);
    if !reader.has(section, "private_key") {
        reader.missing(section, "private_key", PRIVATE_KEY);
    }
    let private_key = reader.secret(section, "private_key", PRIVATE_KEY, key)?;
    Some(Credentials::Tls { certificate: certificate?, private_key })
}

fn idle(reader: &mut Reader<'_>, section: &Section<'_>, keys: &[&str], eap: &str) {
    for key in keys {
        if let Some(node) = reader.node(section, key) {
            let fault = ParseError::new(format!("`{key}` has no effect with `eap = \"{eap}\"`"));
            reader.fault(&node, fault.with_hint("leave it out"));
        }
    }
}

/// Checks a private key in PEM. No error repeats the text.
fn key(text: &str) -> Result<(), ParseError> {
    let fault = |why: &str, hint: &str| Err(ParseError::new(why).with_hint(hint));
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let kind = lines.next().and_then(|l| l.strip_prefix("-----BEGIN ")?.strip_suffix("PRIVATE KEY-----"));
    let Some(kind) = kind else {
        return fault(
            "there is no private key here",
            "write a key in PEM, from `-----BEGIN PRIVATE KEY-----` to `-----END PRIVATE KEY-----`",
        );
    };
    if kind == "ENCRYPTED " || text.contains("ENCRYPTED") {
        return fault(
            "the private key is protected by a password",
            "nobody can type it on the box: remove it with `openssl pkey -in KEY -out PLAIN`",
        );
    }
    match lines.next_back() {
        Some(end) if end == format!("-----END {kind}PRIVATE KEY-----") => Ok(()),
        _ => fault("the private key is incomplete", "write it with its last line, `-----END ...-----`"),
    }
}

fn ssid(text: &str) -> Result<String, ParseError> {
    match text.len() {
        1..=32 => Ok(text.to_owned()),
        0 => {
            Err(ParseError::new("the SSID is empty")
                .with_hint("write the name of the network, such as \"Lab\""))
        }
        length => {
            Err(ParseError::new(format!("the SSID has {length} bytes")).with_hint("an SSID has at most 32"))
        }
    }
}

fn passphrase(text: &str) -> Result<(), ParseError> {
    let hint = "a WPA passphrase has 8 to 63 characters of ASCII, a key has 64 hex digits";
    let fault = |why: String| Err(ParseError::new(why).with_hint(hint));
    let length = text.chars().count();
    match length {
        _ if !text.bytes().all(|b| (b' '..=b'~').contains(&b)) => {
            fault("the Wi-Fi password has characters that no passphrase can have".to_owned())
        }
        8..=63 => Ok(()),
        64 if text.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(()),
        0 => Err(ParseError::new("the Wi-Fi password is empty")
            .with_hint("leave `password` out for an open network")),
        1..8 => fault(format!("the Wi-Fi password has only {length} characters")),
        _ => fault(format!("the Wi-Fi password has {length} characters")),
    }
}

fn country(text: &str) -> Result<String, ParseError> {
    if text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()) && text != "UK" {
        return Ok(text.to_owned());
    }
    let fault = ParseError::new(format!("{} is not a country code", quote(text)));
    let upper = text.to_ascii_uppercase();
    Err(if upper == "UK" {
        fault.with_hint("did you mean `GB`?")
    } else if text.len() == 2 && upper.bytes().all(|b| b.is_ascii_uppercase()) {
        fault.with_hint(format!("did you mean `{upper}`?"))
    } else {
        fault.with_hint("write two upper-case letters, such as \"US\" or \"DE\"")
    })
}
