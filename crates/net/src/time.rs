//! `robocast net clock`: keeps the clock believable until NTP does, and names the settings' servers to it. A program of its own:
//! whoever may set the clock may do nothing else.

use crate::program::{self, NetError};
use crate::uplink::clock::{self, Times};
use robocast_config::Settings;
use robocast_daemon::signals::{SignalEvent, Signals};
use robocast_daemon::{journal, paths};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::net::UdpSocket;
use zbus::connection;

/// systemd-timesyncd makes this file once a server has answered.
const KEPT: &str = "/run/systemd/timesync/synchronized";
/// Until NTP keeps the clock, the robot is asked again after this.
const SOON: Duration = Duration::from_secs(30);
/// From then on the clock is saved this often: what a boot without any clock may be behind.
const SAVED: Duration = Duration::from_secs(30 * 60);
/// NTP (RFC 5905).
const PORT: u16 = 123;

/// Keeps the clock until it is told to end. It runs on the robot's side, where the robot's clock is in reach; the bus and
/// the state are files.
///
/// # Errors
/// When signals cannot be listened to.
pub async fn run(path: &Path) -> Result<(), NetError> {
    let mut signals = Signals::listen().map_err(NetError::Signals)?;
    let mut settings = program::settings(path, None);
    let state = paths::state();
    loop {
        let kept = round(&settings, &state).await;
        tokio::select! {
            wish = signals.next() => match wish {
                SignalEvent::Shutdown => return Ok(()),
                SignalEvent::Reload => settings = program::settings(path, Some(settings)),
            },
            () = tokio::time::sleep(if kept { SAVED } else { SOON }) => {}
        }
    }
}

/// Looks, and sets what is to be set; whether NTP keeps the clock.
async fn round(settings: &Settings, state: &Path) -> bool {
    name_servers(&settings.time.ntp).await;
    let kept = Path::new(KEPT).exists();
    let floor = clock::floor(Path::new(clock::EPOCH));
    let robot = match settings.robot.address {
        Some(robot) if !kept => ask(robot, floor).await,
        _ => None,
    };
    let times = Times { now: SystemTime::now(), floor, saved: clock::saved(state), robot, kept };
    if let Some(set) = clock::ladder(&times) {
        match clock::set(set.to) {
            Ok(()) => tracing::info!("the clock was behind; it is set to {}", set.whose),
            Err(error) => tracing::warn!("the clock cannot be set to {}: {error}", set.whose),
        }
    }
    if (kept || robot.is_some())
        && let Err(error) = clock::save(state, SystemTime::now())
    {
        tracing::warn!("the clock is not saved: {}", journal::chain(&error));
    }
    kept
}

async fn name_servers(servers: &[String]) {
    if servers.is_empty() {
        return;
    }
    let named = async {
        let bus = connection::Builder::system().build().await?;
        clock::name_servers(&bus, servers).await
    };
    match named.await {
        Ok(true) => tracing::info!("NTP servers: {}", servers.join(", ")),
        Ok(false) => {}
        Err(error) => tracing::debug!("no systemd-timesyncd to name NTP servers to: {error}"),
    }
}

/// The robot's clock.
async fn ask(robot: IpAddr, floor: SystemTime) -> Option<SystemTime> {
    let asking = async {
        let any: IpAddr = match robot {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
        clock::ask(&socket, SocketAddr::new(robot, PORT), floor).await
    };
    asking.await.inspect_err(|error: &io::Error| tracing::debug!("the robot's clock: {error}")).ok()
}
