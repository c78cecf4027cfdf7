//! The state of both sides as the kernel reports it. Only data; [`observe`](super::observe) reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use robocast_config::Cidr;

/// The state of both sides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservedRobotNetwork {
    /// Whether the robot's namespace exists. Without it, everything about the inside is empty.
    pub namespace: bool,
    /// The box's own network.
    pub outside: NamespaceState,
    /// The robot's side.
    pub inside: NamespaceState,
    /// Kernel settings of the robot's side, by their path below `/proc/sys/net`: those that a plan may set.
    pub kernel: BTreeMap<String, String>,
    /// The firewall of the robot's side.
    pub firewall: Option<LoadedFirewall>,
}

/// A loaded firewall, as far as it can be read back: its chains, and the comment of every rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadedFirewall(pub BTreeMap<String, FirewallChain>);

/// A chain at one of the kernel's hooks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FirewallChain {
    /// `input`, `forward` or `output`.
    pub hook: String,
    /// What happens to packets that no rule accepts: `drop`.
    pub policy: String,
    /// The comment of each rule, in order. The first one carries the digest of the whole ruleset.
    pub rules: Vec<String>,
}

/// One network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamespaceState {
    /// By name.
    pub links: BTreeMap<String, NetworkLink>,
    /// Unicast routes of every table but the kernel's own (`local`), and of the group table.
    pub routes: BTreeSet<IpRoute>,
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkLink {
    /// Its name.
    pub name: String,
    /// The kernel's number for it, a separate one in each namespace.
    pub index: u32,
    /// Hardware address.
    pub mac: Option<[u8; 6]>,
    /// Whether it is ethernet over a cable, or virtual ethernet: no radio, no modem, no tunnel.
    pub ethernet: bool,
    /// The driver's kind, of a virtual interface: `veth`, `bridge`...
    pub kind: Option<String>,
    /// Whether it is part of a bridge or bond.
    pub enslaved: bool,
    /// Whether it was switched on.
    pub up: bool,
    /// Whether a cable is plugged in and its other end is alive.
    pub carrier: bool,
    /// Alternative names (altname), as udev assigns them.
    pub aliases: BTreeSet<String>,
    /// Addresses with the prefixes of their networks.
    pub addresses: BTreeSet<Cidr>,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IpRoute {
    /// The network it leads to.
    pub to: IpNetwork,
    /// The outgoing interface; none when there are several.
    pub interface: Option<String>,
    /// The router.
    pub gateway: Option<IpAddr>,
    /// Table: 254 is `main`.
    pub table: u32,
    /// Metric.
    pub priority: u32,
}

/// A network: an address whose host bits are 0. Ordered, so that two observations compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IpNetwork {
    /// The first address.
    pub address: IpAddr,
    /// Length of its prefix in bits.
    pub prefix: u8,
}

/// The table `main`.
pub const MAIN: u32 = 254;

/// The multicast groups of IPv4.
pub const MULTICAST: IpNetwork =
    IpNetwork { address: IpAddr::V4(std::net::Ipv4Addr::new(224, 0, 0, 0)), prefix: 4 };

impl IpNetwork {
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

    /// Whether it contains every address: a route to it is a default route.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }
}

impl std::fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_everything() {
            return f.write_str("everywhere");
        }
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl IpRoute {
    /// A direct route of the table `main`, out at an interface.
    #[must_use]
    pub fn onto(interface: &str, to: IpNetwork) -> Self {
        Self { to, interface: Some(interface.to_owned()), gateway: None, table: MAIN, priority: 0 }
    }
}

impl NamespaceState {
    /// The interface with this name or alternative name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&NetworkLink> {
        self.links.get(name).or_else(|| self.links.values().find(|link| link.aliases.contains(name)))
    }

    /// The routes at an interface.
    pub fn at(&self, name: &str) -> impl Iterator<Item = &IpRoute> {
        self.routes.iter().filter(move |route| route.interface.as_deref() == Some(name))
    }
}

impl NetworkLink {
    /// Whether it can be moved from one side to the other.
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
            assert_eq!(IpNetwork::of(cidr.parse().unwrap()).to_string(), network);
        }
    }
}
