//! Programs at their own sockets, as `robocast run` has them.

use super::Remote;
use crate::names::Service;
use futures_util::StreamExt;
use robocast_daemon::backoff::Backoff;
use robocast_status::ProgramStatus;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// A program that does not answer within this is asked again on a new connection.
const PATIENCE: Duration = Duration::from_secs(3);

/// The programs that have a socket in `folder`, in the order of their names. One that was killed may have left its socket.
#[must_use]
pub fn services_in(folder: &Path) -> Vec<Service> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut services: Vec<Service> =
        entries.filter_map(|entry| Service::of_socket_name(entry.file_name().to_str()?)).collect();
    services.sort();
    services
}

/// Sends the status of the program at its socket in `folder`: when it changes, and after each `every` with the current
/// counters. The program may come later, and may be replaced. Ends when the receiver of `statuses` is dropped.
pub async fn watch_status<S: ProgramStatus>(
    folder: &Path,
    service: &Service,
    every: Duration,
    statuses: mpsc::Sender<S>,
) {
    let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));
    loop {
        tokio::select! {
            () = tokio::time::sleep(backoff.next_wait()) => {}
            () = statuses.closed() => return,
        }
        let connecting = timeout(PATIENCE, Remote::at_socket(folder, service.clone()));
        if let Ok(Ok(remote)) = connecting.await {
            backoff.reset();
            let _ = watch_once(&remote, every, &statuses).await;
            if statuses.is_closed() {
                return;
            }
        }
    }
}

async fn watch_once<S: ProgramStatus>(
    remote: &Remote,
    every: Duration,
    statuses: &mpsc::Sender<S>,
) -> zbus::Result<()> {
    let mut changes = remote.changes().await?;
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            change = changes.next() => if change.is_none() { return Ok(()) },
            () = statuses.closed() => return Ok(()),
        }
        let Ok(status) = timeout(PATIENCE, remote.status()).await else { return Ok(()) };
        if statuses.send(status?).await.is_err() {
            return Ok(());
        }
    }
}
