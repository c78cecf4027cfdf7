//! Whether a name server knows a host.

use super::observation::NameError;
use robocast_system::resolved::{LookupError, Resolved};
use std::time::Duration;
use tokio::time::timeout;
use zbus::Connection;

/// A name server that does not answer within this is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks the host up through systemd-resolved, which distinguishes a missing name from a missing answer; where it does
/// not run, through the system's library, whose error only says that there is no address.
///
/// # Errors
/// Why it has no address.
pub async fn check_name(bus: Option<&Connection>, host: &str) -> Result<(), NameError> {
    timeout(PATIENCE, look_up(bus, host)).await.unwrap_or(Err(NameError::NoAnswer))
}

async fn look_up(bus: Option<&Connection>, host: &str) -> Result<(), NameError> {
    if let Some(bus) = bus
        && let Ok(resolved) = Resolved::on(bus).await
    {
        match resolved.resolve_hostname(None, host).await {
            Ok(_) => return Ok(()),
            Err(LookupError::NoSuchName) => return Err(NameError::NoSuchName),
            Err(LookupError::NoAnswer(_)) => return Err(NameError::NoAnswer),
            Err(LookupError::Service(error)) => tracing::debug!("asking the system's library: {error}"),
        }
    }
    let addresses = tokio::net::lookup_host((host, 0)).await;
    if addresses.is_ok_and(|addresses| addresses.count() > 0) { Ok(()) } else { Err(NameError::NoAnswer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_every_system_knows_needs_no_bus() {
        assert_eq!(check_name(None, "localhost").await, Ok(()));
    }
}
