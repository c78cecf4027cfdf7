//! `[uplink]`: the connections to the internet.

use url::Url;

use crate::addressing::Addressing;
use crate::parse_error::{ParseError, quote, unknown_word};
use crate::reader::{Reader, Section};
use crate::redaction::dissect;
use crate::robot::filled;
use crate::secret::Secret;
use crate::source::interface;
use crate::wifi::Wifi;

/// A kind of uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UplinkKind {
    /// `wifi`
    Wifi,
    /// `lte`
    Lte,
    /// `ethernet`
    Ethernet,
}

impl UplinkKind {
    /// The word in the settings: `wifi`, `lte`, `ethernet`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wifi => "wifi",
            Self::Lte => "lte",
            Self::Ethernet => "ethernet",
        }
    }
}

impl std::fmt::Display for UplinkKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The uplinks and their order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Uplink {
    /// The first that works carries the streams. Only configured ones, without duplicates. Default: all that are configured,
    /// in the order wifi, lte, ethernet.
    pub order: Vec<UplinkKind>,
    /// Wi-Fi networks; no SSID occurs twice.
    pub wifi: Vec<Wifi>,
    /// The mobile network.
    pub lte: Option<Lte>,
    /// A second ethernet.
    pub ethernet: Option<Ethernet>,
    /// A page that answers 200 or 204 if the internet can be reached. It is requested through each uplink that carries no
    /// stream; another answer means a login page. Default: the hosts of the media servers are probed.
    pub probe: Option<Url>,
}

/// The mobile network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lte {
    /// Access point name.
    pub apn: String,
    /// PIN of the SIM, 4 to 8 digits.
    pub pin: Option<Secret<String>>,
    /// User name for the access point.
    pub username: Option<String>,
    /// Password for the access point.
    pub password: Option<Secret<String>>,
    /// Whether roaming is allowed; default false.
    pub roaming: bool,
    /// Whether data costs money; default true.
    pub metered: bool,
}

/// A second ethernet; uses DHCP unless an address is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ethernet {
    /// Its interface; not the robot's.
    pub interface: String,
    /// Its address.
    pub ip: Addressing,
    /// Whether data costs money; default false.
    pub metered: bool,
}

impl Uplink {
    /// The configured uplinks, in the default order.
    pub fn configured(&self) -> Vec<UplinkKind> {
        let has = [
            (UplinkKind::Wifi, !self.wifi.is_empty()),
            (UplinkKind::Lte, self.lte.is_some()),
            (UplinkKind::Ethernet, self.ethernet.is_some()),
        ];
        has.into_iter().filter(|(_, there)| *there).map(|(kind, _)| kind).collect()
    }

    pub(crate) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Self {
        let mut uplink = Self::default();
        let Some(section) = reader.section(root, "uplink", "[uplink]") else { return uplink };
        reader.known(&section, &["order", "wifi", "lte", "ethernet", "probe"]);
        for network in reader.sections(&section, "wifi", "[[uplink.wifi]]") {
            uplink.wifi.push(Wifi::read(reader, &network));
        }
        if let Some(lte) = reader.section(&section, "lte", "[uplink.lte]") {
            uplink.lte = Some(Lte::read(reader, &lte));
        }
        if let Some(ethernet) = reader.section(&section, "ethernet", "[uplink.ethernet]") {
            uplink.ethernet = Some(Ethernet::read(reader, &ethernet));
        }
        uplink.probe =
            reader.parsed(&section, "probe", "`probe = \"http://probe.example.net/generate_204\"`", probe);
        let mut number = 0;
        for node in reader.list(&section, "order", "`order = [\"wifi\", \"lte\"]`") {
            let Some(text) = reader.text(&node, "`order = [\"wifi\", \"lte\"]`") else { continue };
            let kind = match text {
                "wifi" => UplinkKind::Wifi,
                "lte" => UplinkKind::Lte,
                "ethernet" => UplinkKind::Ethernet,
                other => {
                    reader.fault(&node, unknown_word("uplink", other, &["wifi", "lte", "ethernet"]));
                    continue;
                }
            };
            reader.spans.set(format!("uplink.kind.{number}"), node.span.clone());
            uplink.order.push(kind);
            number += 1;
        }
        if !reader.spans.written("uplink.order") {
            uplink.order = uplink.configured();
        }
        uplink
    }
}

impl Lte {
    fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> Self {
        reader.known(section, &["apn", "pin", "username", "password", "roaming", "metered"]);
        Self {
            apn: reader.required(section, "apn", "`apn = \"internet\"`", apn).unwrap_or_default(),
            pin: reader.secret(section, "pin", "`pin = \"...\"`, in quotes", pin),
            username: reader.parsed(section, "username", "`username = \"user\"`", filled),
            password: reader.secret(section, "password", "`password = \"...\"`", |t| filled(t).map(|_| ())),
            roaming: reader.flag(section, "roaming", false),
            metered: reader.flag(section, "metered", true),
        }
    }
}

fn apn(text: &str) -> Result<String, ParseError> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if (1..=100).contains(&text.len()) && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    Err(ParseError::new(format!("{} is not an access point name", quote(text)))
        .with_hint("letters, digits, `.`, `_` and `-`, as the operator gives it, such as \"internet\""))
}

fn pin(text: &str) -> Result<(), ParseError> {
    if (4..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    Err(ParseError::new("the PIN is not 4 to 8 digits").with_hint("leave `pin` out for a SIM without one"))
}

impl Ethernet {
    fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> Self {
        reader.known(section, &["interface", "address", "gateway", "dns", "metered"]);
        Self {
            interface: reader
                .required(section, "interface", "`interface = \"eth1\"`", interface)
                .unwrap_or_default(),
            ip: Addressing::read(reader, section),
            metered: reader.flag(section, "metered", false),
        }
    }
}

/// Checks the probe's URL. A login page cannot be detected over TLS: its certificate is wrong, but a certificate may be
/// wrong for other reasons too.
fn probe(text: &str) -> Result<Url, ParseError> {
    let (parts, url) = dissect(text, "http://HOST/PATH")?;
    if url.scheme() != "http" {
        let scheme = quote(&format!("{}://", url.scheme()));
        return Err(ParseError::new(format!("a login page cannot be detected over {scheme}"))
            .with_hint("use http://: nothing secret is sent"));
    }
    if parts.user.is_some() {
        return Err(ParseError::new("the probe's URL has a user in it").with_hint("leave it out"));
    }
    Ok(url)
}
