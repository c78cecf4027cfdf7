//! What people and the bus are shown of the uplinks.

use crate::uplink::facts::Device;
use crate::uplink::probe::Way;
use crate::uplink::profile::Profile;
use crate::uplink::side::Side;
use robocast_bus::UplinkState;
use robocast_config::UplinkKind;
use std::net::IpAddr;

/// One uplink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UplinkView {
    /// For people: `Wi-Fi Lab`.
    pub name: String,
    /// Its interface; empty while it has none.
    pub interface: String,
    /// How it is, as far as `NetworkManager` knows: absent, down, connecting, or ready.
    pub state: UplinkState,
    /// Whether it carries the streams.
    pub chosen: bool,
    /// Whether each byte costs.
    pub metered: bool,
    /// Its address; empty while it has none.
    pub address: String,
    /// What is wrong with it, and what would mend it.
    pub text: String,
}

impl Side {
    /// Each uplink of the settings, in the order of preference, and those that NetworkManager found by itself.
    #[must_use]
    pub fn view(&self, chosen: Option<&str>) -> Vec<UplinkView> {
        let mut shown: Vec<_> =
            self.wanted.profiles.iter().map(|profile| self.of_profile(profile, chosen)).collect();
        let found = self.found().map(|device| self.of_device(device, device.interface.clone(), chosen));
        shown.extend(found);
        shown
    }

    /// The interfaces of the uplinks in the order of preference, each with whether it is up and has an address: what the
    /// chooser is told.
    #[must_use]
    pub fn links(&self) -> Vec<(String, bool)> {
        let mut links: Vec<(String, bool)> = Vec::new();
        let wanted = self.wanted.profiles.iter().filter_map(|profile| self.device(profile));
        for device in wanted.chain(self.found()).filter(|device| !device.link.is_empty()) {
            if !links.iter().any(|(name, _)| *name == device.link) {
                links.push((device.link.clone(), device.usable()));
            }
        }
        links
    }

    /// The uplink of an interface, as far as a socket needs it.
    #[must_use]
    pub fn way(&self, interface: &str) -> Option<Way> {
        let device = self.facts.devices.iter().find(|device| device.link == interface && device.usable())?;
        Some(self.way_of(device))
    }

    /// What is wrong, one line each; empty when all is well. For `robocast net check`.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            Some(self.trouble.clone()).into_iter().filter(|trouble| !trouble.is_empty()).collect();
        if self.facts.usable().next().is_none() {
            lines.push(format!("no uplink is up ({})", self.states()));
        }
        let troubled = self
            .view(None)
            .into_iter()
            .filter(|view| view.state != UplinkState::Ready && !view.text.is_empty());
        lines.extend(troubled.map(|view| format!("{}: {}", view.name, view.text)));
        lines
    }

    /// What is not wrong enough to take anything back.
    pub(crate) fn notes(&self) -> Vec<String> {
        let doubled = self.facts.doubled().into_iter();
        doubled.map(|(address, one, other)| doubled_text(&address, &one, &other)).collect()
    }

    pub(crate) fn states(&self) -> String {
        let views = self.view(None).into_iter();
        let states: Vec<_> = views.map(|view| format!("{} is {}", view.name, words(view.state))).collect();
        if states.is_empty() { "there is none".into() } else { states.join(", ") }
    }

    fn device(&self, profile: &Profile) -> Option<&Device> {
        let device = self.facts.device_of(&profile.uuid, profile.kind, profile.interface.as_deref())?;
        // Another network of ours has it.
        let taken = device.profile.as_ref().is_some_and(|active| {
            *active != profile.uuid && self.wanted.profiles.iter().any(|other| other.uuid == *active)
        });
        (!taken).then_some(device)
    }

    /// Uplinks that no profile of the settings is for: an ethernet that NetworkManager brings up by itself.
    fn found(&self) -> impl Iterator<Item = &Device> {
        let wanted: Vec<_> =
            self.wanted.profiles.iter().filter_map(|profile| self.device(profile)).map(|d| &d.path).collect();
        self.facts.usable().filter(move |device| {
            !wanted.contains(&&device.path) && !self.wanted.robot.contains(&device.interface)
        })
    }

    fn of_profile(&self, profile: &Profile, chosen: Option<&str>) -> UplinkView {
        let mut view = match self.device(profile) {
            Some(device) => self.of_device(device, profile.name.clone(), chosen),
            None => UplinkView {
                name: profile.name.clone(),
                interface: profile.interface.clone().unwrap_or_default(),
                state: UplinkState::Absent,
                chosen: false,
                metered: false,
                address: String::new(),
                text: missing(profile),
            },
        };
        view.metered = profile.metered;
        if profile.kind == UplinkKind::Lte {
            let modem = self.facts.modems.iter().find(|modem| {
                self.device(profile)
                    .is_none_or(|device| modem.port.is_empty() || modem.port == device.interface)
            });
            if let Some(modem) = modem {
                let pin = profile.secrets().any(|(_, key, _)| key == "pin");
                view.text = modem.text(pin, roams(profile));
            }
        }
        view
    }

    fn of_device(&self, device: &Device, name: String, chosen: Option<&str>) -> UplinkView {
        let global = device.addresses.iter().map(|(address, _)| address).next();
        let mut text = if device.usable() { String::new() } else { device.why().to_owned() };
        for (address, one, other) in self.facts.doubled() {
            if device.link == one || device.link == other {
                text = doubled_text(&address, &one, &other);
            }
        }
        UplinkView {
            name,
            interface: if device.link.is_empty() { device.interface.clone() } else { device.link.clone() },
            state: device.standing(),
            chosen: !device.link.is_empty() && chosen == Some(device.link.as_str()),
            metered: self.way_of(device).metered,
            address: global.map(ToString::to_string).unwrap_or_default(),
            text,
        }
    }
}

fn doubled_text(address: &IpAddr, one: &str, other: &str) -> String {
    format!(
        "{one} and {other} have the same address {address}: give one of them another, at its router or by `address`"
    )
}

fn missing(profile: &Profile) -> String {
    match (profile.kind, &profile.interface) {
        (UplinkKind::Wifi, _) => {
            "there is no Wi-Fi radio: is it plugged in, does the image have its firmware?".into()
        }
        (UplinkKind::Lte, _) => "there is no modem: is it plugged in, and has it power?".into(),
        (UplinkKind::Ethernet, Some(name)) => {
            format!("there is no interface {name}: is it plugged in, is [uplink.ethernet] interface right?")
        }
        (UplinkKind::Ethernet, None) => "there is no interface".into(),
    }
}

fn roams(profile: &Profile) -> bool {
    let home = profile.sections.get("gsm").and_then(|keys| keys.get("home-only"));
    home == Some(&crate::uplink::profile::Value::Flag(false))
}

fn words(state: UplinkState) -> &'static str {
    match state {
        UplinkState::Absent => "not there",
        UplinkState::Down => "down",
        UplinkState::Connecting => "coming up",
        UplinkState::Captive | UplinkState::Ready | UplinkState::Failing | UplinkState::Carrying => "up",
    }
}
