//! systemd on D-Bus: as much as it takes to see a unit become active.

use zbus::{OwnedObjectPath, fdo};

/// The manager.
#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
pub(crate) trait Manager {
    /// Makes it send signals.
    fn subscribe(&self) -> fdo::Result<()>;

    /// The object of a unit, which is loaded for it.
    fn load_unit(&self, name: &str) -> fdo::Result<OwnedObjectPath>;
}

/// A unit.
#[zbus::proxy(interface = "org.freedesktop.systemd1.Unit", default_service = "org.freedesktop.systemd1")]
pub(crate) trait Unit {
    /// `active`, `inactive`, `activating`, `failed` ...
    #[zbus(property)]
    fn active_state(&self) -> fdo::Result<String>;
}
