//! An update that a stick brought is RAUC's to check and to install, over D-Bus (`de.pengutronix.rauc.Installer`).

use futures_util::StreamExt;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::timeout;
use zbus::{Connection, OwnedVariant, fdo};

/// A slot is written within this, from a slow stick too.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

#[zbus::proxy(
    interface = "de.pengutronix.rauc.Installer",
    default_service = "de.pengutronix.rauc",
    default_path = "/"
)]
trait Installer {
    /// Begins; [`Completed`] tells the end.
    fn install_bundle(&self, source: &str, args: HashMap<&str, OwnedVariant>) -> fdo::Result<()>;

    /// What went wrong last.
    #[zbus(property(emits_changed_signal = "false"))]
    fn last_error(&self) -> fdo::Result<String>;

    /// 0 when it went well.
    #[zbus(signal)]
    fn completed(&self, result: i32) -> zbus::Result<()>;
}

/// Why an update was not installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// There is no RAUC on this machine.
    Nobody,
    /// What RAUC says.
    Refused(String),
}

/// Installs the bundle at `path` into the slot that does not run; it runs from the next start on.
///
/// # Errors
/// Why not.
pub async fn install(bus: &Connection, path: &str) -> Result<(), Fault> {
    let fault = |error: fdo::Error| match error {
        fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => Fault::Nobody,
        error => Fault::Refused(error.to_string()),
    };
    let installing = async {
        let rauc = InstallerProxy::new(bus).await.map_err(|error| fault(error.into()))?;
        let mut ends = rauc.receive_completed().await.map_err(|error| fault(error.into()))?;
        rauc.install_bundle(path, HashMap::new()).await.map_err(fault)?;
        let end = ends.next().await.ok_or_else(|| Fault::Refused("RAUC went away".into()))?;
        match end.args().map_err(|error| fault(error.into()))?.result {
            0 => Ok(()),
            _ => Err(Fault::Refused(rauc.last_error().await.map_err(fault)?)),
        }
    };
    timeout(PATIENCE, installing).await.unwrap_or_else(|_| {
        Err(Fault::Refused(format!("RAUC did not end within {} min", PATIENCE.as_secs() / 60)))
    })
}
