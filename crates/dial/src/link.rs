//! The uplink that a connection goes through.

use std::net::IpAddr;

/// An uplink, as far as a socket needs it. The default is no uplink in particular: the kernel's routes decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its interface; empty: as the kernel routes.
    pub interface: String,
    /// Its name servers, where the caller knows them: they are asked directly then.
    pub name_servers: Option<Vec<IpAddr>>,
}

impl Link {
    /// The uplink of an interface; empty: as the kernel routes.
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
