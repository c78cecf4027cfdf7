//! Which interfaces belong to the robot's side of the box, and which sources are reached there. The network program,
//! NetworkManager's profiles, systemd's units and the checks of the settings all use this one rule.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::cidr::Cidr;
use crate::robot::{Dhcp, Robot};
use crate::settings::Settings;
use crate::source::Source;

/// The robot's side: the wire to the robot, and the other interfaces that sources name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RobotSide {
    /// The interface of `[robot]`.
    pub interface: String,
    /// The box's own address there; none if a DHCP server of the robot assigns it.
    pub own: Option<Cidr>,
    /// How addresses are assigned on the wire.
    pub dhcp: Dhcp,
    /// The robot's own address.
    pub robot: Option<IpAddr>,
    /// Other interfaces that sources name. They have no address and only receive.
    pub others: BTreeSet<String>,
}

impl Robot {
    /// Whether there is a wire to the robot: the box has an address on it, or requests one. A robot on the loopback (a
    /// simulator) has no wire.
    pub(crate) fn is_wired(&self) -> bool {
        self.interface != "lo" && (self.dhcp == Dhcp::Client || self.wire_address().is_some())
    }

    /// The box's own address on the wire, unless the interface is the loopback.
    fn wire_address(&self) -> Option<Cidr> {
        self.own_address.filter(|own| !own.address.is_loopback())
    }
}

impl Settings {
    /// The robot's side; none without a wire to a robot. The interface of `[uplink.ethernet]` never belongs to it.
    pub fn robot_side(&self) -> Option<RobotSide> {
        let robot = &self.robot;
        let uplink = self.uplink.ethernet.as_ref().map(|ethernet| ethernet.interface.as_str());
        let takeable = |name: &str| name != "lo" && Some(name) != uplink;
        if !robot.is_wired() || !takeable(&robot.interface) {
            return None;
        }
        let named = self.streams.iter().filter_map(|stream| stream.source.interface());
        Some(RobotSide {
            interface: robot.interface.clone(),
            // With a prefix length of 0 the address would be a default route.
            own: robot.wire_address().filter(|own| robot.dhcp != Dhcp::Client && own.prefix != 0),
            dhcp: robot.dhcp,
            robot: robot.address,
            others: named
                .filter(|&name| takeable(name) && name != robot.interface)
                .map(str::to_owned)
                .collect(),
        })
    }
}

impl RobotSide {
    /// Every interface of the robot's side, that of `[robot]` first.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.interface.as_str()).chain(self.others.iter().map(String::as_str))
    }

    /// Whether `source` is reached on the robot's side. If the source names an interface, only that decides. Without one,
    /// the robot's own sources, every multicast group and addresses of the robot's network are there. If a DHCP server
    /// assigns the network, it is not known in advance: then the robot's address and every private address are there.
    pub fn reaches(&self, source: &Source) -> bool {
        if let Some(name) = source.interface() {
            return self.interfaces().any(|interface| interface == name);
        }
        match source {
            Source::Spot | Source::Go2 { .. } => true,
            Source::Rtp(rtp) => rtp.address.is_multicast() || self.holds(rtp.address),
            // Only the host is used, which is no secret.
            Source::Rtsp(rtsp) => {
                let host = rtsp.url.expose().host_str().unwrap_or_default();
                host.trim_matches(['[', ']']).parse().is_ok_and(|address| self.holds(address))
            }
            Source::V4l2 { .. }
            | Source::Libcamera { .. }
            | Source::Argus { .. }
            | Source::Test { .. }
            | Source::File { .. } => false,
        }
    }

    fn holds(&self, address: IpAddr) -> bool {
        match self.own {
            Some(own) => own.contains(address),
            None => self.robot == Some(address) || is_private(address),
        }
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(text: &str) -> Option<RobotSide> {
        crate::parse(format!("schema = 1\n{text}").as_bytes())
            .unwrap_or_else(|e| panic!("{text}\n{e}"))
            .settings
            .robot_side()
    }

    /// The interfaces, and the box's address on the first.
    fn shown(text: &str) -> String {
        side(text).map_or("-".to_owned(), |side| {
            let own = side.own.map_or("leased".to_owned(), |own| own.to_string());
            format!("{} {own}", side.interfaces().collect::<Vec<_>>().join(" "))
        })
    }

    #[test]
    fn the_robots_side_exists_when_the_box_has_or_requests_an_address_on_its_wire() {
        for (text, expected) in [
            ("", "-"),
            ("[robot]\nkind = \"spot\"\n", "eth0 192.168.50.10/24"),
            ("[robot]\nkind = \"go2\"\ninterface = \"end0\"\n", "end0 192.168.123.222/24"),
            // A simulator on the loopback leaves the interface to anybody.
            ("[robot]\nkind = \"go2\"\naddress = \"127.0.0.1\"\n", "-"),
            ("[robot]\nkind = \"go2\"\ninterface = \"lo\"\n", "-"),
            ("[robot]\nkind = \"go2\"\ndhcp = \"client\"\n", "eth0 leased"),
            // Another robot, for which the settings only give an address.
            ("[robot]\nkind = \"none\"\nown_address = \"10.0.0.2/24\"\n", "eth0 10.0.0.2/24"),
            ("[robot]\nkind = \"none\"\ndhcp = \"client\"\n", "eth0 leased"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn interfaces_that_sources_name_belong_to_it_except_an_uplink_and_the_loopback() {
        let stream =
            |name: &str, source: &str| format!("[[stream]]\nname = \"{name}\"\nsource = \"{source}\"\n");
        let streams = stream("a", "go2:?interface=eth1")
            + &stream("b", "rtp://230.1.1.1:1720?interface=lo")
            + &stream("c", "rtsp://10.0.0.3/a?interface=eth2")
            + &stream("d", "go2:?interface=eth0");
        assert_eq!(
            shown(&format!("[robot]\nkind = \"go2\"\n{streams}")),
            "eth0 eth1 eth2 192.168.123.222/24"
        );
        let uplink = "[uplink.ethernet]\ninterface = \"eth1\"\n";
        assert_eq!(
            shown(&format!("[robot]\nkind = \"go2\"\n{uplink}{streams}")),
            "eth0 eth2 192.168.123.222/24"
        );
    }

    #[test]
    fn a_source_is_reached_on_the_robots_side_by_its_interface_its_kind_or_its_address() {
        let reached = |robot: &str, source: &str| {
            let text = format!("[robot]\n{robot}\n[[stream]]\nname = \"a\"\nsource = \"{source}\"\n");
            let settings = crate::parse(format!("schema = 1\n{text}").as_bytes())
                .unwrap_or_else(|e| panic!("{text}\n{e}"))
                .settings;
            settings.robot_side().unwrap().reaches(&settings.streams[0].source)
        };
        let go2 = "kind = \"go2\"";
        let leased = "kind = \"none\"\ndhcp = \"client\"\naddress = \"203.0.113.9\"";
        for (robot, source, there) in [
            (go2, "go2:", true),
            (go2, "rtp://230.1.1.1:1720", true),
            (go2, "rtp://192.168.123.161:5004", true),
            (go2, "rtp://10.0.0.1:5004", false),
            (go2, "rtsp://192.168.123.161/a", true),
            (go2, "rtsp://192.168.123.161/a?interface=wlan0", true),
            (go2, "rtsp://10.0.0.3/a", false),
            (go2, "rtsp://camera.example.net/a", false),
            (go2, "rtsp://10.0.0.3/a?interface=eth0", true),
            (go2, "v4l2:/dev/video0", false),
            // The network comes with the lease.
            (leased, "rtsp://10.0.0.3/a", true),
            (leased, "rtsp://[fd00::3]/a", true),
            (leased, "rtsp://169.254.7.7/a", true),
            (leased, "rtsp://203.0.113.9/a", true),
            (leased, "rtsp://203.0.113.10/a", false),
            (leased, "rtsp://camera.example.net/a", false),
        ] {
            assert_eq!(reached(robot, source), there, "{robot} {source}");
        }
    }
}
