//! systemd-timesyncd (`org.freedesktop.timesync1.Manager`).

use crate::ServiceError;
use zbus::{Connection, fdo};

const TIMESYNCD: &str = "systemd-timesyncd";

/// The part of the interface that is used.
#[zbus::proxy(
    interface = "org.freedesktop.timesync1.Manager",
    default_service = "org.freedesktop.timesync1",
    default_path = "/org/freedesktop/timesync1"
)]
trait TimesyncdManager {
    /// The servers to ask before any other, until it is restarted.
    #[zbus(name = "SetRuntimeNTPServers")]
    fn set_runtime_ntp_servers(&self, runtime_servers: &[&str]) -> fdo::Result<()>;

    /// Those.
    #[zbus(property(emits_changed_signal = "false"), name = "RuntimeNTPServers")]
    fn runtime_ntp_servers(&self) -> fdo::Result<Vec<String>>;
}

/// Makes systemd-timesyncd ask these servers before any other. Returns whether it had others.
///
/// # Errors
/// systemd-timesyncd is not here, or refuses.
pub async fn set_time_servers(bus: &Connection, servers: &[String]) -> Result<bool, ServiceError> {
    let refused = |error| ServiceError::from_call(TIMESYNCD, error);
    let proxy = TimesyncdManagerProxy::new(bus).await;
    let manager = proxy.map_err(|error| ServiceError::from_bus(TIMESYNCD, error))?;
    if manager.runtime_ntp_servers().await.map_err(refused)? == servers {
        return Ok(false);
    }
    let servers: Vec<_> = servers.iter().map(String::as_str).collect();
    manager.set_runtime_ntp_servers(&servers).await.map_err(refused)?;
    Ok(true)
}
