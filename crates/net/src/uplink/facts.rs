//! What NetworkManager and ModemManager say there is. Pure; the numbers are NetworkManager's (`nm-dbus-interface.h`).

use crate::uplink::modem::Modem;
use robocast_bus::UplinkState;
use robocast_config::{Secret, UplinkKind};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Device {
    /// Its D-Bus path.
    pub path: String,
    /// Its name; of a modem its port.
    pub interface: String,
    /// Where its packets go; of a modem another name than its own. Empty while it has none.
    pub link: String,
    /// Of which uplink it can be; none of those that are none.
    pub kind: Option<UplinkKind>,
    /// `NMDeviceState`
    pub state: u32,
    /// `NMDeviceStateReason`
    pub reason: u32,
    /// Whether NetworkManager keeps it.
    pub managed: bool,
    /// Its addresses.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Its routers.
    pub gateways: Vec<IpAddr>,
    /// Name servers that came with it.
    pub dns: Vec<IpAddr>,
    /// UUID of the profile that is active on it.
    pub profile: Option<String>,
    /// The mark of that profile as it was when it was activated.
    pub applied: Option<String>,
}

/// Device states.
pub mod state {
    /// No cable, no radio, no SIM.
    pub const UNAVAILABLE: u32 = 20;
    /// Could be used.
    pub const DISCONNECTED: u32 = 30;
    /// Is used.
    pub const ACTIVATED: u32 = 100;
}

impl Device {
    /// Whether packets could go: it is up, and has an address.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.state == state::ACTIVATED && self.addresses.iter().any(|(address, _)| !local(address))
    }

    /// How it is.
    #[must_use]
    pub fn standing(&self) -> UplinkState {
        match self.state {
            31..=100 if self.usable() => UplinkState::Ready,
            // Up without an address is on its way still.
            31..=100 => UplinkState::Connecting,
            _ => UplinkState::Down,
        }
    }

    /// Why it is not up, in words; empty where there is nothing to say.
    #[must_use]
    pub fn why(&self) -> &'static str {
        match self.reason {
            4 => "it cannot be set up so",
            5 | 15..=17 => "no address was given: does the network have a DHCP server?",
            6 => "its address ran out",
            7 | 8 => "the password is not taken, or the signal is too weak",
            9..=11 => "the access point does not answer as it should",
            27..=29 => "the operator does not take the access point name (`apn`)",
            30 | 32 | 33 => "no mobile network is found",
            31 => "the mobile network does not take this SIM",
            34 | 46 | 48 => "the SIM wants another PIN",
            35 => "its firmware is missing",
            40 => "no cable, or nobody at its other end",
            45 => "no SIM",
            47 => "the SIM is locked and wants its PUK",
            53 => "no such Wi-Fi network is in reach",
            64 => "somebody else has its address",
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

/// A profile that NetworkManager has.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Known {
    /// Its D-Bus path.
    pub path: String,
    /// Its UUID.
    pub uuid: String,
    /// Its id.
    pub id: String,
    /// Our mark; none of a stranger's.
    pub mark: Option<String>,
    /// How many tries the SIM left when its PIN was written.
    pub pin_tries: Option<u32>,
    /// Its secrets, where it is ours: section, key, value.
    pub secrets: BTreeMap<(String, String), Secret<String>>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Facts {
    /// NetworkManager's version.
    pub version: String,
    /// Its devices.
    pub devices: Vec<Device>,
    /// Its profiles.
    pub profiles: Vec<Known>,
    /// Modems, by ModemManager.
    pub modems: Vec<Modem>,
    /// Names of the files in our folder of certificates.
    pub files: BTreeSet<String>,
}

impl Facts {
    /// The device on which a profile is active, or could be: first the one that has it.
    #[must_use]
    pub fn device_of(&self, uuid: &str, kind: UplinkKind, interface: Option<&str>) -> Option<&Device> {
        let fits = |device: &&Device| {
            device.kind == Some(kind) && interface.is_none_or(|name| name == device.interface)
        };
        let has = |device: &&Device| device.profile.as_deref() == Some(uuid);
        self.devices.iter().find(has).or_else(|| self.devices.iter().find(fits))
    }

    /// Devices over which packets could go.
    pub fn usable(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.kind.is_some() && device.usable())
    }

    /// Addresses that two devices have, with their interfaces.
    #[must_use]
    pub fn doubled(&self) -> Vec<(IpAddr, String, String)> {
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
