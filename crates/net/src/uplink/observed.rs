//! The state of the uplinks as NetworkManager and ModemManager report it. Only data; the numbers are NetworkManager's
//! (`nm-dbus-interface.h`).

use crate::uplink::modem::Modem;
use robocast_bus::UplinkState;
use robocast_config::{Secret, UplinkKind};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct UplinkDevice {
    /// Its D-Bus path.
    pub path: String,
    /// Its name; of a modem its port.
    pub interface: String,
    /// The interface that carries its packets: a modem's has another name. Empty while it has none.
    pub link: String,
    /// The kind of uplink that it can be; none for other devices.
    pub kind: Option<UplinkKind>,
    /// `NMDeviceState`
    pub state: u32,
    /// `NMDeviceStateReason`
    pub reason: u32,
    /// Whether NetworkManager manages it.
    pub managed: bool,
    /// Its addresses.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Its routers.
    pub gateways: Vec<IpAddr>,
    /// Name servers that came with it.
    pub dns: Vec<IpAddr>,
    /// UUID of the profile that is active on it.
    pub profile: Option<String>,
    /// The digest of that profile when it was activated.
    pub applied: Option<String>,
}

/// UplinkDevice states.
pub mod state {
    /// No cable, no radio, no SIM.
    pub const UNAVAILABLE: u32 = 20;
    /// Could be used.
    pub const DISCONNECTED: u32 = 30;
    /// Is used.
    pub const ACTIVATED: u32 = 100;
}

impl UplinkDevice {
    /// Whether packets can be sent: it is up, and has an address.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.state == state::ACTIVATED && self.addresses.iter().any(|(address, _)| !local(address))
    }

    /// Its state as the bus names it.
    #[must_use]
    pub fn uplink_state(&self) -> UplinkState {
        match self.state {
            31..=100 if self.usable() => UplinkState::Ready,
            // Up without an address: still connecting.
            31..=100 => UplinkState::Connecting,
            _ => UplinkState::Down,
        }
    }

    /// Why it is not up, for people; empty if unknown.
    #[must_use]
    pub fn why(&self) -> &'static str {
        match self.reason {
            4 => "it cannot be configured as the settings say",
            5 | 15..=17 => "it got no address: does the network have a DHCP server?",
            6 => "its lease expired",
            7 | 8 => "the password is not accepted, or the signal is too weak",
            9..=11 => "the access point does not answer correctly",
            27..=29 => "the operator does not accept the access point name (`apn`)",
            30 | 32 | 33 => "no mobile network is found",
            31 => "the mobile network does not accept this SIM",
            34 | 46 | 48 => "the SIM needs another PIN",
            35 => "its firmware is missing",
            40 => "no cable, or nothing at its other end",
            45 => "no SIM",
            47 => "the SIM is locked and needs its PUK",
            53 => "no such Wi-Fi network is in reach",
            64 => "another host has its address",
            _ => "",
        }
    }
}

fn local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_loopback(),
    }
}

/// A profile as NetworkManager has stored it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct StoredProfile {
    /// Its D-Bus path.
    pub path: String,
    /// Its UUID.
    pub uuid: String,
    /// Its id.
    pub id: String,
    /// Our digest; none for a profile that is not ours.
    pub digest: Option<String>,
    /// How many tries the SIM had left when its PIN was written.
    pub pin_tries: Option<u32>,
    /// Its secrets, if it is ours: section, key, value.
    pub secrets: BTreeMap<(String, String), Secret<String>>,
}

/// The observed state of the uplinks.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ObservedUplinks {
    /// NetworkManager's version.
    pub version: String,
    /// Its devices.
    pub devices: Vec<UplinkDevice>,
    /// Its profiles.
    pub profiles: Vec<StoredProfile>,
    /// ModemManager's modems.
    pub modems: Vec<Modem>,
    /// Names of the files in our folder of certificates.
    pub files: BTreeSet<String>,
}

impl ObservedUplinks {
    /// The device on which a profile is active, otherwise one on which it could be.
    #[must_use]
    pub fn device_of(&self, uuid: &str, kind: UplinkKind, interface: Option<&str>) -> Option<&UplinkDevice> {
        let fits = |device: &&UplinkDevice| {
            device.kind == Some(kind) && interface.is_none_or(|name| name == device.interface)
        };
        let has = |device: &&UplinkDevice| device.profile.as_deref() == Some(uuid);
        self.devices.iter().find(has).or_else(|| self.devices.iter().find(fits))
    }

    /// The uplinks through which packets can be sent.
    pub fn usable(&self) -> impl Iterator<Item = &UplinkDevice> {
        self.devices.iter().filter(|device| device.kind.is_some() && device.usable())
    }

    /// Addresses that two devices share, with their interfaces.
    #[must_use]
    pub fn shared_addresses(&self) -> Vec<(IpAddr, String, String)> {
        let mut seen: BTreeMap<IpAddr, &str> = BTreeMap::new();
        let mut found = Vec::new();
        for device in self.devices.iter().filter(|device| device.kind.is_some()) {
            for (address, _) in device.addresses.iter().filter(|(address, _)| !local(address)) {
                match seen.insert(*address, &device.link) {
                    Some(other) if other != device.link => {
                        found.push((*address, other.to_owned(), device.link.clone()));
                    }
                    _ => {}
                }
            }
        }
        found
    }
}
