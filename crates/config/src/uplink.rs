//! `[uplink]`: the ways into the world.

use std::net::IpAddr;

use crate::cidr::Cidr;
use crate::malformed::{Malformed, quote, unknown_word};
use crate::reader::{Reader, Section};
use crate::robot::{filled, ip};
use crate::secret::Secret;
use crate::source::interface;

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

/// The uplinks and which goes first.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Uplink {
    /// The first that works carries the streams. Only configured ones, none twice; default all configured, in the order
    /// wifi, lte, ethernet.
    pub order: Vec<UplinkKind>,
    /// Wi-Fi networks; no SSID twice.
    pub wifi: Vec<Wifi>,
    /// The mobile network.
    pub lte: Option<Lte>,
    /// A second ethernet.
    pub ethernet: Option<Ethernet>,
}

/// A Wi-Fi network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wifi {
    /// Name of the network, 1 to 32 bytes.
    pub ssid: String,
    /// WPA passphrase of 8 to 63 characters, or a key of 64 hex digits; none for an open network.
    pub password: Option<Secret<String>>,
    /// Two upper-case letters: whose radio rules apply.
    pub country: Option<String>,
    /// Whether the network does not announce its name; default false.
    pub hidden: bool,
}

/// The mobile network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lte {
    /// Access point name.
    pub apn: String,
    /// PIN of the SIM, 4 to 8 digits.
    pub pin: Option<Secret<String>>,
    /// User at the access point.
    pub username: Option<String>,
    /// Password at the access point.
    pub password: Option<Secret<String>>,
    /// Whether foreign networks are used; default false.
    pub roaming: bool,
}

/// A second ethernet; DHCP unless an address is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ethernet {
    /// Its interface; not the robot's.
    pub interface: String,
    /// Fixed address.
    pub address: Option<Cidr>,
    /// Router, within the network of `address`.
    pub gateway: Option<IpAddr>,
    /// Name servers.
    pub dns: Vec<IpAddr>,
}

impl Uplink {
    /// What is configured, in the order of the default.
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
        reader.known(&section, &["order", "wifi", "lte", "ethernet"]);
        for network in reader.sections(&section, "wifi", "[[uplink.wifi]]") {
            uplink.wifi.push(Wifi::read(reader, &network));
        }
        if let Some(lte) = reader.section(&section, "lte", "[uplink.lte]") {
            uplink.lte = Some(Lte::read(reader, &lte));
        }
        if let Some(ethernet) = reader.section(&section, "ethernet", "[uplink.ethernet]") {
            uplink.ethernet = Some(Ethernet::read(reader, &ethernet));
        }
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
            reader.places.set(format!("uplink.kind.{number}"), node.span.clone());
            uplink.order.push(kind);
            number += 1;
        }
        if !reader.places.written("uplink.order") {
            uplink.order = uplink.configured();
        }
        uplink
    }
}

impl Wifi {
    fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> Self {
        reader.known(section, &["ssid", "password", "country", "hidden"]);
        Self {
            ssid: reader.required(section, "ssid", "`ssid = \"Lab\"`", ssid).unwrap_or_default(),
            password: reader.secret(section, "password", "`password = \"...\"`", passphrase),
            country: reader.parsed(section, "country", "`country = \"US\"`", country),
            hidden: reader.flag(section, "hidden", false),
        }
    }
}

fn ssid(text: &str) -> Result<String, Malformed> {
    match text.len() {
        1..=32 => Ok(text.to_owned()),
        0 => Err(Malformed::new("the SSID is empty").hint("write the name of the network, such as \"Lab\"")),
        length => Err(Malformed::new(format!("the SSID has {length} bytes")).hint("an SSID has at most 32")),
    }
}

fn passphrase(text: &str) -> Result<(), Malformed> {
    let hint = "a WPA passphrase has 8 to 63 characters of ASCII, a key has 64 hex digits";
    let fault = |why: String| Err(Malformed::new(why).hint(hint));
    let length = text.chars().count();
    match length {
        _ if !text.bytes().all(|b| (b' '..=b'~').contains(&b)) => {
            fault("the Wi-Fi password has characters that no passphrase can have".to_owned())
        }
        8..=63 => Ok(()),
        64 if text.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(()),
        0 => {
            Err(Malformed::new("the Wi-Fi password is empty")
                .hint("leave `password` out for an open network"))
        }
        1..8 => fault(format!("the Wi-Fi password has only {length} characters")),
        _ => fault(format!("the Wi-Fi password has {length} characters")),
    }
}

fn country(text: &str) -> Result<String, Malformed> {
    if text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()) {
        return Ok(text.to_owned());
    }
    let fault = Malformed::new(format!("{} is not a country code", quote(text)));
    let upper = text.to_ascii_uppercase();
    Err(if text.len() == 2 && upper.bytes().all(|b| b.is_ascii_uppercase()) {
        fault.hint(format!("did you mean `{upper}`?"))
    } else {
        fault.hint("write two upper-case letters, such as \"US\" or \"DE\"")
    })
}

impl Lte {
    fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> Self {
        reader.known(section, &["apn", "pin", "username", "password", "roaming"]);
        Self {
            apn: reader.required(section, "apn", "`apn = \"internet\"`", apn).unwrap_or_default(),
            pin: reader.secret(section, "pin", "`pin = \"...\"`, in quotes", pin),
            username: reader.parsed(section, "username", "`username = \"user\"`", filled),
            password: reader.secret(section, "password", "`password = \"...\"`", |t| filled(t).map(|_| ())),
            roaming: reader.flag(section, "roaming", false),
        }
    }
}

fn apn(text: &str) -> Result<String, Malformed> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if (1..=100).contains(&text.len()) && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    Err(Malformed::new(format!("{} is not an access point name", quote(text)))
        .hint("letters, digits, `.`, `_` and `-`, as the operator gives it, such as \"internet\""))
}

fn pin(text: &str) -> Result<(), Malformed> {
    if (4..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(());
    }
    Err(Malformed::new("the PIN is not 4 to 8 digits").hint("leave `pin` out for a SIM without one"))
}

impl Ethernet {
    fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> Self {
        reader.known(section, &["interface", "address", "gateway", "dns"]);
        let example = "`address = \"192.168.8.20/24\"`";
        Self {
            interface: reader
                .required(section, "interface", "`interface = \"eth1\"`", interface)
                .unwrap_or_default(),
            address: reader.parsed(section, "address", example, str::parse),
            gateway: reader.parsed(section, "gateway", "`gateway = \"192.168.8.1\"`", ip),
            dns: reader.texts(section, "dns", "`dns = [\"192.168.8.1\"]`", ip),
        }
    }
}
