//! Resolves names through the uplink that the connection will use. An address from another network may not be reachable
//! here, and the name server of another uplink may belong to a login page that gives false answers.

use crate::dns;
use crate::link::Link;
use robocast_system::resolved::{LookupError, Resolved};
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use zbus::Connection;

/// Looks up the addresses of names. Clones share one connection to the bus.
#[derive(Clone, Debug, Default)]
pub struct Resolver {
    bus: Option<Arc<Mutex<Option<Connection>>>>,
}

impl Resolver {
    /// Uses systemd-resolved on the system bus if it runs, otherwise `getaddrinfo`.
    #[must_use]
    pub fn with_system_bus() -> Self {
        Self { bus: Some(Arc::default()) }
    }

    /// Uses only `getaddrinfo`, which cannot choose an uplink.
    #[must_use]
    pub fn without_bus() -> Self {
        Self { bus: None }
    }

    /// The addresses of `host`, never empty. If `host` is an address, it is the only one.
    ///
    /// # Errors
    /// When no name server answers, or the name has no address.
    pub async fn lookup(&self, host: &str, link: &Link) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let found = if let Some(servers) = &link.name_servers {
            dns::ask(link, servers, host).await?
        } else if let Some(answer) = self.ask_resolved(host, link).await {
            answer?
        } else {
            tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()
        };
        if found.is_empty() {
            return Err(io::Error::new(ErrorKind::NotFound, "the name has no address"));
        }
        Ok(found)
    }

    /// The answer of systemd-resolved from the link's own name servers; none if it does not run or the link has no name
    /// servers.
    async fn ask_resolved(&self, host: &str, link: &Link) -> Option<io::Result<Vec<IpAddr>>> {
        let index = nix::net::if_::if_nametoindex(link.interface.as_str()).ok()?;
        let resolved = Resolved::on(&self.connection().await?).await.ok()?;
        match resolved.resolve_hostname(Some(index), host).await {
            Ok(addresses) => Some(Ok(addresses)),
            Err(error @ LookupError::NoSuchName) => Some(Err(io::Error::new(ErrorKind::NotFound, error))),
            // The link may have no name server: `/etc/hosts` and other sources of the system may still know the name.
            Err(LookupError::NoAnswer(why)) => {
                tracing::debug!(host, link.interface, "no name server answers: {why}");
                None
            }
            Err(LookupError::Service(error)) => {
                tracing::debug!(%error, "cannot use systemd-resolved");
                self.forget_connection();
                None
            }
        }
    }

    async fn connection(&self) -> Option<Connection> {
        let shared = self.bus.as_ref()?;
        if let Some(bus) = shared.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Some(bus);
        }
        let bus = Connection::system().await.ok()?;
        shared.lock().unwrap_or_else(PoisonError::into_inner).replace(bus.clone());
        Some(bus)
    }

    /// The bus may have been restarted: the next lookup connects again.
    fn forget_connection(&self) {
        if let Some(shared) = &self.bus {
            shared.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_needs_no_lookup_whatever_the_link() {
        for (host, address) in [("192.0.2.7", "192.0.2.7"), ("::1", "::1")] {
            let found = Resolver::without_bus().lookup(host, &Link::through("nowhere0")).await.unwrap();
            assert_eq!(found, [address.parse::<IpAddr>().unwrap()]);
        }
    }

    #[tokio::test]
    async fn without_resolved_the_system_is_asked() {
        let found = Resolver::without_bus().lookup("localhost", &Link::through("lo")).await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty(), "{found:?}");
    }

    #[tokio::test]
    async fn an_uplink_without_a_name_server_says_what_to_add() {
        let link = Link { interface: "lo".into(), name_servers: Some(Vec::new()) };
        let error = Resolver::without_bus().lookup("live.example.net", &link).await.unwrap_err();
        assert!(error.to_string().contains("add `dns`"), "{error}");
    }
}
