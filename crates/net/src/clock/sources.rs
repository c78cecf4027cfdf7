//! The sources of the time, so that TLS works after a boot in 1970: [`best_time`] chooses among them, and is pure; the rest reads
//! and sets clocks.

use robocast_daemon::{atomic, epoch};
use sntpc::{NtpContext, NtpTimestampGenerator, NtpUdpSocket};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// The file of the saved clock, in the folder of state.
pub const SAVED_CLOCK: &str = "clock";
/// A difference that matters to no certificate.
const CLOSE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(2);

/// The times that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// The clock's time.
    pub now: SystemTime,
    /// When the image was made.
    pub image: SystemTime,
    /// The clock's time when it was last saved.
    pub saved: Option<SystemTime>,
    /// The robot's time.
    pub robot: Option<SystemTime>,
    /// Whether NTP keeps the clock.
    pub synchronized: bool,
}

/// The time to which the clock is to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BestTime {
    /// The time.
    pub time: SystemTime,
    /// Its source, for people.
    pub source: &'static str,
}

/// The time to which the clock is to be set, if any: the latest plausible one, since a clock here is only ever ahead of
/// time by a mistake that NTP corrects. Never before the image's time, and never backwards: files and leases already
/// have later times.
#[must_use]
pub fn best_time(known: &Candidates) -> Option<BestTime> {
    if known.synchronized && known.now >= known.image {
        return None;
    }
    let candidates = [
        (known.robot, "the robot's clock"),
        (known.saved, "the clock saved before"),
        (Some(known.image), "the time of the image"),
    ];
    let plausible = |time: &SystemTime| epoch::plausible_after(*time, Some(known.image));
    let latest = candidates
        .into_iter()
        .filter_map(|(time, source)| Some(BestTime { time: time.filter(plausible)?, source }))
        .max_by_key(|best| best.time);
    latest.filter(|best| best.time > known.now + CLOSE)
}

/// The time saved in `state`.
#[must_use]
pub fn saved_time(state: &Path) -> Option<SystemTime> {
    let text = std::fs::read_to_string(state.join(SAVED_CLOCK)).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(text.trim().parse().ok()?))
}

/// Saves the time.
///
/// # Errors
/// When the file cannot be written; the previous one is then still there.
pub fn save_time(state: &Path, now: SystemTime) -> Result<(), atomic::WriteError> {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    atomic::write(&state.join(SAVED_CLOCK), format!("{seconds}\n").as_bytes(), 0o644)
}

/// Sets the system's clock. Needs `CAP_SYS_TIME`.
///
/// # Errors
/// When the kernel refuses.
pub fn set_clock(to: SystemTime) -> io::Result<()> {
    let since = to.duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    let time = nix::sys::time::TimeSpec::from_duration(since);
    nix::time::clock_settime(nix::time::ClockId::CLOCK_REALTIME, time).map_err(io::Error::from)
}

/// Asks an NTP server over a socket, which may belong to another network namespace. `image` decides the era of the answer.
///
/// # Errors
/// When there is no answer, or the server reports that its own clock is not set.
pub async fn ask_ntp(socket: &UdpSocket, server: SocketAddr, image: SystemTime) -> io::Result<SystemTime> {
    let socket = NtpSocket(socket);
    let asked = sntpc::get_time(server, &socket, NtpContext::new(ImageClock::new(image)));
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the NTP server does not answer");
    let answer = timeout(PATIENCE, asked).await.map_err(late)?;
    let answer = answer
        .map_err(|error| io::Error::other(format!("the NTP server's answer is not usable: {error:?}")))?;
    let fraction = Duration::from_nanos((u64::from(answer.seconds_fraction) * 1_000_000_000) >> 32);
    let half = Duration::from_micros(answer.roundtrip / 2).min(PATIENCE);
    let time = Duration::from_secs(answer.seconds).saturating_add(fraction).saturating_add(half);
    UNIX_EPOCH.checked_add(time).ok_or_else(|| io::Error::other("the NTP server's time is out of range"))
}

/// A clock that is not before the image, whatever the system's clock shows.
#[derive(Clone, Copy)]
struct ImageClock {
    began: Instant,
    from: Duration,
    now: Duration,
}

impl ImageClock {
    fn new(image: SystemTime) -> Self {
        let from = SystemTime::now().max(image).duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), from, now: from }
    }
}

impl NtpTimestampGenerator for ImageClock {
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

struct NtpSocket<'a>(&'a UdpSocket);

impl NtpUdpSocket for NtpSocket<'_> {
    async fn send_to(&self, buf: &[u8], addr: SocketAddr) -> sntpc::Result<usize> {
        self.0.send_to(buf, addr).await.map_err(|_| sntpc::Error::Network)
    }

    async fn recv_from(&self, buf: &mut [u8]) -> sntpc::Result<(usize, SocketAddr)> {
        self.0.recv_from(buf).await.map_err(|_| sntpc::Error::Network)
    }
}

#[cfg(test)]
mod tests;
