//! What the kernel says of both sides. Data alone; [`gather`](super::gather) asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use robocast_config::Cidr;

use super::firewall::Standing;

/// Both sides as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Whether the robot's namespace is there. Without it the rest of what is inside is empty.
    pub namespace: bool,
    /// The box's own network.
    pub outside: Side,
    /// The robot's side.
    pub inside: Side,
    /// Kernel settings of the robot's side, by their path below `/proc/sys/net`: those that a plan sets.
    pub kernel: BTreeMap<String, String>,
    /// The firewall of the robot's side.
    pub firewall: Option<Standing>,
}

/// One network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Side {
    /// By name.
    pub links: BTreeMap<String, Link>,
    /// Unicast routes of every table but the kernel's own (`local`), and of the group table.
    pub routes: BTreeSet<Route>,
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// The kernel's number for it, one of its own in each namespace.
    pub index: u32,
    /// Hardware address.
    pub mac: Option<[u8; 6]>,
    /// Whether it speaks ethernet over a cable (or is a virtual one that does): no radio, no modem, no tunnel.
    pub ethernet: bool,
    /// What made it, when no hardware: `veth`, `bridge`...
    pub kind: Option<String>,
    /// Whether it is part of a bridge or bond.
    pub enslaved: bool,
    /// Whether it was switched on.
    pub up: bool,
    /// Whether a cable is in and the other end alive.
    pub carrier: bool,
    /// Further names, as udev gives them.
    pub aliases: BTreeSet<String>,
    /// Addresses with their networks.
    pub addresses: BTreeSet<Cidr>,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The network it leads to.
    pub to: Network,
    /// The interface it goes out at; none when there are several.
    pub interface: Option<String>,
    /// The router.
    pub gateway: Option<IpAddr>,
    /// Table: 254 is `main`.
    pub table: u32,
    /// Metric.
    pub priority: u32,
}

/// A network: an address whose host bits are 0. Ordered, so that facts are always told in one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    /// The first address.
    pub address: IpAddr,
    /// Length of its prefix in bits.
    pub prefix: u8,
}

/// The table `main`.
pub const MAIN: u32 = 254;

/// The groups of IPv4.
pub const GROUPS: Network = Network { address: IpAddr::V4(std::net::Ipv4Addr::new(224, 0, 0, 0)), prefix: 4 };

impl Network {
    /// The network of an address.
    #[must_use]
    pub fn of(cidr: Cidr) -> Self {
        let address = match cidr.address {
            IpAddr::V4(v4) => {
                let host = u32::MAX.checked_shr(cidr.prefix.into()).unwrap_or(0);
                IpAddr::V4((v4.to_bits() & !host).into())
            }
            IpAddr::V6(v6) => {
                let host = u128::MAX.checked_shr(cidr.prefix.into()).unwrap_or(0);
                IpAddr::V6((v6.to_bits() & !host).into())
            }
        };
        Self { address, prefix: cidr.prefix }
    }

    /// Whether it is all there is: a route to it is a default route.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_everything() {
            return f.write_str("everywhere");
        }
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Route {
    /// A route of the table `main`, straight out at an interface.
    #[must_use]
    pub fn onto(interface: &str, to: Network) -> Self {
        Self { to, interface: Some(interface.to_owned()), gateway: None, table: MAIN, priority: 0 }
    }
}

impl Side {
    /// The interface of a name, its own or a further one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Link> {
        self.links.get(name).or_else(|| self.links.values().find(|link| link.aliases.contains(name)))
    }

    /// The routes at an interface.
    pub fn at(&self, name: &str) -> impl Iterator<Item = &Route> {
        self.routes.iter().filter(move |route| route.interface.as_deref() == Some(name))
    }
}

impl Link {
    /// Whether it can go from one side to the other.
    #[must_use]
    pub fn movable(&self) -> bool {
        self.ethernet && !self.enslaved && self.name != "lo"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_no_host_bits() {
        for (cidr, network) in [
            ("192.168.50.10/24", "192.168.50.0/24"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3/32", "10.1.2.3/32"),
            ("10.1.2.3/0", "everywhere"),
            ("fd00::1:2/64", "fd00::/64"),
            ("fd00::1/0", "everywhere"),
        ] {
            assert_eq!(Network::of(cidr.parse().unwrap()).to_string(), network);
        }
    }
}
