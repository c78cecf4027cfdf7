//! NetworkManager's profiles, made from settings. Pure.

use crate::digest::StableDigest;
use robocast_config::{Access, Addressing, Credentials, Ethernet, Lte, Secret, UplinkKind, Wifi};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Identifies a profile as ours, in its `user` data; the value is the profile's digest.
pub const DIGEST_KEY: &str = "org.robocast.profile";
/// How many tries the SIM had left when the PIN was written, in the same place.
pub const PIN_TRIES_KEY: &str = "org.robocast.pin-tries";
/// The namespace from which our profiles' UUIDs are derived, together with their ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x8f0f_4a3e_2c57_5d0b_9a51_7c0e_6b5d_1f42);
/// `NM_MPTCP_FLAGS_ENABLED | NM_MPTCP_FLAGS_SUBFLOW` and `NM_MPTCP_FLAGS_BACKUP` (nm-dbus-interface.h).
const MPTCP_SUBFLOW: i32 = 0x2 | 0x20;
const MPTCP_BACKUP: i32 = 0x40;
/// `NM_SETTING_SECRET_FLAG_NOT_REQUIRED`
const NOT_REQUIRED: u32 = 4;
/// `NM_SETTING_WIRELESS_POWERSAVE_DISABLE`: power saving delays frames by 100 ms and more.
const POWERSAVE_OFF: u32 = 2;

/// A value of a profile's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileValue {
    /// `b`
    Flag(bool),
    /// `i`
    Number(i32),
    /// `x`
    Long(i64),
    /// `u`
    Count(u32),
    /// `s`
    Text(String),
    /// `ay`
    Bytes(Vec<u8>),
    /// `as`
    Texts(Vec<String>),
    /// `aa{sv}` of an address and its prefix
    Addresses(Vec<(IpAddr, u8)>),
    /// `a{ss}`
    Named(BTreeMap<String, String>),
    /// `s`, and never shown
    Secret(Secret<String>),
}

impl ProfileValue {
    /// The value as the digest of a profile counts it: its D-Bus type, a colon, and the value; secrets without their value.
    fn text(&self) -> String {
        match self {
            Self::Flag(flag) => format!("b:{flag}"),
            Self::Number(number) => format!("i:{number}"),
            Self::Long(number) => format!("x:{number}"),
            Self::Count(count) => format!("u:{count}"),
            Self::Text(text) => format!("s:{text}"),
            Self::Bytes(bytes) => {
                bytes.iter().fold("ay:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
            }
            Self::Texts(texts) => texts.iter().fold("as:".to_owned(), |text, one| text + &quoted(one)),
            Self::Addresses(all) => all
                .iter()
                .fold("aa{sv}:".to_owned(), |text, (address, prefix)| text + &format!("{address}/{prefix} ")),
            Self::Named(names) => {
                let pair = |(name, value): (&String, &String)| quoted(name) + &quoted(value);
                names.iter().map(pair).fold("a{ss}:".to_owned(), |text, pair| text + &pair)
            }
            Self::Secret(_) => "secret".to_owned(),
        }
    }
}

/// A text in a list: in quotes, with those in it escaped.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl From<&str> for ProfileValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A profile's sections, as NetworkManager names them.
pub type Sections = BTreeMap<&'static str, BTreeMap<&'static str, ProfileValue>>;

/// A file that a profile names: a certificate or a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileFile {
    /// Its path. The name changes with the content, so that an older profile still finds its own file.
    pub path: PathBuf,
    /// PEM.
    pub content: Secret<String>,
}

/// One of our profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UplinkProfile {
    /// `robocast-wifi-0`, `robocast-lte`, `robocast-ethernet`
    pub id: String,
    /// Derived from the id.
    pub uuid: String,
    /// The kind of uplink.
    pub kind: UplinkKind,
    /// For people: `Wi-Fi Lab`.
    pub name: String,
    /// The only interface that it applies to; none for any of its kind.
    pub interface: Option<String>,
    /// The settings for NetworkManager, without the digest.
    pub sections: Sections,
    /// The files that it names.
    pub files: Vec<ProfileFile>,
    /// Place in the order of preference, from 0.
    pub place: usize,
    /// Whether each byte costs money.
    pub metered: bool,
    /// How many tries the SIM had left when this PIN was written; none where it had all of them.
    pub pin_tries: Option<u32>,
}

impl UplinkProfile {
    /// Identifies the profile: another value when anything but a secret changes.
    ///
    /// SHA-256 over one line for each key, `section.key=type:value`, in the order of their names (see [`ProfileValue::text`]). It is kept
    /// in NetworkManager's profiles, across releases: another rendering makes every box write all its profiles once.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut digest = StableDigest::new("robocast profile 1");
        for (section, keys) in &self.sections {
            // A section without keys counts too.
            digest.line(section);
            keys.iter().for_each(|(key, value)| digest.line(&format!("{section}.{key}={}", value.text())));
        }
        digest.hex()
    }

    /// The sections with the digest.
    #[must_use]
    pub fn with_digest(&self) -> Sections {
        let mut sections = self.sections.clone();
        let tries = self.pin_tries.map(|tries| (PIN_TRIES_KEY.to_owned(), tries.to_string()));
        let data = tries.into_iter().chain([(DIGEST_KEY.to_owned(), self.digest())]).collect();
        sections.insert("user", BTreeMap::from([("data", ProfileValue::Named(data))]));
        sections
    }

    /// Its secrets: section, key, value.
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &'static str, &Secret<String>)> {
        self.sections.iter().flat_map(|(section, keys)| {
            keys.iter().filter_map(move |(key, value)| match value {
                ProfileValue::Secret(secret) => Some((*section, *key, secret)),
                _ => None,
            })
        })
    }

    /// Sets one key.
    pub fn set(&mut self, section: &'static str, key: &'static str, value: impl Into<ProfileValue>) {
        self.sections.entry(section).or_default().insert(key, value.into());
    }

    fn new(id: &str, kind: UplinkKind, name: String, place: usize) -> Self {
        let uuid = Uuid::new_v5(&NAMESPACE, id.as_bytes()).to_string();
        let mut profile = Self {
            id: id.to_owned(),
            uuid: uuid.clone(),
            kind,
            name,
            interface: None,
            sections: Sections::new(),
            files: Vec::new(),
            place,
            metered: false,
            pin_tries: None,
        };
        profile.set("connection", "id", id);
        profile.set("connection", "uuid", uuid.as_str());
        profile.set("connection", "autoconnect", ProfileValue::Flag(true));
        // Without limit: nobody is there to press a button.
        profile.set("connection", "autoconnect-retries", ProfileValue::Number(0));
        let backup = if place == 0 { 0 } else { MPTCP_BACKUP };
        profile.set("connection", "mptcp-flags", ProfileValue::Number(MPTCP_SUBFLOW | backup));
        profile
    }

    fn metered(&mut self, metered: bool) {
        self.metered = metered;
        self.set("connection", "metered", ProfileValue::Number(if metered { 1 } else { 2 }));
    }

    /// Addresses, route metrics and DNS priorities. Every uplink has a default route at all times: a socket bound to it needs one.
    fn addressing(&mut self, ip: &Addressing) {
        let order = i32::try_from(self.place).unwrap_or(i32::MAX / 20).saturating_add(1) * 10;
        for family in ["ipv4", "ipv6"] {
            let own = |address: &IpAddr| address.is_ipv6() == (family == "ipv6");
            let fixed = ip.address.filter(|cidr| own(&cidr.address));
            self.set(family, "method", if fixed.is_some() { "manual" } else { "auto" });
            if let Some(cidr) = fixed {
                self.set(family, "address-data", ProfileValue::Addresses(vec![(cidr.address, cidr.prefix)]));
            }
            if let Some(gateway) = ip.gateway.filter(own) {
                self.set(family, "gateway", gateway.to_string().as_str());
            }
            let servers: Vec<_> = ip.dns.iter().filter(|dns| own(dns)).map(IpAddr::to_string).collect();
            if !servers.is_empty() {
                self.set(family, "dns-data", ProfileValue::Texts(servers));
            }
            // Below those of NetworkManager's own profiles (100 and more).
            self.set(family, "route-metric", ProfileValue::Long(i64::from(order)));
            self.set(family, "dns-priority", ProfileValue::Number(order));
        }
    }

    /// Adds a file; returns its path as NetworkManager expects it.
    fn file(&mut self, folder: &Path, what: &str, content: &str) -> ProfileValue {
        let mut name = format!("{}-{what}-", self.id);
        let _ = write!(name, "{}.pem", &Uuid::new_v5(&NAMESPACE, content.as_bytes()).simple());
        let path = folder.join(name);
        let mut told = format!("file://{}", path.display()).into_bytes();
        told.push(0);
        self.files.push(ProfileFile { path, content: Secret::new(content.to_owned()) });
        ProfileValue::Bytes(told)
    }
}

/// The profile of the `number`th Wi-Fi network; certificates are in `folder`.
#[must_use]
pub fn wifi(wifi: &Wifi, number: usize, place: usize, folder: &Path) -> UplinkProfile {
    const SECTION: &str = "802-11-wireless";
    const SECURITY: &str = "802-11-wireless-security";
    let name = format!("Wi-Fi {}", wifi.ssid);
    let mut profile = UplinkProfile::new(&format!("robocast-wifi-{number}"), UplinkKind::Wifi, name, place);
    profile.set("connection", "type", SECTION);
    // Of two networks in reach, the one written first is used.
    let priority = 100 - i32::try_from(number).unwrap_or(100);
    profile.set("connection", "autoconnect-priority", ProfileValue::Number(priority));
    // A handshake that fails far from the access point looks like a wrong password: it is repeated without end.
    profile.set("connection", "auth-retries", ProfileValue::Number(0));
    profile.metered(wifi.metered);
    profile.set(SECTION, "ssid", ProfileValue::Bytes(wifi.ssid.clone().into_bytes()));
    profile.set(SECTION, "mode", "infrastructure");
    profile.set(SECTION, "powersave", ProfileValue::Count(POWERSAVE_OFF));
    if wifi.hidden {
        profile.set(SECTION, "hidden", ProfileValue::Flag(true));
    }
    match &wifi.access {
        Access::Open => {}
        Access::Personal(password) => {
            // WPA2 and WPA3: NetworkManager offers SAE beside PSK where the radio can (docs/decisions/0015).
            profile.set(SECURITY, "key-mgmt", "wpa-psk");
            profile.set(SECURITY, "psk", ProfileValue::Secret(password.clone()));
        }
        Access::Enterprise(enterprise) => {
            const EAP: &str = "802-1x";
            profile.set(SECURITY, "key-mgmt", "wpa-eap");
            profile.set(EAP, "identity", enterprise.identity.as_str());
            if let Some(ca) = &enterprise.ca {
                let path = profile.file(folder, "ca", ca);
                profile.set(EAP, "ca-cert", path);
            }
            match &enterprise.proof {
                Credentials::Peap { password, phase2 } => {
                    profile.set(EAP, "eap", ProfileValue::Texts(vec!["peap".into()]));
                    profile.set(EAP, "phase2-auth", phase2.as_str());
                    profile.set(EAP, "password", ProfileValue::Secret(password.clone()));
                }
                Credentials::Tls { certificate, private_key } => {
                    profile.set(EAP, "eap", ProfileValue::Texts(vec!["tls".into()]));
                    let path = profile.file(folder, "certificate", certificate);
                    profile.set(EAP, "client-cert", path);
                    let path = profile.file(folder, "key", private_key.expose());
                    profile.set(EAP, "private-key", path);
                    profile.set(EAP, "private-key-password-flags", ProfileValue::Count(NOT_REQUIRED));
                }
            }
        }
    }
    profile.addressing(&wifi.ip);
    profile
}

/// The profile of the mobile network.
#[must_use]
pub fn lte(lte: &Lte, place: usize) -> UplinkProfile {
    const SECTION: &str = "gsm";
    let mut profile = UplinkProfile::new("robocast-lte", UplinkKind::Lte, "LTE".into(), place);
    profile.set("connection", "type", SECTION);
    profile.metered(lte.metered);
    profile.set(SECTION, "apn", lte.apn.as_str());
    profile.set(SECTION, "home-only", ProfileValue::Flag(!lte.roaming));
    if let Some(username) = &lte.username {
        profile.set(SECTION, "username", username.as_str());
    }
    for (key, secret) in [("pin", &lte.pin), ("password", &lte.password)] {
        if let Some(secret) = secret {
            profile.set(SECTION, key, ProfileValue::Secret(secret.clone()));
        }
    }
    profile.addressing(&Addressing::default());
    profile
}

/// The profile of the second ethernet.
#[must_use]
pub fn ethernet(ethernet: &Ethernet, place: usize) -> UplinkProfile {
    let mut profile = wired("robocast-ethernet", &ethernet.interface, place);
    profile.metered(ethernet.metered);
    profile.addressing(&ethernet.ip);
    profile
}

/// A wired profile of any id, by DHCP.
#[must_use]
pub fn wired(id: &str, interface: &str, place: usize) -> UplinkProfile {
    const SECTION: &str = "802-3-ethernet";
    let mut profile = UplinkProfile::new(id, UplinkKind::Ethernet, format!("ethernet {interface}"), place);
    profile.set("connection", "type", SECTION);
    profile.set("connection", "interface-name", interface);
    profile.interface = Some(interface.to_owned());
    profile.sections.entry(SECTION).or_default();
    profile.metered(false);
    profile.addressing(&Addressing::default());
    profile
}

#[cfg(test)]
mod tests;
