//! Names, asked through the uplink that a connection will go through: an address that another network gave may lead
//! nowhere here, and the name server of another uplink may be that of a login page, which lies.

use crate::dns;
use crate::link::Link;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use zbus::Connection;

/// Asks for the addresses of names. Clones share one connection to the bus.
#[derive(Clone, Debug, Default)]
pub struct Resolver {
    bus: Option<Arc<Mutex<Option<Connection>>>>,
}

/// systemd-resolved.
#[zbus::proxy(
    interface = "org.freedesktop.resolve1.Manager",
    default_service = "org.freedesktop.resolve1",
    default_path = "/org/freedesktop/resolve1"
)]
trait Resolved {
    /// The addresses of a name, as (interface, family, bytes); the name that they belong to; how they were found.
    #[allow(clippy::type_complexity)]
    fn resolve_hostname(
        &self,
        interface: i32,
        name: &str,
        family: i32,
        flags: u64,
    ) -> zbus::Result<(Vec<(i32, i32, Vec<u8>)>, String, u64)>;
}

impl Resolver {
    /// With systemd-resolved on the system bus, where it runs; else with the system's own way (`getaddrinfo`).
    #[must_use]
    pub fn with_system_bus() -> Self {
        Self { bus: Some(Arc::default()) }
    }

    /// Without D-Bus: the system's own way alone. It cannot choose an uplink.
    #[must_use]
    pub fn without_bus() -> Self {
        Self { bus: None }
    }

    /// The addresses of `host`, never empty. An address is its own.
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
            return Err(io::Error::new(ErrorKind::NotFound, "its name has no address"));
        }
        Ok(found)
    }

    /// What systemd-resolved says of the link's own name servers; none where it is not there, or the link has none.
    async fn ask_resolved(&self, host: &str, link: &Link) -> Option<io::Result<Vec<IpAddr>>> {
        const ANY_FAMILY: i32 = 0;
        let index = nix::net::if_::if_nametoindex(link.interface.as_str()).ok()?;
        let proxy = ResolvedProxy::new(&self.connection().await?).await.ok()?;
        match proxy.resolve_hostname(i32::try_from(index).ok()?, host, ANY_FAMILY, 0).await {
            Ok((addresses, _, _)) => {
                Some(Ok(addresses.iter().filter_map(|(_, _, bytes)| address(bytes)).collect()))
            }
            Err(zbus::Error::MethodError(name, text, _)) => {
                // It has nobody to ask: `/etc/hosts` and other sources of the system may still know.
                let nobody = ["NoNameServers", "NetworkDown"].iter().any(|end| name.ends_with(end));
                let own = name.starts_with("org.freedesktop.resolve1.") && !nobody;
                own.then(|| {
                    Err(io::Error::new(ErrorKind::NotFound, text.unwrap_or_else(|| name.to_string())))
                })
            }
            Err(error) => {
                tracing::debug!(%error, "systemd-resolved is not asked");
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

    /// The bus may have been restarted: the next question opens it again.
    fn forget_connection(&self) {
        if let Some(shared) = &self.bus {
            shared.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
        16 => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_is_its_own_name_whatever_the_link() {
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

    #[test]
    fn addresses_of_a_strange_length_are_none() {
        assert_eq!(address(&[127, 0, 0, 1]), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(address(&[0; 16]), Some(IpAddr::from([0; 16])));
        assert_eq!((address(&[]), address(&[1, 2, 3, 4, 5])), (None, None));
    }
}
