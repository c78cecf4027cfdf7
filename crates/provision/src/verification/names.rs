//! Whether a name server knows a host.

use super::observation::NameError;
use robocast_dial::{Link, Resolver};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::time::timeout;
use zbus::Connection;

/// A name server that does not answer within this is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks the host up, through whichever uplink the system uses. systemd-resolved says whether there is no such name or no
/// answer; where it does not run, the system's library says only that there is no address.
///
/// # Errors
/// Why it has no address.
pub async fn check_name(bus: Option<&Connection>, host: &str) -> Result<(), NameError> {
    let resolver = bus.map_or_else(Resolver::without_bus, Resolver::over);
    match timeout(PATIENCE, resolver.lookup(host, &Link::default())).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => Err(NameError::NoSuchName),
        Ok(Err(_)) | Err(_) => Err(NameError::NoAnswer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_every_system_knows_needs_no_bus() {
        assert_eq!(check_name(None, "localhost").await, Ok(()));
    }
}
