//! Executes steps through NetworkManager.

use crate::uplink::network_manager::{
    NmDeviceProxy, NmManagerProxy, NmProfileProxy, NmProfilesProxy, outgoing,
};
use crate::uplink::plan::UplinkStep;
use robocast_daemon::atomic;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use zbus::{Connection, ObjectPath, OwnedObjectPath, fdo};

/// A step failed.
#[derive(Debug, thiserror::Error)]
pub enum UplinkStepError {
    /// NetworkManager refuses.
    #[error("NetworkManager does not {step}")]
    Refused {
        /// The step.
        step: String,
        #[source]
        source: fdo::Error,
    },
    /// A file cannot be written or deleted.
    #[error("cannot {step}")]
    File {
        /// The step.
        step: String,
        #[source]
        source: std::io::Error,
    },
}

/// Executes one step.
///
/// # Errors
/// When it fails. A rollback of the checkpoint then undoes the half that is done.
pub(crate) async fn execute_step(
    bus: &Connection,
    folder: &Path,
    step: &UplinkStep,
) -> Result<(), UplinkStepError> {
    let file = |source: std::io::Error| UplinkStepError::File { step: step.to_string(), source };
    match step {
        UplinkStep::WriteFile(desired) => {
            create_private(folder).map_err(file)?;
            let written = atomic::write(&desired.path, desired.content.expose().as_bytes(), 0o600);
            written.map_err(|error| file(std::io::Error::other(error)))
        }
        UplinkStep::DeleteFile(name) => match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file(error)),
            _ => Ok(()),
        },
        _ => call_manager(bus, step)
            .await
            .map_err(|source| UplinkStepError::Refused { step: step.to_string(), source }),
    }
}

/// Creates a folder for secrets.
fn create_private(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

async fn call_manager(bus: &Connection, step: &UplinkStep) -> fdo::Result<()> {
    match step {
        UplinkStep::WriteFile(_) | UplinkStep::DeleteFile(_) => Ok(()),
        UplinkStep::Unmanage { device, .. } => {
            let proxy = NmDeviceProxy::builder(bus).path(device.clone()).build().await?;
            // The robot's side may have moved the interface away meanwhile: a missing one needs nothing.
            proxy.set_managed(false).await.map_err(fdo::Error::from).or_else(accept_gone)
        }
        UplinkStep::Add(profile) => {
            let sections = profile.with_digest();
            NmProfilesProxy::new(bus).await?.add_connection(outgoing(&sections)).await.map(|_| ())
        }
        UplinkStep::Update { path, profile } => {
            let sections = profile.with_digest();
            let proxy = NmProfileProxy::builder(bus).path(path.clone()).build().await?;
            proxy.update(outgoing(&sections)).await
        }
        UplinkStep::Activate { uuid, device, .. } => {
            let profile = path_of(bus, uuid).await?;
            let (device, any) = (ObjectPath::try_from(device.as_str()), ObjectPath::try_from("/"));
            let (device, any) = (device.map_err(wrong)?, any.map_err(wrong)?);
            let manager = NmManagerProxy::new(bus).await?;
            manager.activate_connection(&profile, &device, &any).await.map(|_| ())
        }
        UplinkStep::Delete { path, .. } => {
            NmProfileProxy::builder(bus).path(path.clone()).build().await?.delete().await
        }
    }
}

/// An object that no longer exists is no failure. If it exists in another form, the next observation shows it.
fn accept_gone(error: fdo::Error) -> fdo::Result<()> {
    match error {
        // NetworkManager's answer while it checks permissions, and its D-Bus library's afterwards.
        fdo::Error::UnknownObject(_) | fdo::Error::UnknownMethod(_) | fdo::Error::UnknownInterface(_) => {
            Ok(())
        }
        error => Err(error),
    }
}

fn wrong(error: impl std::fmt::Display) -> fdo::Error {
    fdo::Error::InvalidArgs(error.to_string())
}

/// The path of a profile: the plan cannot know it for one that was just added.
async fn path_of(bus: &Connection, uuid: &str) -> fdo::Result<OwnedObjectPath> {
    NmProfilesProxy::new(bus).await?.get_connection_by_uuid(uuid).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use zbus::{Message, names::OwnedErrorName};

    #[test]
    fn a_device_that_is_gone_is_left_alone() {
        let told = |name: &str| {
            let name = OwnedErrorName::try_from(format!("org.freedesktop.DBus.Error.{name}")).unwrap();
            let call = Message::method_call("/", "Set").build(&()).unwrap();
            let why = Some("Object was deleted while authenticating".to_owned());
            accept_gone(zbus::Error::MethodError(name, why, call).into())
        };
        for (name, gone) in [
            ("UnknownObject", true),
            ("UnknownMethod", true),
            ("UnknownInterface", true),
            ("AccessDenied", false),
            ("NoReply", false),
        ] {
            assert_eq!(told(name).is_ok(), gone, "{name}");
        }
    }
}
