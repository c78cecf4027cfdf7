//! The objects of the programs: properties with change signals, few methods.
//!
//! A program serves its object as long as it runs, on the system bus, at its own socket, or both ([`BusMode`]). It
//! keeps looking for a bus that is not there yet, or restarts; a program without a bus works all the same.
//!
//! Every object has a property `Status`: the whole status as a dictionary ([`crate::dictionary`]), with a signal whenever it
//! changes in more than its counters. The other properties are the same values one by one, for people and scripts.

mod camera;
mod net;
mod push;
mod socket;

pub use camera::CameraOrder;
pub use push::PushOrder;

use crate::mode::{BusMode, sockets_folder};
use crate::names::Service;
use crate::{CameraStatus, NetStatus, PushStatus};
use camera::CameraObject;
use net::NetObject;
use push::PushObject;
use robocast_daemon::backoff::Backoff;
use robocast_daemon::journal;
use robocast_status::ProgramStatus;
use std::path::Path;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use zbus::object_server::{Interface, SignalEmitter};
use zbus::{Connection, connection};

/// A bus that is away is looked for at least this often.
const RETRY_CAP: Duration = Duration::from_secs(2);

/// An object whose properties derive from one status.
pub(crate) trait StatusObject: Interface + Clone {
    /// The program's status.
    type Status: ProgramStatus;

    /// Where the program publishes its status.
    fn receiver(&self) -> watch::Receiver<Self::Status>;

    /// Sends the change signals of the properties that differ, `Status` first.
    fn signal_changes(
        &self,
        emitter: &SignalEmitter<'_>,
        before: &Self::Status,
        now: &Self::Status,
    ) -> impl Future<Output = zbus::Result<()>> + Send;
}

/// Whether this program uses the system bus: not with `ROBOCAST_BUS=off` or `sockets`.
#[must_use]
pub fn enabled() -> bool {
    BusMode::from_env().uses_system_bus()
}

/// Serves the object of the camera program of `stream` until the sender of `status` is dropped.
pub async fn serve_camera(
    stream: String,
    status: watch::Receiver<CameraStatus>,
    orders: mpsc::Sender<CameraOrder>,
) {
    serve_forever(&Service::Camera(stream), CameraObject::new(status, orders)).await;
}

/// Serves the object of the push program of `stream` until the sender of `status` is dropped.
pub async fn serve_push(
    stream: String,
    status: watch::Receiver<PushStatus>,
    orders: mpsc::Sender<PushOrder>,
) {
    serve_forever(&Service::Push(stream), PushObject::new(status, orders)).await;
}

/// Serves the object of the net program until the sender of `status` is dropped.
pub async fn serve_net(status: watch::Receiver<NetStatus>) {
    serve_forever(&Service::Net, NetObject::new(status)).await;
}

/// The same on the bus that `bus` connects to.
pub async fn serve_net_on(
    bus: impl Fn() -> connection::Builder<'static>,
    status: watch::Receiver<NetStatus>,
) {
    serve_on_bus(bus, &Service::Net, &NetObject::new(status)).await;
}

/// The camera program's object on the bus that `bus` connects to.
pub async fn serve_camera_on(
    bus: impl Fn() -> connection::Builder<'static>,
    stream: String,
    status: watch::Receiver<CameraStatus>,
    orders: mpsc::Sender<CameraOrder>,
) {
    serve_on_bus(bus, &Service::Camera(stream), &CameraObject::new(status, orders)).await;
}

/// The push program's object on the bus that `bus` connects to.
pub async fn serve_push_on(
    bus: impl Fn() -> connection::Builder<'static>,
    stream: String,
    status: watch::Receiver<PushStatus>,
    orders: mpsc::Sender<PushOrder>,
) {
    serve_on_bus(bus, &Service::Push(stream), &PushObject::new(status, orders)).await;
}

/// The camera program's object at its socket in `folder`.
pub async fn serve_camera_at(
    folder: &Path,
    stream: String,
    status: watch::Receiver<CameraStatus>,
    orders: mpsc::Sender<CameraOrder>,
) {
    socket::serve_at_socket(folder, &Service::Camera(stream), &CameraObject::new(status, orders)).await;
}

/// The push program's object at its socket in `folder`.
pub async fn serve_push_at(
    folder: &Path,
    stream: String,
    status: watch::Receiver<PushStatus>,
    orders: mpsc::Sender<PushOrder>,
) {
    socket::serve_at_socket(folder, &Service::Push(stream), &PushObject::new(status, orders)).await;
}

/// The net program's object at its socket in `folder`.
pub async fn serve_net_at(folder: &Path, status: watch::Receiver<NetStatus>) {
    socket::serve_at_socket(folder, &Service::Net, &NetObject::new(status)).await;
}

/// Serves `object` wherever the environment sets, until its status ends.
async fn serve_forever<O: StatusObject>(service: &Service, object: O) {
    let mode = BusMode::from_env();
    let on_bus = async {
        if mode.uses_system_bus() {
            serve_on_bus(connection::Builder::system, service, &object).await;
        }
    };
    let at_socket = async {
        if mode.uses_sockets() {
            socket::serve_at_socket(&sockets_folder(), service, &object).await;
        }
    };
    tokio::join!(on_bus, at_socket);
}

/// Serves `object` on a bus that may come late, go and come back.
async fn serve_on_bus<O: StatusObject>(
    bus: impl Fn() -> connection::Builder<'static>,
    service: &Service,
    object: &O,
) {
    let mut backoff = Backoff::new(Duration::from_millis(100), RETRY_CAP);
    let mut reported = false;
    let mut alive = object.receiver();
    loop {
        tokio::select! {
            () = tokio::time::sleep(backoff.next_wait()) => {}
            () = ended(&mut alive) => return,
        }
        // Taken before any client can read it: later changes are signalled.
        let before = object.receiver().borrow().clone();
        // No other program may take the name while this one runs: it would never get it back.
        let bus = bus().allow_name_replacements(false).name(service.bus_name());
        match bus.serve_at(service.path(), object.clone()).build().await {
            Ok(connection) => {
                tracing::debug!("on the bus as {}", service.bus_name());
                reported = false;
                backoff.reset();
                if publish_changes(&connection, service, object, before).await == Publishing::StatusEnded {
                    let _ = connection.close().await;
                    return;
                }
                tracing::info!("the bus is gone; looking for it");
            }
            Err(error) if !reported => {
                reported = true;
                tracing::info!("not on the bus yet: {}", journal::chain(&error));
            }
            Err(_) => {}
        }
    }
}

/// Why publishing on a connection ended.
#[derive(Debug, PartialEq, Eq)]
enum Publishing {
    /// The program publishes no status any more.
    StatusEnded,
    /// The other side is gone.
    ConnectionLost,
}

/// Sends change signals until the connection or the status ends.
async fn publish_changes<O: StatusObject>(
    connection: &Connection,
    service: &Service,
    object: &O,
    mut before: O::Status,
) -> Publishing {
    let mut status = object.receiver();
    status.mark_changed();
    let Ok(emitter) = SignalEmitter::new(connection, service.path()) else {
        return Publishing::ConnectionLost;
    };
    loop {
        tokio::select! {
            changed = status.changed() => if changed.is_err() { return Publishing::StatusEnded },
            () = connection.closed() => return Publishing::ConnectionLost,
        }
        let now = status.borrow_and_update().clone();
        if !now.deserves_signal(&before) {
            continue;
        }
        if object.signal_changes(&emitter, &before, &now).await.is_err() {
            return Publishing::ConnectionLost;
        }
        before = now;
    }
}

/// Waits until the publisher of the status is dropped.
async fn ended<S>(status: &mut watch::Receiver<S>) {
    while status.changed().await.is_ok() {}
}
