//! systemd-resolved: has it ask for names through the chosen uplink.

use zbus::{Connection, fdo};

#[zbus::proxy(
    interface = "org.freedesktop.resolve1.Manager",
    default_service = "org.freedesktop.resolve1",
    default_path = "/org/freedesktop/resolve1"
)]
trait ResolvedLinks {
    /// Whether names that no other link claims are asked for through this one.
    fn set_link_default_route(&self, ifindex: i32, enable: bool) -> fdo::Result<()>;
}

/// Has systemd-resolved ask through `chosen` alone: the name server of another uplink may belong to a login page and answer
/// falsely. To be repeated whenever NetworkManager changed a link.
///
/// # Errors
/// When systemd-resolved does not run, or refuses; every link is then asked, and the first good answer counts.
pub async fn route_names_through(bus: &Connection, chosen: &str, others: &[String]) -> fdo::Result<()> {
    let resolved = ResolvedLinksProxy::new(bus).await?;
    // The chosen one first, so that one link can be asked at any time.
    for (name, enable) in std::iter::once((chosen, true)).chain(others.iter().map(|o| (o.as_str(), false))) {
        // A link that is gone needs nothing.
        if let Ok(index) = nix::net::if_::if_nametoindex(name) {
            resolved.set_link_default_route(i32::try_from(index).unwrap_or_default(), enable).await?;
        }
    }
    Ok(())
}
