//! The other side of [`crate::server`]: the programs' statuses, and orders to them.
//!
//! [`streams_here`] is the data of `robocast status`: a `robocast run` on this machine is queried first, then the
//! programs on the system bus. [`Remote`] is one program, on a bus or at its socket. [`follow`](mod@follow) keeps a
//! [`Snapshot`] of all programs up to date.

pub mod follow;
mod properties;
mod remote;
mod run;
mod socket;

pub use follow::{
    Snapshot, follow, follow_at, follow_chosen, follow_chosen_on, follow_evidence, follow_evidence_on,
    follow_on,
};
pub use remote::{Remote, RemoteOrder};
pub use run::{NotHere, ask_run, streams_here, streams_here_on};
pub use socket::{services_in, watch_status};

use crate::names::Service;
use crate::{CameraStatus, NetStatus, PushStatus, StreamStatus};
use std::collections::BTreeMap;
use zbus::fdo::DBusProxy;
use zbus::{Connection, connection};

/// Every stream whose programs are on the system bus.
///
/// # Errors
/// When there is no bus.
pub async fn streams() -> zbus::Result<Vec<StreamStatus>> {
    streams_on(&connection::Builder::system().build().await?).await
}

/// Every stream whose programs are on `bus`. A program that leaves meanwhile is left out.
///
/// # Errors
/// When the bus fails, or a program does not answer.
pub async fn streams_on(bus: &Connection) -> zbus::Result<Vec<StreamStatus>> {
    let names = DBusProxy::new(bus).await?.list_names().await?;
    let mut found: BTreeMap<String, (Option<CameraStatus>, Option<PushStatus>)> = BTreeMap::new();
    for service in names.iter().filter_map(|name| Service::of_bus_name(name)) {
        let remote = Remote::on_bus(bus, service.clone());
        match service {
            Service::Camera(stream) => {
                if let Some(status) = remote.status_if_there().await? {
                    found.entry(stream).or_default().0 = Some(status);
                }
            }
            Service::Push(stream) => {
                if let Some(status) = remote.status_if_there().await? {
                    found.entry(stream).or_default().1 = Some(status);
                }
            }
            Service::Net | Service::Update => {}
        }
    }
    let status = |(stream, (camera, push)): (String, (Option<CameraStatus>, Option<PushStatus>))| {
        StreamStatus::of(&stream, camera.as_ref(), push.as_ref())
    };
    Ok(found.into_iter().map(status).collect())
}

/// The status of the push program of `stream`.
///
/// # Errors
/// When it is not on this bus, or does not answer.
pub async fn push_status(bus: &Connection, stream: &str) -> zbus::Result<PushStatus> {
    Remote::on_bus(bus, Service::Push(stream.to_owned())).status().await
}

/// The status of the net program; `None` when it is not on this bus.
///
/// # Errors
/// When the bus fails, or the program does not answer.
pub async fn net(bus: &Connection) -> zbus::Result<Option<NetStatus>> {
    Remote::on_bus(bus, Service::Net).status_if_there().await
}

/// The status of the net program on the system bus; `None` when it is not there.
///
/// # Errors
/// When there is no bus, it fails, or the program does not answer.
pub async fn net_on_system_bus() -> zbus::Result<Option<NetStatus>> {
    net(&connection::Builder::system().build().await?).await
}
