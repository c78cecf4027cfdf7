//! What is shown of the uplinks to people and on the bus. Pure.

use crate::uplink::desired::DesiredUplinks;
use crate::uplink::egress::Egress;
use crate::uplink::observed::{ObservedUplinks, UplinkDevice};
use crate::uplink::profile::{ProfileValue, UplinkProfile};
use robocast_bus::{UplinkState, UplinkStatus};
use robocast_config::UplinkKind;
use std::net::IpAddr;

/// The desired uplinks beside the observed ones.
#[derive(Clone, Copy, Debug)]
pub struct UplinkOverview<'a> {
    /// The desired state.
    pub desired: &'a DesiredUplinks,
    /// The observed state.
    pub observed: &'a ObservedUplinks,
}

impl<'a> UplinkOverview<'a> {
    /// The status of each uplink of the settings, in the order of preference, and of those that NetworkManager found
    /// without settings. `chosen` is the interface that carries the streams.
    #[must_use]
    pub fn statuses(&self, chosen: Option<&str>) -> Vec<UplinkStatus> {
        let configured = self.desired.profiles.iter().map(|profile| self.profile_status(profile, chosen));
        let found = self.found().map(|device| self.device_status(device, device.interface.clone(), chosen));
        configured.chain(found).collect()
    }

    /// The interfaces of the uplinks in the order of preference, each with whether it is up and has an address.
    #[must_use]
    pub fn links(&self) -> Vec<(String, bool)> {
        let mut links: Vec<(String, bool)> = Vec::new();
        let configured = self.desired.profiles.iter().filter_map(|profile| self.device(profile));
        for device in configured.chain(self.found()).filter(|device| !device.link.is_empty()) {
            if !links.iter().any(|(name, _)| *name == device.link) {
                links.push((device.link.clone(), device.usable()));
            }
        }
        links
    }

    /// The way out through an interface; none while it is not usable.
    #[must_use]
    pub fn egress(&self, interface: &str) -> Option<Egress> {
        let device =
            self.observed.devices.iter().find(|device| device.link == interface && device.usable())?;
        Some(self.egress_of(device))
    }

    /// The way out through a device.
    #[must_use]
    pub fn egress_of(&self, device: &UplinkDevice) -> Egress {
        let profile = self.desired.profiles.iter().find(|p| Some(&p.uuid) == device.profile.as_ref());
        Egress {
            interface: device.link.clone(),
            dns: device.dns.clone(),
            metered: profile.is_some_and(|profile| profile.metered),
        }
    }

    /// The problems, one line each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.observed.usable().next().is_none() {
            lines.push(format!("no uplink is up ({})", self.states()));
        }
        let with_problem = self
            .statuses(None)
            .into_iter()
            .filter(|status| status.state != UplinkState::Ready && !status.text.is_empty());
        lines.extend(with_problem.map(|status| format!("{}: {}", status.name, status.text)));
        lines
    }

    /// Problems that are no reason for a rollback.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let shared = self.observed.shared_addresses().into_iter();
        shared.map(|(address, one, other)| shared_address_text(&address, &one, &other)).collect()
    }

    /// Each uplink's state in a few words.
    #[must_use]
    pub fn states(&self) -> String {
        let statuses = self.statuses(None).into_iter();
        let states: Vec<_> =
            statuses.map(|status| format!("{} is {}", status.name, state_text(status.state))).collect();
        if states.is_empty() { "there is none".into() } else { states.join(", ") }
    }

    fn device(&self, profile: &UplinkProfile) -> Option<&'a UplinkDevice> {
        let device = self.observed.device_of(&profile.uuid, profile.kind, profile.interface.as_deref())?;
        // Another profile of ours is active on it.
        let taken = device.profile.as_ref().is_some_and(|active| {
            *active != profile.uuid && self.desired.profiles.iter().any(|other| other.uuid == *active)
        });
        (!taken).then_some(device)
    }

    /// Usable devices without a profile of the settings: an ethernet that NetworkManager brings up without one.
    fn found(&self) -> impl Iterator<Item = &'a UplinkDevice> {
        let configured: Vec<_> = self
            .desired
            .profiles
            .iter()
            .filter_map(|profile| self.device(profile))
            .map(|d| &d.path)
            .collect();
        let desired = self.desired;
        self.observed
            .usable()
            .filter(move |device| !configured.contains(&&device.path) && !desired.is_robots(device))
    }

    fn profile_status(&self, profile: &UplinkProfile, chosen: Option<&str>) -> UplinkStatus {
        let device = self.device(profile);
        let mut status = match device {
            Some(device) => self.device_status(device, profile.name.clone(), chosen),
            None => UplinkStatus {
                name: profile.name.clone(),
                interface: profile.interface.clone().unwrap_or_default(),
                state: UplinkState::Absent,
                text: missing_text(profile),
                ..UplinkStatus::default()
            },
        };
        status.metered = profile.metered;
        if profile.kind == UplinkKind::Lte {
            let modem = self.observed.modems.iter().find(|modem| {
                device.is_none_or(|device| modem.port.is_empty() || modem.port == device.interface)
            });
            if let Some(modem) = modem {
                let pin = profile.secrets().any(|(_, key, _)| key == "pin");
                status.text = modem.text(pin, allows_roaming(profile));
            }
        }
        status
    }

    fn device_status(&self, device: &UplinkDevice, name: String, chosen: Option<&str>) -> UplinkStatus {
        let address = device.addresses.iter().map(|(address, _)| address).next();
        let mut text = if device.usable() { String::new() } else { device.why().to_owned() };
        for (address, one, other) in self.observed.shared_addresses() {
            if device.link == one || device.link == other {
                text = shared_address_text(&address, &one, &other);
            }
        }
        UplinkStatus {
            name,
            interface: if device.link.is_empty() { device.interface.clone() } else { device.link.clone() },
            state: device.uplink_state(),
            chosen: !device.link.is_empty() && chosen == Some(device.link.as_str()),
            metered: self.egress_of(device).metered,
            address: address.map(ToString::to_string).unwrap_or_default(),
            text,
        }
    }
}

fn shared_address_text(address: &IpAddr, one: &str, other: &str) -> String {
    format!(
        "{one} and {other} have the same address {address}: give one of them another, at its router or by `address`"
    )
}

fn missing_text(profile: &UplinkProfile) -> String {
    match (profile.kind, &profile.interface) {
        (UplinkKind::Wifi, _) => {
            "there is no Wi-Fi radio: is it plugged in, does the image have its firmware?".into()
        }
        (UplinkKind::Lte, _) => "there is no modem: is it plugged in, does it have power?".into(),
        (UplinkKind::Ethernet, Some(name)) => {
            format!("there is no interface {name}: is it plugged in, is [uplink.ethernet] interface right?")
        }
        (UplinkKind::Ethernet, None) => "there is no interface".into(),
    }
}

fn allows_roaming(profile: &UplinkProfile) -> bool {
    let home_only = profile.sections.get("gsm").and_then(|keys| keys.get("home-only"));
    home_only == Some(&ProfileValue::Flag(false))
}

fn state_text(state: UplinkState) -> &'static str {
    match state {
        UplinkState::Absent => "not there",
        UplinkState::Down => "down",
        UplinkState::Connecting => "coming up",
        UplinkState::Captive | UplinkState::Ready | UplinkState::Failing | UplinkState::Carrying => "up",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uplink::observed::state;
    use crate::uplink::profile;

    fn device(interface: &str, profile: Option<&UplinkProfile>, address: &str) -> UplinkDevice {
        UplinkDevice {
            path: format!("/device/{interface}"),
            interface: interface.into(),
            link: interface.into(),
            kind: Some(UplinkKind::Ethernet),
            state: state::ACTIVATED,
            managed: true,
            addresses: vec![(address.parse().unwrap(), 24)],
            profile: profile.map(|profile| profile.uuid.clone()),
            ..UplinkDevice::default()
        }
    }

    #[test]
    fn uplinks_are_listed_in_the_order_of_the_settings_then_those_that_were_found() {
        let (first, second) = (profile::wired("one", "eth1", 0), profile::wired("two", "eth2", 1));
        let desired = DesiredUplinks {
            profiles: vec![first.clone(), second],
            robot: vec!["eth0".into()],
            ..DesiredUplinks::default()
        };
        let observed = ObservedUplinks {
            devices: vec![
                device("eth0", None, "10.0.0.1"),
                device("eth1", Some(&first), "10.1.0.1"),
                device("eth9", None, "10.9.0.1"),
            ],
            ..ObservedUplinks::default()
        };
        let overview = UplinkOverview { desired: &desired, observed: &observed };
        let shown: Vec<_> = overview
            .statuses(Some("eth1"))
            .into_iter()
            .map(|s| (s.name, s.interface, s.state, s.chosen, s.address))
            .collect();
        let expected = [
            ("ethernet eth1", "eth1", UplinkState::Ready, true, "10.1.0.1"),
            ("ethernet eth2", "eth2", UplinkState::Absent, false, ""),
            ("eth9", "eth9", UplinkState::Ready, false, "10.9.0.1"),
        ];
        let expected = expected.map(|(name, interface, state, chosen, address)| {
            (name.to_owned(), interface.to_owned(), state, chosen, address.to_owned())
        });
        assert_eq!(shown, expected, "the robot's interface is no uplink");
        assert_eq!(overview.links(), [("eth1".to_owned(), true), ("eth9".to_owned(), true)]);
        assert_eq!(overview.states(), "ethernet eth1 is up, ethernet eth2 is not there, eth9 is up");
        let problems = overview.problems();
        assert!(problems.len() == 1 && problems[0].contains("there is no interface eth2"), "{problems:?}");
    }

    #[test]
    fn two_uplinks_with_one_address_are_both_named() {
        let desired = DesiredUplinks::default();
        let devices = vec![device("eth1", None, "10.1.0.1"), device("eth2", None, "10.1.0.1")];
        let observed = ObservedUplinks { devices, ..ObservedUplinks::default() };
        let overview = UplinkOverview { desired: &desired, observed: &observed };
        let text = "eth1 and eth2 have the same address 10.1.0.1";
        assert!(overview.notes()[0].starts_with(text), "{:?}", overview.notes());
        assert!(overview.statuses(None).iter().all(|status| status.text.starts_with(text)));
    }

    #[test]
    fn without_an_uplink_that_is_said_and_nothing_leads_out() {
        let (desired, observed) = (DesiredUplinks::default(), ObservedUplinks::default());
        let overview = UplinkOverview { desired: &desired, observed: &observed };
        assert_eq!(overview.problems(), ["no uplink is up (there is none)"]);
        assert_eq!(overview.egress("eth1"), None);
    }
}
