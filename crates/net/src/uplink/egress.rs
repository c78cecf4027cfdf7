//! One uplink, as far as a socket needs to know it.

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
