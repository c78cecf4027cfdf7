//! What the settings want of the uplinks. Pure.

use crate::uplink::profile::{self, Profile};
use robocast_config::{RobotKind, Settings, SinkUrl, UplinkKind};
use std::path::{Path, PathBuf};

/// A server that the streams go to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// Name or address.
    pub host: String,
    /// TCP port; none where it is reached over UDP.
    pub port: Option<u16>,
}

/// What the settings want.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The profiles, in the order of preference. None: NetworkManager takes any ethernet by DHCP, of its own.
    pub profiles: Vec<Profile>,
    /// Interfaces that are the robot's, which NetworkManager leaves alone.
    pub robot: Vec<String>,
    /// Whose radio rules apply.
    pub country: Option<String>,
    /// Where certificates lie.
    pub folder: PathBuf,
    /// The page that is asked for through an uplink, as written.
    pub probe: Option<robocast_config::Url>,
    /// The servers that the streams go to.
    pub targets: Vec<Target>,
}

impl Wanted {
    /// What `settings` want; `state` is the folder that outlives a reboot.
    #[must_use]
    pub fn of(settings: &Settings, state: &Path) -> Self {
        let uplink = &settings.uplink;
        let folder = state.join("uplink");
        // What is configured but not in the order is not used.
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
        let wired = settings.robot.kind != RobotKind::None || settings.robot.own_address.is_some();
        let mut targets: Vec<_> =
            settings.streams.iter().flat_map(|stream| &stream.push).map(target).collect();
        targets.sort();
        targets.dedup();
        Self {
            profiles,
            robot: wired.then(|| settings.robot.interface.clone()).into_iter().collect(),
            country: uplink.wifi.iter().find_map(|wifi| wifi.country.clone()),
            folder,
            probe: uplink.probe.clone(),
            targets,
        }
    }
}

fn target(sink: &SinkUrl) -> Target {
    Target { host: sink.target.host().to_owned(), port: sink.target.tcp_port() }
}
