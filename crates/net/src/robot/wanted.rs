//! What the settings want on the robot's side. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use robocast_config::{AllowedPort, Cidr, Dhcp, Protocol, RobotKind, Settings, Source};

use super::facts::Facts;

/// What is to stand on the robot's side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The interfaces that belong there, and the box's address on each. One without an address only receives groups.
    pub interfaces: BTreeMap<String, Option<Cidr>>,
    /// The interface on which DHCP is spoken, and how.
    pub dhcp: Option<(String, Dhcp)>,
    /// What the robot may reach on the box: the settings' exceptions, and the ports at which sources listen for RTP.
    pub openings: BTreeSet<AllowedPort>,
    /// The robot's own address.
    pub robot: Option<IpAddr>,
}

impl Wanted {
    /// What settings want. Without a robot on a wire, nothing.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let robot = &settings.robot;
        let uplink = settings.uplink.ethernet.as_ref().map(|ethernet| ethernet.interface.as_str());
        let takeable = |name: &str| name != "lo" && Some(name) != uplink;
        let leased = robot.dhcp == Dhcp::Client;
        let own = robot.own_address.filter(|own| robot.kind != RobotKind::None && !own.address.is_loopback());
        if robot.kind == RobotKind::None || !takeable(&robot.interface) || (own.is_none() && !leased) {
            return Self::default();
        }
        let mut interfaces = BTreeMap::new();
        for source in settings.streams.iter().map(|stream| &stream.source) {
            if let Some(name) = named(source).filter(|name| takeable(name)) {
                interfaces.insert(name.to_owned(), None);
            }
        }
        // The server's word decides where it is asked for; a network of everything is a default route.
        let fixed = own.filter(|own| !leased && own.prefix != 0);
        interfaces.insert(robot.interface.clone(), fixed);
        let heard = settings.streams.iter().filter_map(|stream| listens(&stream.source));
        Self {
            dhcp: (robot.dhcp != Dhcp::Off).then(|| (robot.interface.clone(), robot.dhcp)),
            openings: robot.allow.iter().copied().chain(heard).collect(),
            robot: robot.address,
            interfaces,
        }
    }

    /// The same with an address that a DHCP server gave; with none while there is no lease.
    #[must_use]
    pub fn leased(&self, lease: Option<Cidr>) -> Self {
        let mut with = self.clone();
        if let Some((name, Dhcp::Client)) = &self.dhcp {
            with.interfaces.insert(name.clone(), lease.filter(|lease| lease.prefix != 0));
        }
        with
    }

    /// The same with every interface under the name that the kernel has for it now: settings may use another of its names.
    #[must_use]
    pub fn resolved(&self, facts: &Facts) -> Self {
        let now = |name: &String| {
            let link = facts.inside.find(name).or_else(|| facts.outside.find(name));
            link.map_or_else(|| name.clone(), |link| link.name.clone())
        };
        let mut with = self.clone();
        // Written after the others, so that it stays: two names of one interface are one interface.
        let addressed = self.interfaces.iter().filter(|(_, own)| own.is_some());
        with.interfaces = self.interfaces.iter().map(|(name, own)| (now(name), *own)).collect();
        with.interfaces.extend(addressed.map(|(name, own)| (now(name), *own)));
        with.dhcp = self.dhcp.as_ref().map(|(name, dhcp)| (now(name), *dhcp));
        with
    }
}

fn named(source: &Source) -> Option<&str> {
    match source {
        Source::Go2 { interface } => interface.as_deref(),
        Source::Rtp(rtp) => rtp.interface.as_deref(),
        Source::Rtsp(rtsp) => rtsp.interface.as_deref(),
        _ => None,
    }
}

/// Where a source waits for datagrams that nobody asked for. Groups need no opening: see the firewall.
fn listens(source: &Source) -> Option<AllowedPort> {
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

    fn wanted(text: &str) -> Wanted {
        Wanted::of(&robocast_config::parse(format!("schema = 1\n{text}").as_bytes()).unwrap().settings)
    }

    fn shown(wanted: &Wanted) -> Vec<String> {
        let address = |own: &Option<Cidr>| own.map_or("-".into(), |own| own.to_string());
        wanted.interfaces.iter().map(|(name, own)| format!("{name} {}", address(own))).collect()
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
            assert_eq!(shown(&wanted(text)), interfaces, "{text}");
        }
    }

    #[test]
    fn what_the_robot_may_reach_are_the_exceptions_and_the_ports_that_sources_listen_at() {
        let text = "[robot]\nkind = \"go2\"\nallow = [\"tcp/554\", \"udp/53\"]\n\
             [[stream]]\nname = \"a\"\nsource = \"rtp://0.0.0.0:5004\"\n\
             [[stream]]\nname = \"b\"\nsource = \"rtp://230.1.1.1:1720\"\n";
        let openings: Vec<_> = wanted(text).openings.iter().map(ToString::to_string).collect();
        assert_eq!(openings, ["tcp/554", "udp/53", "udp/5004"]);
    }

    #[test]
    fn a_lease_counts_only_where_one_is_asked_for() {
        let lease = Some("10.0.0.7/24".parse().unwrap());
        let asks = wanted("[robot]\nkind = \"go2\"\ndhcp = \"client\"\n");
        assert_eq!(shown(&asks.leased(lease)), ["eth0 10.0.0.7/24"]);
        assert_eq!(shown(&asks.leased(Some("10.0.0.7/0".parse().unwrap()))), ["eth0 -"]);
        let fixed = wanted("[robot]\nkind = \"go2\"\n");
        assert_eq!(fixed.leased(lease), fixed);
    }
}
