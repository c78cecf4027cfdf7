//! Rules for the wire to the robot.

use super::{Rules, neighbour};
use crate::robot::{Dhcp, Robot};

impl Rules<'_> {
    /// Checks the settings of the robot's side of the network.
    pub(super) fn wire(&mut self, robot: &Robot) {
        const DHCP: &str = "robot.dhcp";
        const OWN: &str = "robot.own_address";
        for (number, opening) in robot.allow.iter().enumerate() {
            if robot.allow[..number].contains(opening) {
                let path = format!("robot.opening.{number}");
                self.error(&path, format!("`{opening}` is given twice"), "remove one of the two");
            }
        }
        let Some(own) = robot.own_address.filter(|_| self.is_valid(&[OWN])) else {
            if robot.dhcp == Dhcp::Server && self.is_valid(&[DHCP, OWN, "robot.kind"]) {
                let hint =
                    "add own_address = \"192.168.50.10/24\", or another address in the robot's network";
                self.error(DHCP, "a DHCP server needs an address of its own", hint);
            }
            return;
        };
        // A wider network would be a route to everywhere.
        let least = if own.address.is_ipv4() { 8 } else { 16 };
        if own.prefix < least && !own.address.is_loopback() {
            let hint =
                format!("write a prefix length of {least} or more, such as \"{}\"", neighbour(own.address));
            self.error(OWN, format!("{own} is wider than any robot's network"), hint);
        } else if robot.dhcp == Dhcp::Server && self.is_valid(&[DHCP]) {
            if !own.address.is_ipv4() {
                let hint = "give own_address as IPv4, such as \"192.168.50.10/24\", or leave `dhcp` out";
                self.error(DHCP, "the DHCP server gives out IPv4 addresses only", hint);
            } else if own.prefix > 29 {
                let hint = "give own_address a prefix length of 29 or less, such as \"192.168.50.10/24\"";
                self.error(DHCP, format!("{own} leaves a DHCP server no addresses to give out"), hint);
            }
        }
    }
}
