//! Keeps the clock believable until NTP does, and names the settings' servers to it.

use crate::robot::namespace::Namespace;
use crate::robot::side::NAMESPACE;
use crate::uplink::clock::{self, Times};
use robocast_daemon::{journal, places};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use zbus::connection;

/// systemd-timesyncd makes this file once a server has answered.
const KEPT: &str = "/run/systemd/timesync/synchronized";
/// Until NTP keeps the clock, the robot is asked again after this.
const SOON: Duration = Duration::from_secs(30);
/// From then on the clock is saved this often: what a boot without any clock may be behind.
const SAVED: Duration = Duration::from_secs(30 * 60);
/// NTP (RFC 5905).
const PORT: u16 = 123;

/// What the settings say of the time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The robot, which may have a clock.
    pub robot: Option<IpAddr>,
    /// `[time] ntp`
    pub servers: Vec<String>,
}

impl Wanted {
    /// What `settings` want.
    #[must_use]
    pub fn of(settings: &robocast_config::Settings) -> Self {
        Self { robot: settings.robot.address, servers: settings.time.ntp.clone() }
    }
}

/// Keeps the clock until nobody wants it any more.
pub async fn keep(mut wanted: watch::Receiver<Wanted>) {
    let state = places::state();
    loop {
        let now = wanted.borrow_and_update().clone();
        name_servers(&now.servers).await;
        let kept = Path::new(KEPT).exists();
        let floor = clock::floor(Path::new(clock::EPOCH));
        let robot = match now.robot {
            Some(robot) if !kept => ask(robot, floor).await,
            _ => None,
        };
        let times = Times { now: SystemTime::now(), floor, saved: clock::saved(&state), robot, kept };
        if let Some(set) = clock::ladder(&times) {
            match clock::set(set.to) {
                Ok(()) => tracing::info!("the clock was behind; it is set to {}", set.whose),
                Err(error) => tracing::warn!("the clock cannot be set to {}: {error}", set.whose),
            }
        }
        if (kept || robot.is_some())
            && let Err(error) = clock::save(&state, SystemTime::now())
        {
            tracing::warn!("the clock is not saved: {}", journal::chain(&error));
        }
        let pause = if kept { SAVED } else { SOON };
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
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

/// The robot's clock, asked from within its namespace.
async fn ask(robot: IpAddr, floor: SystemTime) -> Option<SystemTime> {
    let asking = async {
        let namespace = Namespace::open(NAMESPACE).map_err(io::Error::other)?;
        let namespace = namespace.ok_or_else(|| io::Error::other("there is no robot's side"))?;
        let any: IpAddr = match robot {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        // A socket stays in the namespace that it was made in.
        let socket = namespace.run(move || UdpSocket::bind(SocketAddr::new(any, 0))).await??;
        socket.set_nonblocking(true)?;
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        clock::ask(&socket, SocketAddr::new(robot, PORT), floor).await
    };
    asking.await.inspect_err(|error| tracing::debug!("the robot's clock: {error}")).ok()
}
