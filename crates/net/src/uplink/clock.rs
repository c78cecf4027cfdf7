//! Which time to believe, so that TLS works after a boot in 1970. A pure ladder, and the shell around it.
//!
//! Before any unit systemd sets a clock that is older to the time of `/usr/lib/clock-epoch`, and systemd-timesyncd keeps it
//! by NTP over the uplinks. Here is what stands between the two: the clock that was saved, and the robot's.

use robocast_daemon::atomic;
use sntpc::{NtpContext, NtpTimestampGenerator, NtpUdpSocket};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::UdpSocket;
use tokio::time::timeout;
use zbus::{Connection, fdo};

/// Its time of change is that of the image: no clock is older.
pub const EPOCH: &str = "/usr/lib/clock-epoch";
/// The saved clock, in the folder of state.
pub const SAVED: &str = "clock";
/// No clock is believed that is further ahead of the image: a box is not that old, and a clock that is wrong by an era is.
const OLDEST_IMAGE: Duration = Duration::from_secs(20 * 365 * 86_400);
/// A difference that no certificate minds.
const CLOSE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// What the clock says.
    pub now: SystemTime,
    /// When the image was made.
    pub floor: SystemTime,
    /// What the clock said when it was last saved.
    pub saved: Option<SystemTime>,
    /// What the robot says.
    pub robot: Option<SystemTime>,
    /// Whether NTP keeps the clock.
    pub kept: bool,
}

/// What to set the clock to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    /// The time.
    pub to: SystemTime,
    /// Whose it is, in words.
    pub whose: &'static str,
}

/// What to set the clock to, if anything: the latest that can be believed, since no clock of ours was ever ahead of its time
/// but by a mistake that NTP mends. Never before the image's time, and never backwards: later is what files and leases bear.
#[must_use]
pub fn ladder(times: &Times) -> Option<Set> {
    let believed = |at: &SystemTime| *at >= times.floor && *at <= times.floor + OLDEST_IMAGE;
    if times.kept && times.now >= times.floor {
        return None;
    }
    let rungs = [
        (times.robot, "the robot's clock"),
        (times.saved, "the clock saved before"),
        (Some(times.floor), "the time of the image"),
    ];
    let latest = rungs
        .into_iter()
        .filter_map(|(at, whose)| Some((at.filter(believed)?, whose)))
        .max_by_key(|(at, _)| *at);
    latest.filter(|(at, _)| *at > times.now + CLOSE).map(|(to, whose)| Set { to, whose })
}

/// When the image was made; the start of time where it does not say.
#[must_use]
pub fn floor(epoch: &Path) -> SystemTime {
    epoch.metadata().and_then(|found| found.modified()).unwrap_or(UNIX_EPOCH)
}

/// The clock saved in `state`.
#[must_use]
pub fn saved(state: &Path) -> Option<SystemTime> {
    let text = std::fs::read_to_string(state.join(SAVED)).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(text.trim().parse().ok()?))
}

/// Saves the clock.
///
/// # Errors
/// When the file cannot be written; the one of before is then still there.
pub fn save(state: &Path, now: SystemTime) -> Result<(), atomic::WriteError> {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    atomic::write(&state.join(SAVED), format!("{seconds}\n").as_bytes(), 0o644)
}

/// Sets the system's clock. Needs `CAP_SYS_TIME`.
///
/// # Errors
/// When the kernel refuses.
pub fn set(to: SystemTime) -> io::Result<()> {
    let since = to.duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    let time = nix::sys::time::TimeSpec::from_duration(since);
    nix::time::clock_settime(nix::time::ClockId::CLOCK_REALTIME, time).map_err(io::Error::from)
}

/// systemd-timesyncd.
#[zbus::proxy(
    interface = "org.freedesktop.timesync1.Manager",
    default_service = "org.freedesktop.timesync1",
    default_path = "/org/freedesktop/timesync1"
)]
trait Timesync {
    /// The servers to ask before any other, until it is started anew.
    #[zbus(name = "SetRuntimeNTPServers")]
    fn set_runtime_ntp_servers(&self, runtime_servers: &[&str]) -> fdo::Result<()>;

    /// Those.
    #[zbus(property(emits_changed_signal = "false"), name = "RuntimeNTPServers")]
    fn runtime_ntp_servers(&self) -> fdo::Result<Vec<String>>;
}

/// Names the servers of `[time] ntp` to systemd-timesyncd; says whether they were others before.
///
/// # Errors
/// When it does not run, or refuses.
pub async fn name_servers(bus: &Connection, servers: &[String]) -> fdo::Result<bool> {
    let timesync = TimesyncProxy::new(bus).await?;
    if timesync.runtime_ntp_servers().await? == servers {
        return Ok(false);
    }
    timesync.set_runtime_ntp_servers(&servers.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    Ok(true)
}

/// Asks an NTP server over a socket, which may be one of another network namespace. `floor`: which era the answer is of.
///
/// # Errors
/// When nobody answers, or the server says that its own clock is not set.
pub async fn ask(socket: &UdpSocket, server: SocketAddr, floor: SystemTime) -> io::Result<SystemTime> {
    let wire = Wire(socket);
    let asked = sntpc::get_time(server, &wire, NtpContext::new(Ours::new(floor)));
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the NTP server does not answer");
    let told = timeout(PATIENCE, asked).await.map_err(late)?;
    let told =
        told.map_err(|error| io::Error::other(format!("the NTP server's answer is no use: {error:?}")))?;
    let fraction = Duration::from_nanos((u64::from(told.seconds_fraction) * 1_000_000_000) >> 32);
    let half = Duration::from_micros(told.roundtrip / 2).min(PATIENCE);
    let time = Duration::from_secs(told.seconds).saturating_add(fraction).saturating_add(half);
    UNIX_EPOCH.checked_add(time).ok_or_else(|| io::Error::other("the NTP server's time is out of range"))
}

/// A clock that is not before the image, whatever the system's says.
#[derive(Clone, Copy)]
struct Ours {
    began: Instant,
    from: Duration,
    now: Duration,
}

impl Ours {
    fn new(floor: SystemTime) -> Self {
        let from = SystemTime::now().max(floor).duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), from, now: from }
    }
}

impl NtpTimestampGenerator for Ours {
    fn init(&mut self) {
        self.now = self.from + self.began.elapsed();
    }

    fn timestamp_sec(&self) -> u64 {
        self.now.as_secs()
    }

    fn timestamp_subsec_micros(&self) -> u32 {
        self.now.subsec_micros()
    }
}

struct Wire<'a>(&'a UdpSocket);

impl NtpUdpSocket for Wire<'_> {
    async fn send_to(&self, buf: &[u8], addr: SocketAddr) -> sntpc::Result<usize> {
        self.0.send_to(buf, addr).await.map_err(|_| sntpc::Error::Network)
    }

    async fn recv_from(&self, buf: &mut [u8]) -> sntpc::Result<(usize, SocketAddr)> {
        self.0.recv_from(buf).await.map_err(|_| sntpc::Error::Network)
    }
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;
