//! How an uplink's interface gets its address.

use std::net::IpAddr;

use crate::cidr::Cidr;
use crate::reader::{Reader, Section};
use crate::robot::ip;

/// A fixed address; DHCP when none is given.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Addressing {
    /// The address and its network.
    pub address: Option<Cidr>,
    /// The router, in the network of `address`.
    pub gateway: Option<IpAddr>,
    /// Name servers. With a fixed address they are the only ones; with DHCP they come before the server's.
    pub dns: Vec<IpAddr>,
}

impl Addressing {
    pub(crate) fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> Self {
        let example = "`address = \"192.168.8.20/24\"`";
        Self {
            address: reader.parsed(section, "address", example, str::parse),
            gateway: reader.parsed(section, "gateway", "`gateway = \"192.168.8.1\"`", ip),
            dns: reader.texts(section, "dns", "`dns = [\"192.168.8.1\"]`", ip),
        }
    }
}
