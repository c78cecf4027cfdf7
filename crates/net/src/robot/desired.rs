//! The state of the robot's side that the settings ask for. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use robocast_config::{AllowedPort, Cidr, Dhcp, Protocol, Settings, Source};

/// The desired state of the robot's side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DesiredRobotNetwork {
    /// The interfaces that belong there, and the box's address on each. One without an address only receives multicast.
    pub interfaces: BTreeMap<String, Option<Cidr>>,
    /// The interface on which DHCP runs, and in which role.
    pub dhcp: Option<(String, Dhcp)>,
    /// The ports of the box that the robot may reach: the settings' exceptions, and the ports on which sources receive RTP.
    pub openings: BTreeSet<AllowedPort>,
    /// The robot's own address.
    pub robot: Option<IpAddr>,
}

impl DesiredRobotNetwork {
    /// The state that the settings ask for. Without a robot on a cable, an empty one.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let Some(side) = settings.robot_side() else { return Self::default() };
        let received = settings.streams.iter().filter_map(|stream| receiving_port(&stream.source));
        let mut interfaces: BTreeMap<_, _> = side.others.into_iter().map(|name| (name, None)).collect();
        interfaces.insert(side.interface.clone(), side.own);
        Self {
            interfaces,
            dhcp: (side.dhcp != Dhcp::Off).then_some((side.interface, side.dhcp)),
            openings: settings.robot.allow.iter().copied().chain(received).collect(),
            robot: side.robot,
        }
    }

    /// The same with the address of a DHCP lease; without an address while there is no lease.
    #[must_use]
    pub fn leased(&self, lease: Option<Cidr>) -> Self {
        let mut with = self.clone();
        if let Some((name, Dhcp::Client)) = &self.dhcp {
            with.interfaces.insert(name.clone(), lease.filter(|lease| lease.prefix != 0));
        }
        with
    }
}

/// The port on which a source receives datagrams that it did not request. Multicast needs no opening: see the firewall.
fn receiving_port(source: &Source) -> Option<AllowedPort> {
    match source {
        Source::Rtp(rtp) if !rtp.address.is_multicast() => {
            Some(AllowedPort { protocol: Protocol::Udp, port: rtp.port })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desired(text: &str) -> DesiredRobotNetwork {
        DesiredRobotNetwork::of(
            &robocast_config::parse(format!("schema = 1\n{text}").as_bytes()).unwrap().settings,
        )
    }

    fn shown(desired: &DesiredRobotNetwork) -> Vec<String> {
        let address = |own: &Option<Cidr>| own.map_or("-".into(), |own| own.to_string());
        desired.interfaces.iter().map(|(name, own)| format!("{name} {}", address(own))).collect()
    }

    #[test]
    fn the_robots_interface_has_the_address_and_those_of_sources_have_none() {
        for (text, interfaces) in [
            ("", &[][..]),
            ("[robot]\nkind = \"spot\"\n", &["eth0 192.168.50.10/24"]),
            ("[robot]\nkind = \"go2\"\ninterface = \"end0\"\n", &["end0 192.168.123.222/24"]),
            ("[robot]\nkind = \"go2\"\naddress = \"127.0.0.1\"\n", &[]),
            ("[robot]\nkind = \"go2\"\ninterface = \"lo\"\n", &[]),
            ("[robot]\nkind = \"go2\"\ndhcp = \"client\"\n", &["eth0 -"]),
            (
                "[robot]\nkind = \"go2\"\n[[stream]]\nname = \"a\"\nsource = \"go2:?interface=eth1\"\n\
                 [[stream]]\nname = \"b\"\nsource = \"rtp://230.1.1.1:1720?interface=lo\"\n\
                 [[stream]]\nname = \"c\"\nsource = \"rtsp://10.0.0.3/a?interface=eth2\"\n",
                &["eth0 192.168.123.222/24", "eth1 -", "eth2 -"],
            ),
            (
                "[robot]\nkind = \"go2\"\n[uplink.ethernet]\ninterface = \"eth1\"\n\
                 [[stream]]\nname = \"a\"\nsource = \"go2:?interface=eth1\"\n",
                &["eth0 192.168.123.222/24"],
            ),
        ] {
            assert_eq!(shown(&desired(text)), interfaces, "{text}");
        }
    }

    #[test]
    fn the_robot_may_reach_the_exceptions_and_the_ports_on_which_sources_receive() {
        let text = "[robot]\nkind = \"go2\"\nallow = [\"tcp/554\", \"udp/53\"]\n\
             [[stream]]\nname = \"a\"\nsource = \"rtp://0.0.0.0:5004\"\n\
             [[stream]]\nname = \"b\"\nsource = \"rtp://230.1.1.1:1720\"\n";
        let openings: Vec<_> = desired(text).openings.iter().map(ToString::to_string).collect();
        assert_eq!(openings, ["tcp/554", "udp/53", "udp/5004"]);
    }

    #[test]
    fn a_lease_counts_only_where_one_is_asked_for() {
        let lease = Some("10.0.0.7/24".parse().unwrap());
        let asks = desired("[robot]\nkind = \"go2\"\ndhcp = \"client\"\n");
        assert_eq!(shown(&asks.leased(lease)), ["eth0 10.0.0.7/24"]);
        assert_eq!(shown(&asks.leased(Some("10.0.0.7/0".parse().unwrap()))), ["eth0 -"]);
        let fixed = desired("[robot]\nkind = \"go2\"\n");
        assert_eq!(fixed.leased(lease), fixed);
    }
}
