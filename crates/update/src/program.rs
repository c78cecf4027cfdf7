//! `robocast update`: installs bundles for any caller on the bus, one at a time.
//!
//! systemd starts it when a program calls `org.robocast.Update1`; without work it ends after some time. The bundle is a
//! file descriptor, so it does not matter who else can see the file, nor whether it still has a name.

use robocast_bus::UpdateStatus;
use robocast_bus::update::{InstallError, InstallOrder, UpdateServer};
use robocast_daemon::signals::{SignalEvent, Signals};
use robocast_system::ServiceError;
use robocast_system::rauc::{InstallProgress, Rauc};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use zbus::{Connection, connection};

/// A slot is written within this, from a slow stick too.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// A call sent while this program had the name has arrived within this time.
const ON_ITS_WAY: Duration = Duration::from_millis(200);

/// The update program cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// There is no bus, it refuses the name, or it failed.
    #[error("the update program cannot be on the system bus")]
    Bus(#[from] zbus::Error),
    /// The bus ended. systemd starts this program again when somebody calls it.
    #[error("the system bus ended")]
    BusEnded,
}

/// Serves `org.robocast.Update1` on the system bus until SIGTERM; with `idle`, also until it was idle for this long.
///
/// # Errors
/// There is no bus, it fails, or another program has the name.
pub async fn run_update(signals: Signals, idle: Option<Duration>) -> Result<(), UpdateError> {
    run_update_on(connection::Builder::system(), signals, idle).await
}

/// The same on another bus.
///
/// # Errors
/// There is no such bus, it fails, or another program has the name.
pub async fn run_update_on(
    bus: connection::Builder<'_>,
    mut signals: Signals,
    idle: Option<Duration>,
) -> Result<(), UpdateError> {
    let status = watch::Sender::new(UpdateStatus::default());
    let (orders, mut ordered) = mpsc::channel(1);
    let mut server = UpdateServer::start(bus, status.subscribe(), orders).await?;
    let connection = server.connection().clone();
    loop {
        let order = tokio::select! {
            order = wait_for_order(&mut ordered, idle) => order,
            published = server.publish_changes() => return published.map_err(UpdateError::Bus),
            () = wait_for_shutdown(&mut signals) => return Ok(()),
            () = connection.closed() => return Err(UpdateError::BusEnded),
        };
        let order = match order {
            Some(order) => order,
            // Idle. A call that is on its way goes to the name's owner: release the name, then look once more.
            None => {
                server.release_name().await?;
                match wait_for_order(&mut ordered, Some(ON_ITS_WAY)).await {
                    None => return connection.close().await.map_err(UpdateError::Bus),
                    Some(order) => {
                        server.request_name().await?;
                        order
                    }
                }
            }
        };
        tokio::select! {
            () = carry_out(&connection, order, &status) => {}
            () = refuse_orders(&mut ordered) => {}
            published = server.publish_changes() => return published.map_err(UpdateError::Bus),
            () = wait_for_shutdown(&mut signals) => return Ok(()),
            () = connection.closed() => return Err(UpdateError::BusEnded),
        }
    }
}

/// The next order; `None` when none arrives within the idle time.
async fn wait_for_order(
    ordered: &mut mpsc::Receiver<InstallOrder>,
    idle: Option<Duration>,
) -> Option<InstallOrder> {
    let Some(idle) = idle else { return ordered.recv().await };
    let end = Instant::now() + idle;
    tokio::select! {
        order = ordered.recv() => order,
        () = sleep_until(end) => None,
    }
}

/// Answers all other callers meanwhile.
async fn refuse_orders(ordered: &mut mpsc::Receiver<InstallOrder>) {
    while let Some(order) = ordered.recv().await {
        // The caller may be gone.
        let _ = order.done.send(Err(InstallError::Busy));
    }
}

/// There is nothing to read again at SIGHUP.
async fn wait_for_shutdown(signals: &mut Signals) {
    while signals.next().await != SignalEvent::Shutdown {}
}

/// Installs the bundle, shows how far that is, and answers.
async fn carry_out(bus: &Connection, order: InstallOrder, status: &watch::Sender<UpdateStatus>) {
    let InstallOrder { bundle, done } = order;
    tracing::info!("installing an update");
    status.send_replace(begin());
    let result = install(bus, bundle, |progress| {
        status.send_if_modified(|status| report(status, progress));
    })
    .await;
    status.send_modify(|status| end(status, &result));
    match &result {
        Ok(()) => tracing::info!("the update is installed; it runs from the next start on"),
        Err(error) => tracing::warn!("the update is not installed: {error}"),
    }
    let _ = done.send(result);
}

/// Has RAUC install the bundle. Its descriptor is closed when this returns: a stick can be written again then.
async fn install(
    bus: &Connection,
    bundle: OwnedFd,
    report: impl FnMut(InstallProgress),
) -> Result<(), InstallError> {
    let path = path_of(&bundle);
    let installing = async {
        let rauc = Rauc::on(bus).await?;
        rauc.install(&path, report).await
    };
    match timeout(PATIENCE, installing).await {
        Ok(result) => result.map_err(|error| refusal(error, &path)),
        Err(_) => {
            let minutes = PATIENCE.as_secs() / 60;
            Err(InstallError::Refused(format!("RAUC did not end within {minutes} min")))
        }
    }
}

/// A path to an open file, for RAUC, which is another process.
fn path_of(bundle: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), bundle.as_raw_fd()))
}

/// RAUC's words, without the path that only this program knows.
fn refusal(error: ServiceError, path: &Path) -> InstallError {
    let words = match error {
        ServiceError::NotHere(_) => return InstallError::NoRauc,
        ServiceError::Refused { message, .. } => message,
        error => robocast_daemon::journal::chain(&error),
    };
    InstallError::Refused(words.replace(&path.display().to_string(), "the bundle"))
}

/// The status when an installation begins.
fn begin() -> UpdateStatus {
    UpdateStatus { installing: true, ..UpdateStatus::default() }
}

/// Takes a progress over; returns whether it is another.
fn report(status: &mut UpdateStatus, progress: InstallProgress) -> bool {
    let InstallProgress { percent, text } = progress;
    let changed = (status.percent, &status.text) != (percent, &text);
    (status.percent, status.text) = (percent, text);
    changed
}

/// Takes the end over.
fn end(status: &mut UpdateStatus, result: &Result<(), InstallError>) {
    status.installing = false;
    match result {
        Ok(()) => (status.percent, status.last_error) = (100, String::new()),
        Err(error) => status.last_error = error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_an_installation_to_its_end() {
        let mut status = begin();
        assert!(status.installing && status.percent == 0);
        let progress = |percent| InstallProgress { percent, text: "Copying image".into() };
        assert!(report(&mut status, progress(40)));
        assert!(!report(&mut status, progress(40)), "the same is not published again");
        let mut failed = status.clone();
        end(&mut failed, &Err(InstallError::Refused("signature verification failed".into())));
        let expected = UpdateStatus {
            installing: false,
            percent: 40,
            text: "Copying image".into(),
            last_error: "signature verification failed".into(),
        };
        assert_eq!(failed, expected);
        end(&mut status, &Ok(()));
        assert_eq!((status.installing, status.percent, status.last_error.as_str()), (false, 100, ""));
        assert_eq!(begin().last_error, "", "the next one begins without the last error");
    }

    #[test]
    fn a_refusal_names_no_path_of_this_process() {
        let path = Path::new("/proc/7/fd/9");
        let error = ServiceError::Refused {
            service: "RAUC",
            name: "x".into(),
            message: "Failed to open bundle /proc/7/fd/9: not a bundle".into(),
        };
        let expected = InstallError::Refused("Failed to open bundle the bundle: not a bundle".into());
        assert_eq!(refusal(error, path), expected);
        assert_eq!(refusal(ServiceError::NotHere("RAUC"), path), InstallError::NoRauc);
        assert_eq!(refusal(ServiceError::Gone("RAUC"), path).to_string(), "RAUC ended before it was done");
    }
}
