//! One uplink, with the parts that a socket needs.

use robocast_dial::Link;
use std::net::IpAddr;

/// The way out through one uplink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// The interface to which sockets are bound.
    pub interface: String,
    /// Its name servers.
    pub dns: Vec<IpAddr>,
    /// Whether each byte costs money.
    pub metered: bool,
}

impl Egress {
    /// The same for a connection: names are resolved by the uplink's own name servers, whatever the system's resolver
    /// does.
    #[must_use]
    pub fn link(&self) -> Link {
        Link { interface: self.interface.clone(), name_servers: Some(self.dns.clone()) }
    }
}
