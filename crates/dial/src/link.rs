//! The uplink that a connection uses.

use std::net::IpAddr;

/// The properties of an uplink that a socket needs. The default is no particular uplink: the kernel's routes decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its interface; if empty, the kernel's routes decide.
    pub interface: String,
    /// Its name servers, if the caller knows them; they are then queried directly.
    pub name_servers: Option<Vec<IpAddr>>,
}

impl Link {
    /// The uplink of an interface; if empty, the kernel's routes decide.
    #[must_use]
    pub fn through(interface: &str) -> Self {
        Self { interface: interface.to_owned(), name_servers: None }
    }

    /// The interface, unless the kernel's routes decide.
    #[must_use]
    pub fn device(&self) -> Option<&[u8]> {
        Some(self.interface.as_bytes()).filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_interface_the_kernels_routes_decide() {
        assert_eq!(Link::default().device(), None);
        assert_eq!(Link::through("").device(), None);
        assert_eq!(Link::through("wlan0").device(), Some(&b"wlan0"[..]));
        assert_eq!(Link::through("wlan0").name_servers, None, "the caller does not know them");
    }
}
