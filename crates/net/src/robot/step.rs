//! One change on the robot's side, and its description.

use std::fmt;

use robocast_config::Cidr;

use super::firewall::Ruleset;
use super::observed::{IpRoute, MULTICAST};

/// A change. Interfaces have the names that they have on the robot's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RobotStep {
    /// Creates the robot's namespace.
    CreateNamespace,
    /// Sets a kernel setting of the robot's side: its path below `/proc/sys/net`, and its value.
    SetKernel(String, String),
    /// Loads the firewall of the robot's side, in place of the loaded one.
    LoadFirewall(Ruleset),
    /// Moves an interface in from the box's own network.
    MoveIn(String),
    /// Moves an interface back out.
    MoveOut(String),
    /// Removes an address.
    RemoveAddress(String, Cidr),
    /// Adds an address.
    AddAddress(String, Cidr),
    /// Switches an interface on.
    SwitchOn(String),
    /// Switches an interface off.
    SwitchOff(String),
    /// Removes a route.
    RemoveRoute(IpRoute),
    /// Adds a route.
    AddRoute(IpRoute),
}

impl fmt::Display for RobotStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateNamespace => f.write_str("create the robot's side"),
            Self::SetKernel(key, value) => write!(f, "set {} to {value} there", key.replace('/', ".")),
            Self::LoadFirewall(_) => f.write_str("load the firewall of the robot's side"),
            Self::MoveIn(name) => write!(f, "move {name} to the robot's side"),
            Self::MoveOut(name) => write!(f, "move {name} back to the box's own network"),
            Self::RemoveAddress(name, address) => write!(f, "remove the address {address} from {name}"),
            Self::AddAddress(name, address) => write!(f, "give {name} the address {address}"),
            Self::SwitchOn(name) => write!(f, "switch {name} on"),
            Self::SwitchOff(name) => write!(f, "switch {name} off"),
            Self::RemoveRoute(route) => write!(f, "remove the route {}", RouteText(route)),
            Self::AddRoute(route) => write!(f, "add the route {}", RouteText(route)),
        }
    }
}

/// A route as people read it.
struct RouteText<'r>(&'r IpRoute);

impl fmt::Display for RouteText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IpRoute { to, interface, gateway, .. } = self.0;
        match *to == MULTICAST {
            true => f.write_str("to the multicast groups")?,
            false => write!(f, "to {to}")?,
        }
        if let Some(interface) = interface {
            write!(f, " at {interface}")?;
        }
        gateway.map_or(Ok(()), |gateway| write!(f, " through {gateway}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robot::observed::IpNetwork;

    #[test]
    fn a_step_reads_as_an_order() {
        let own: Cidr = "10.0.0.10/24".parse().unwrap();
        let default = IpNetwork::of("0.0.0.0/0".parse().unwrap());
        let through =
            IpRoute { gateway: Some("10.0.0.1".parse().unwrap()), ..IpRoute::onto("eth0", default) };
        for (step, text) in [
            (RobotStep::SetKernel("ipv4/ip_forward".into(), "0".into()), "set ipv4.ip_forward to 0 there"),
            (RobotStep::AddAddress("eth0".into(), own), "give eth0 the address 10.0.0.10/24"),
            (RobotStep::RemoveAddress("eth0".into(), own), "remove the address 10.0.0.10/24 from eth0"),
            (
                RobotStep::AddRoute(IpRoute::onto("eth0", MULTICAST)),
                "add the route to the multicast groups at eth0",
            ),
            (RobotStep::RemoveRoute(through), "remove the route to everywhere at eth0 through 10.0.0.1"),
        ] {
            assert_eq!(step.to_string(), text);
        }
    }
}
