//! The state of the uplinks that the settings ask for. Pure.

use crate::uplink::observed::UplinkDevice;
use crate::uplink::profile::{self, UplinkProfile};
use robocast_config::{RobotSide, Settings, SinkUrl, UplinkKind};
use std::path::{Path, PathBuf};

/// A server of the streams.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProbeTarget {
    /// Name or address.
    pub host: String,
    /// Its TCP port; none where it is reached over UDP.
    pub port: Option<u16>,
}

/// The desired state of the uplinks.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DesiredUplinks {
    /// The profiles, in the order of preference. None: NetworkManager brings up any ethernet by DHCP without one.
    pub profiles: Vec<UplinkProfile>,
    /// The robot's interfaces, which NetworkManager leaves alone.
    pub robot: Vec<String>,
    /// The country whose radio rules apply.
    pub country: Option<String>,
    /// The folder of the certificates.
    pub folder: PathBuf,
    /// The page that probes ask for, if the settings name one.
    pub probe: Option<robocast_config::Url>,
    /// The servers of the streams.
    pub targets: Vec<ProbeTarget>,
}

impl DesiredUplinks {
    /// The state that `settings` ask for; `state` is the folder that survives a reboot.
    #[must_use]
    pub fn of(settings: &Settings, state: &Path) -> Self {
        let uplink = &settings.uplink;
        let folder = state.join("uplink");
        // An uplink that is configured but not in the order is not used.
        let mut profiles = Vec::new();
        for (place, kind) in uplink.order.iter().enumerate() {
            match kind {
                UplinkKind::Wifi => profiles.extend(
                    uplink.wifi.iter().enumerate().map(|(n, wifi)| profile::wifi(wifi, n, place, &folder)),
                ),
                UplinkKind::Lte => profiles.extend(uplink.lte.iter().map(|lte| profile::lte(lte, place))),
                UplinkKind::Ethernet => {
                    profiles.extend(uplink.ethernet.iter().map(|wire| profile::ethernet(wire, place)));
                }
            }
        }
        let mut targets: Vec<_> =
            settings.streams.iter().flat_map(|stream| &stream.push).map(target).collect();
        targets.sort();
        targets.dedup();
        Self {
            profiles,
            robot: settings.robot_side().iter().flat_map(RobotSide::interfaces).map(str::to_owned).collect(),
            country: uplink.wifi.iter().find_map(|wifi| wifi.country.clone()),
            folder,
            probe: uplink.probe.clone(),
            targets,
        }
    }

    /// Whether a device is on the robot's side, so that it is no uplink. A radio or modem never is, whatever names it.
    #[must_use]
    pub fn is_robots(&self, device: &UplinkDevice) -> bool {
        let cable = !matches!(device.kind, Some(UplinkKind::Wifi | UplinkKind::Lte));
        cable && self.robot.contains(&device.interface)
    }
}

fn target(sink: &SinkUrl) -> ProbeTarget {
    ProbeTarget { host: sink.target.host().to_owned(), port: sink.target.tcp_port() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desired(text: &str) -> DesiredUplinks {
        let checked = robocast_config::parse(format!("schema = 1\n{text}").as_bytes());
        DesiredUplinks::of(&checked.unwrap_or_else(|e| panic!("{text}\n{e}")).settings, Path::new("/state"))
    }

    #[test]
    fn what_the_robots_side_takes_is_no_uplink_and_a_radio_always_is() {
        let text = "[robot]\nkind = \"go2\"\n[[stream]]\nname = \"a\"\nsource = \"go2:?interface=eth1\"\n\
             [[stream]]\nname = \"b\"\nsource = \"rtsp://10.0.0.3/a?interface=wlan0\"\n";
        let desired = desired(text);
        for (interface, kind, robots) in [
            ("eth0", UplinkKind::Ethernet, true),
            ("eth1", UplinkKind::Ethernet, true),
            ("eth2", UplinkKind::Ethernet, false),
            ("wlan0", UplinkKind::Wifi, false),
        ] {
            let device =
                UplinkDevice { interface: interface.into(), kind: Some(kind), ..UplinkDevice::default() };
            assert_eq!(desired.is_robots(&device), robots, "{interface}");
        }
    }

    #[test]
    fn every_server_of_the_streams_is_probed_once() {
        let text = "[[stream]]\nname = \"a\"\nsource = \"test:\"\npush = [\"rtmp://b.example/app/key\", \
             \"srt://a.example:8890\", \"rtmp://b.example/app/other\"]\n";
        let targets: Vec<_> = desired(text).targets.into_iter().map(|t| (t.host, t.port)).collect();
        assert_eq!(targets, [("a.example".to_owned(), None), ("b.example".into(), Some(1935))]);
    }
}
