//! One change on the robot's side, and how it is told.

use std::fmt;

use robocast_config::Cidr;

use super::facts::Route;
use super::firewall::Ruleset;

/// A change. Interfaces are named as they are called on the robot's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Makes the robot's namespace.
    Make,
    /// Sets a kernel setting of the robot's side: its path below `/proc/sys/net`, and its value.
    Set(String, String),
    /// Loads the firewall of the robot's side, in place of the one there.
    Guard(Ruleset),
    /// Moves an interface out of the box's own network.
    Take(String),
    /// Moves an interface back.
    GiveBack(String),
    /// Takes an address away.
    Forget(String, Cidr),
    /// Gives an address.
    Address(String, Cidr),
    /// Switches an interface on.
    Up(String),
    /// Switches an interface off.
    Down(String),
    /// Removes a route.
    Unroute(Route),
    /// Adds a route.
    Route(Route),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make => f.write_str("make the robot's side"),
            Self::Set(key, value) => write!(f, "set {} to {value} there", key.replace('/', ".")),
            Self::Guard(_) => f.write_str("put the firewall of the robot's side up"),
            Self::Take(name) => write!(f, "move {name} to the robot's side"),
            Self::GiveBack(name) => write!(f, "move {name} back to the box's own network"),
            Self::Forget(name, address) => write!(f, "take {address} away from {name}"),
            Self::Address(name, address) => write!(f, "give {name} the address {address}"),
            Self::Up(name) => write!(f, "switch {name} on"),
            Self::Down(name) => write!(f, "switch {name} off"),
            Self::Unroute(route) => write!(f, "remove the way {}", Way(route)),
            Self::Route(route) => write!(f, "add the way {}", Way(route)),
        }
    }
}

/// A route in words.
struct Way<'r>(&'r Route);

impl fmt::Display for Way<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Route { to, interface, gateway, .. } = self.0;
        match to == &super::facts::GROUPS {
            true => f.write_str("to the groups")?,
            false => write!(f, "to {to}")?,
        }
        if let Some(interface) = interface {
            write!(f, " at {interface}")?;
        }
        gateway.map_or(Ok(()), |gateway| write!(f, " by {gateway}"))
    }
}
