//! systemd-resolved: has it ask for names through the chosen uplink.

use robocast_system::ServiceError;
use robocast_system::resolved::Resolved;
use zbus::Connection;

/// Makes systemd-resolved ask only through `chosen`: the name server of another uplink may belong to a login page and
/// answer falsely. Must be repeated whenever NetworkManager changed a link.
///
/// # Errors
/// When systemd-resolved does not run, or refuses; every link is then asked, and the first good answer counts.
pub async fn route_names_through(
    bus: &Connection,
    chosen: &str,
    others: &[String],
) -> Result<(), ServiceError> {
    let resolved = Resolved::on(bus).await?;
    // The chosen one first, so that one link can be asked at any time.
    for (name, enable) in std::iter::once((chosen, true)).chain(others.iter().map(|o| (o.as_str(), false))) {
        // A link that is gone needs nothing.
        if let Ok(index) = nix::net::if_::if_nametoindex(name) {
            resolved.set_default_route(index, enable).await?;
        }
    }
    Ok(())
}
