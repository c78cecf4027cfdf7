//! `robocast net clock`: keeps the clock plausible until NTP does, and passes the settings' NTP servers on. It is a
//! separate program because it may set the clock, and nothing else.
//!
//! Before any unit, systemd sets a clock that is older to the time of the image, and systemd-timesyncd keeps it by NTP over the
//! uplinks. [`sources`] covers the time in between: the clock that was saved, and the robot's.

pub mod sources;

use crate::program::{NetError, load_settings};
use robocast_config::Settings;
use robocast_daemon::backoff::Backoff;
use robocast_daemon::signals::{SignalEvent, Signals};
use robocast_daemon::{epoch, journal, paths};
use robocast_system::ServiceError;
use robocast_system::timesyncd::set_time_servers;
use sources::{Candidates, best_time};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::UdpSocket;
use zbus::connection;

/// systemd-timesyncd creates this file once a server has answered.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";
/// Until NTP keeps the clock, the robot is asked again after this, then ever less often.
const ASK_FIRST: Duration = Duration::from_secs(2);
const ASK_CAP: Duration = Duration::from_secs(30);
/// From then on the clock is saved this often: a boot without any clock starts at most so far behind.
const SAVE_INTERVAL: Duration = Duration::from_secs(30 * 60);
/// NTP (RFC 5905).
const NTP_PORT: u16 = 123;

/// Keeps the clock until it is asked to stop. It runs on the robot's side, where the robot's clock can be reached; the
/// bus and the state are files.
///
/// # Errors
/// When signals cannot be received.
pub async fn run(path: &Path) -> Result<(), NetError> {
    let mut signals = Signals::listen().map_err(NetError::Signals)?;
    let mut settings = load_settings(path, None);
    let state = paths::state();
    let mut backoff = Backoff::new(ASK_FIRST, ASK_CAP);
    loop {
        let synchronized = update_clock(&settings, &state).await;
        let wait = if synchronized { SAVE_INTERVAL } else { backoff.next_wait().max(ASK_FIRST) };
        tokio::select! {
            event = signals.next() => match event {
                SignalEvent::Shutdown => return Ok(()),
                SignalEvent::Reload => {
                    settings = load_settings(path, Some(settings));
                    backoff.reset();
                }
            },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Sets the clock if needed; returns whether NTP keeps it.
async fn update_clock(settings: &Settings, state: &Path) -> bool {
    name_servers(&settings.time.ntp).await;
    let synchronized = Path::new(SYNCHRONIZED).exists();
    let image = epoch::image_epoch().unwrap_or(UNIX_EPOCH);
    let robot = match settings.robot.address {
        Some(robot) if !synchronized => ask_robot(robot, image).await,
        _ => None,
    };
    let now = SystemTime::now();
    let candidates = Candidates { now, image, saved: sources::saved_time(state), robot, synchronized };
    if let Some(best) = best_time(&candidates) {
        match sources::set_clock(best.time) {
            Ok(()) => tracing::info!("the clock was behind; it is set to {}", best.source),
            Err(error) => tracing::warn!("the clock cannot be set to {}: {error}", best.source),
        }
    }
    if (synchronized || robot.is_some())
        && let Err(error) = sources::save_time(state, SystemTime::now())
    {
        tracing::warn!("the clock is not saved: {}", journal::chain(&error));
    }
    synchronized
}

async fn name_servers(servers: &[String]) {
    if servers.is_empty() {
        return;
    }
    let named = async {
        let bus = connection::Builder::system().build().await.map_err(ServiceError::Bus)?;
        set_time_servers(&bus, servers).await
    };
    match named.await {
        Ok(true) => tracing::info!("NTP servers: {}", servers.join(", ")),
        Ok(false) => {}
        Err(error) => tracing::debug!("systemd-timesyncd, for the NTP servers, does not run: {error}"),
    }
}

/// The robot's clock.
async fn ask_robot(robot: IpAddr, image: SystemTime) -> Option<SystemTime> {
    let asking = async {
        let any: IpAddr = match robot {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
        sources::ask_ntp(&socket, SocketAddr::new(robot, NTP_PORT), image).await
    };
    asking.await.inspect_err(|error: &io::Error| tracing::debug!("the robot's clock: {error}")).ok()
}
