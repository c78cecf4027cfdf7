//! Carries a plan out, under a checkpoint of NetworkManager's: what is not proven is taken back, by us, or by NetworkManager
//! when we are gone.

use crate::uplink::network_manager::{
    CHECKPOINT_FLAGS, DeviceProxy, ManagerProxy, ProfileProxy, ProfilesProxy, outgoing,
};
use crate::uplink::plan::Step;
use robocast_daemon::atomic;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;
use zbus::{Connection, ObjectPath, OwnedObjectPath, fdo};

/// A step could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// NetworkManager refuses.
    #[error("NetworkManager does not {step}")]
    Refused {
        /// The step, in words.
        step: String,
        #[source]
        source: fdo::Error,
    },
    /// A file cannot be written or deleted.
    #[error("cannot {step}")]
    File {
        /// The step, in words.
        step: String,
        #[source]
        source: std::io::Error,
    },
}

/// How the devices were before.
#[derive(Debug)]
pub(crate) struct Checkpoint(OwnedObjectPath);

impl Checkpoint {
    /// Remembers them; NetworkManager goes back by itself after `timeout`.
    pub async fn create(bus: &Connection, timeout: Duration) -> fdo::Result<Self> {
        let seconds = u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX).max(1);
        let manager = ManagerProxy::new(bus).await?;
        Ok(Self(manager.checkpoint_create(&[], seconds, CHECKPOINT_FLAGS).await?))
    }

    /// What was done is proven.
    pub async fn destroy(self, bus: &Connection) -> fdo::Result<()> {
        ManagerProxy::new(bus).await?.checkpoint_destroy(&self.0).await
    }

    /// Goes back.
    pub async fn rollback(self, bus: &Connection) -> fdo::Result<()> {
        ManagerProxy::new(bus).await?.checkpoint_rollback(&self.0).await.map(|_| ())
    }
}

/// Does one step.
///
/// # Errors
/// When it cannot be done; nothing of it is then left half done, but for what NetworkManager's checkpoint takes back.
pub(crate) async fn step(bus: &Connection, folder: &Path, step: &Step) -> Result<(), ApplyError> {
    let file = |source: std::io::Error| ApplyError::File { step: step.to_string(), source };
    match step {
        Step::WriteFile(wanted) => {
            private(folder).map_err(file)?;
            let written = atomic::write(&wanted.path, wanted.content.expose().as_bytes(), 0o600);
            written.map_err(|error| file(std::io::Error::other(error)))
        }
        Step::DeleteFile(name) => match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file(error)),
            _ => Ok(()),
        },
        _ => told(bus, step).await.map_err(|source| ApplyError::Refused { step: step.to_string(), source }),
    }
}

/// A folder for secrets.
fn private(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

async fn told(bus: &Connection, step: &Step) -> fdo::Result<()> {
    match step {
        Step::WriteFile(_) | Step::DeleteFile(_) => Ok(()),
        Step::Unmanage { device, .. } => {
            let proxy = DeviceProxy::builder(bus).path(device.clone()).build().await?;
            // The robot's side takes the interface away at the same time: one that is gone is left alone.
            proxy.set_managed(false).await.map_err(fdo::Error::from).or_else(unless_gone)
        }
        Step::Add(profile) => {
            let sections = profile.marked();
            ProfilesProxy::new(bus).await?.add_connection(outgoing(&sections)).await.map(|_| ())
        }
        Step::Update { path, profile } => {
            let sections = profile.marked();
            let proxy = ProfileProxy::builder(bus).path(path.clone()).build().await?;
            proxy.update(outgoing(&sections)).await
        }
        Step::Activate { uuid, device, .. } => {
            let profile = path_of(bus, uuid).await?;
            let (device, any) = (ObjectPath::try_from(device.as_str()), ObjectPath::try_from("/"));
            let (device, any) = (device.map_err(wrong)?, any.map_err(wrong)?);
            let manager = ManagerProxy::new(bus).await?;
            manager.activate_connection(&profile, &device, &any).await.map(|_| ())
        }
        Step::Delete { path, .. } => {
            ProfileProxy::builder(bus).path(path.clone()).build().await?.delete().await
        }
    }
}

/// What is not there any more refuses nothing. Whether it is there in another form shows when the facts are looked at again.
fn unless_gone(error: fdo::Error) -> fdo::Result<()> {
    match error {
        // As NetworkManager says it while it looks into the right to do so, and as its D-Bus library does afterwards.
        fdo::Error::UnknownObject(_) | fdo::Error::UnknownMethod(_) | fdo::Error::UnknownInterface(_) => {
            Ok(())
        }
        error => Err(error),
    }
}

fn wrong(error: impl std::fmt::Display) -> fdo::Error {
    fdo::Error::InvalidArgs(error.to_string())
}

/// A profile that was added a moment ago has a path that the plan could not know.
async fn path_of(bus: &Connection, uuid: &str) -> fdo::Result<OwnedObjectPath> {
    ProfilesProxy::new(bus).await?.get_connection_by_uuid(uuid).await
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
            unless_gone(zbus::Error::MethodError(name, why, call).into())
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
