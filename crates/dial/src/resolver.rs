//! Resolves names through the uplink that the connection will use. An address from another network may not be reachable
//! here, and the name server of another uplink may belong to a login page that gives false answers.

use crate::dns;
use crate::link::Link;
use robocast_system::ServiceError;
use robocast_system::resolved::{LookupError, Resolved};
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zbus::{Connection, connection};

/// Looks up the addresses of names. Clones share one connection to the bus.
#[derive(Clone, Debug, Default)]
pub struct Resolver {
    bus: Option<Arc<Bus>>,
}

/// The bus on which systemd-resolved is asked.
#[derive(Debug, Default)]
struct Bus {
    /// Where it is, if it is not the system's.
    address: Option<String>,
    connection: Mutex<Option<Connection>>,
}

impl Resolver {
    /// Uses systemd-resolved on the system bus if it runs, otherwise `getaddrinfo`.
    #[must_use]
    pub fn with_system_bus() -> Self {
        Self { bus: Some(Arc::default()) }
    }

    /// The same over a connection to the system bus that is there already. A lost one is replaced.
    #[must_use]
    pub fn over(bus: &Connection) -> Self {
        Self { bus: Some(Arc::new(Bus { address: None, connection: Mutex::new(Some(bus.clone())) })) }
    }

    /// Uses only `getaddrinfo`, which cannot choose an uplink.
    #[must_use]
    pub fn without_bus() -> Self {
        Self { bus: None }
    }

    /// The addresses of `host`, never empty. If `host` is an address, it is the only one.
    ///
    /// # Errors
    /// When no name server answers, or the name has no address. That there is no such name is `NotFound`, where
    /// systemd-resolved or a server of the link says so; `getaddrinfo` gives no kind.
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

    /// The answer of systemd-resolved, from the link's own name servers if the link has an interface; none if it does not run
    /// or no name server answers.
    async fn ask_resolved(&self, host: &str, link: &Link) -> Option<io::Result<Vec<IpAddr>>> {
        let bus = self.bus.as_ref()?;
        let interface = match link.interface.as_str() {
            "" => None,
            name => Some(nix::net::if_::if_nametoindex(name).ok()?),
        };
        let asked = async {
            let connection =
                bus.connection().await.map_err(ServiceError::Bus).map_err(LookupError::Service)?;
            let resolved = Resolved::on(&connection).await.map_err(LookupError::Service)?;
            resolved.resolve_hostname(interface, host).await
        };
        match asked.await {
            Ok(addresses) => Some(Ok(addresses)),
            Err(error @ LookupError::NoSuchName) => Some(Err(io::Error::new(ErrorKind::NotFound, error))),
            // The link may have no name server: `/etc/hosts` and other sources of the system may still know the name.
            Err(LookupError::NoAnswer(why)) => {
                tracing::debug!(host, link.interface, "no name server answers: {why}");
                None
            }
            Err(LookupError::Service(error)) => {
                tracing::debug!(%error, "cannot use systemd-resolved");
                bus.forget_connection();
                None
            }
        }
    }
}

impl Bus {
    async fn connection(&self) -> zbus::Result<Connection> {
        if let Some(connection) = self.shared().clone() {
            return Ok(connection);
        }
        let builder = match &self.address {
            Some(address) => connection::Builder::address(address.as_str()),
            None => connection::Builder::system(),
        };
        let connection = builder.build().await?;
        self.shared().replace(connection.clone());
        Ok(connection)
    }

    /// The bus may have been restarted: the next lookup connects again.
    fn forget_connection(&self) {
        self.shared().take();
    }

    fn shared(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use robocast_tests::bus::{self, Bus as TestBus};
    use robocast_tests::programs::have;
    use zbus::fdo;

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

    /// systemd-resolved, which knows one name: behind the loopback interface, and when it may ask everywhere.
    struct Resolver1;

    #[zbus::interface(name = "org.freedesktop.resolve1.Manager")]
    impl Resolver1 {
        #[expect(clippy::type_complexity, reason = "it is the interface's")]
        fn resolve_hostname(
            &self,
            interface: i32,
            name: &str,
            _family: i32,
            _flags: u64,
        ) -> fdo::Result<(Vec<(i32, i32, Vec<u8>)>, String, u64)> {
            let address = vec![192, 0, 2, u8::try_from(interface).unwrap()];
            match name {
                "live.example" => Ok((vec![(interface, 2, address)], name.into(), 1)),
                _ => Err(fdo::Error::ZBus(zbus::Error::Unsupported)),
            }
        }
    }

    async fn serve(bus: &TestBus) -> Connection {
        connection::Builder::address(bus.address().as_str())
            .name("org.freedesktop.resolve1")
            .serve_at("/org/freedesktop/resolve1", Resolver1)
            .build()
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn resolved_is_asked_through_the_interface_and_again_after_the_bus_restarted() {
        if !have(&bus::NEEDED) {
            return;
        }
        let mut bus = TestBus::start();
        let resolver = Resolver {
            bus: Some(Arc::new(Bus { address: Some(bus.address()), connection: Mutex::default() })),
        };
        let index = u8::try_from(nix::net::if_::if_nametoindex("lo").unwrap()).unwrap();
        let through = IpAddr::from([192, 0, 2, index]);
        let served = serve(&bus).await;
        assert_eq!(resolver.lookup("live.example", &Link::through("lo")).await.unwrap(), [through]);
        let anywhere = resolver.lookup("live.example", &Link::default()).await.unwrap();
        assert_eq!(anywhere, [IpAddr::from([192, 0, 2, 0])]);
        drop(served);
        bus.end();
        // Nobody answers: the system does not know the name either.
        assert!(resolver.lookup("live.example", &Link::through("lo")).await.is_err());
        bus.start_again();
        let _served = serve(&bus).await;
        assert_eq!(resolver.lookup("live.example", &Link::through("lo")).await.unwrap(), [through]);
    }
}
