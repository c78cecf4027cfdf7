//! systemd-resolved (`org.freedesktop.resolve1.Manager`, as in org.freedesktop.resolve1(5)).

use crate::ServiceError;
use std::net::IpAddr;
use zbus::{Connection, fdo};

const RESOLVED: &str = "systemd-resolved";
/// The start of the name of an error that a name server answered with.
const DNS_ERROR: &str = "org.freedesktop.resolve1.DnsError.";
/// Any family of addresses (`AF_UNSPEC`).
const ANY_FAMILY: i32 = 0;
/// The default flags: every protocol, every source.
const NO_FLAGS: u64 = 0;

/// The index of an interface, the family (2: IPv4, 10: IPv6), the address's bytes.
type AddressRow = (i32, i32, Vec<u8>);

/// The part of the interface that is used.
#[zbus::proxy(
    interface = "org.freedesktop.resolve1.Manager",
    default_service = "org.freedesktop.resolve1",
    default_path = "/org/freedesktop/resolve1"
)]
trait ResolvedManager {
    /// The addresses, the canonical name, and flags.
    fn resolve_hostname(
        &self,
        ifindex: i32,
        name: &str,
        family: i32,
        flags: u64,
    ) -> fdo::Result<(Vec<AddressRow>, String, u64)>;

    /// Whether names that no other link claims are asked for through this one.
    fn set_link_default_route(&self, ifindex: i32, enable: bool) -> fdo::Result<()>;
}

/// Why a name has no addresses.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// A name server reports that there is no such name, or that it has no address.
    #[error("there is no such name")]
    NoSuchName,
    /// No name server gave an answer.
    #[error("no name server answers: {0}")]
    NoAnswer(String),
    /// systemd-resolved cannot be asked.
    #[error(transparent)]
    Service(ServiceError),
}

/// systemd-resolved on a bus.
#[derive(Debug, Clone)]
pub struct Resolved(ResolvedManagerProxy<'static>);

impl Resolved {
    /// systemd-resolved on `bus`. Whether it is there shows at the first call.
    ///
    /// # Errors
    /// The bus fails.
    pub async fn on(bus: &Connection) -> Result<Self, ServiceError> {
        let proxy = ResolvedManagerProxy::new(bus).await;
        proxy.map(Self).map_err(|error| ServiceError::from_bus(RESOLVED, error))
    }

    /// The addresses of a host, asked of the name servers of the interface with this index; of all when it is `None`.
    ///
    /// # Errors
    /// The name is not known, no name server answers, or systemd-resolved is not here.
    pub async fn resolve_hostname(
        &self,
        interface: Option<u32>,
        host: &str,
    ) -> Result<Vec<IpAddr>, LookupError> {
        let index = interface.map_or(0, |index| i32::try_from(index).unwrap_or_default());
        let answer = self.0.resolve_hostname(index, host, ANY_FAMILY, NO_FLAGS).await;
        let (rows, ..) = answer.map_err(|error| lookup_error(ServiceError::from_call(RESOLVED, error)))?;
        let addresses: Vec<_> = rows.iter().filter_map(address).collect();
        if addresses.is_empty() { Err(LookupError::NoSuchName) } else { Ok(addresses) }
    }

    /// Whether names that no other link claims are asked for through the interface with this index.
    ///
    /// # Errors
    /// systemd-resolved is not here, or refuses.
    pub async fn set_default_route(&self, interface: u32, enable: bool) -> Result<(), ServiceError> {
        let index = i32::try_from(interface).unwrap_or_default();
        let set = self.0.set_link_default_route(index, enable).await;
        set.map_err(|error| ServiceError::from_call(RESOLVED, error))
    }
}

/// The meaning of systemd-resolved's errors (`bus-common-errors.h`).
fn lookup_error(error: ServiceError) -> LookupError {
    let ServiceError::Refused { name, message, .. } = &error else { return LookupError::Service(error) };
    match name.as_str() {
        "org.freedesktop.resolve1.DnsError.NXDOMAIN" | "org.freedesktop.resolve1.NoSuchRR" => {
            LookupError::NoSuchName
        }
        "org.freedesktop.resolve1.NoNameServers"
        | "org.freedesktop.resolve1.NetworkDown"
        | "org.freedesktop.resolve1.NoSource"
        | "org.freedesktop.resolve1.Aborted"
        | "org.freedesktop.resolve1.InvalidReply"
        | "org.freedesktop.resolve1.NoSuchLink"
        | "org.freedesktop.DBus.Error.Timeout"
        | "org.freedesktop.DBus.Error.TimedOut" => LookupError::NoAnswer(message.clone()),
        // SERVFAIL, REFUSED: it answered, but without information about the name.
        _ if name.starts_with(DNS_ERROR) => LookupError::NoAnswer(message.clone()),
        _ => LookupError::Service(error),
    }
}

fn address((_, _, bytes): &AddressRow) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> LookupError {
        lookup_error(ServiceError::Refused { service: RESOLVED, name: name.into(), message: "m".into() })
    }

    #[test]
    fn a_name_that_is_not_known_is_told_apart_from_servers_that_are_silent() {
        for name in ["DnsError.NXDOMAIN", "NoSuchRR"] {
            let error = refused(&format!("org.freedesktop.resolve1.{name}"));
            assert!(matches!(error, LookupError::NoSuchName), "{name}: {error:?}");
        }
        for name in ["DnsError.SERVFAIL", "DnsError.REFUSED", "NoNameServers", "NetworkDown", "NoSuchLink"] {
            let error = refused(&format!("org.freedesktop.resolve1.{name}"));
            assert!(matches!(error, LookupError::NoAnswer(_)), "{name}: {error:?}");
        }
        let error = refused("org.freedesktop.DBus.Error.AccessDenied");
        assert!(matches!(error, LookupError::Service(_)), "{error:?}");
        let error = lookup_error(ServiceError::NotHere(RESOLVED));
        assert!(matches!(error, LookupError::Service(ServiceError::NotHere(_))), "{error:?}");
    }

    #[test]
    fn addresses_are_read_by_their_length() {
        assert_eq!(address(&(2, 2, vec![10, 0, 0, 1])), "10.0.0.1".parse().ok());
        let mut six = vec![0; 16];
        six[15] = 1;
        assert_eq!(address(&(2, 10, six)), "::1".parse().ok());
        assert_eq!(address(&(2, 2, vec![1, 2, 3])), None);
    }
}
