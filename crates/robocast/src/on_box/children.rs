//! The programs that `robocast run` keeps alive, as systemd does on the box: READY, STATUS and the
//! watchdog over a notify socket, a restart with capped backoff when one dies.

use robocast_bus::{CameraStatus, PushStatus};
use robocast_daemon::backoff::Backoff;
use robocast_daemon::notify::STATUS_FIELD;
use robocast_daemon::{paths, spawn};
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixDatagram;
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A program that shows no sign of life for so long is killed and started again.
const WATCHDOG: Duration = Duration::from_secs(10);
/// A program that has run for so long counts as started.
const STEADY: Duration = Duration::from_secs(10);
/// A rate that was said longer ago is no longer true: the program died, or hangs.
const STALE: Duration = Duration::from_secs(3);
/// A program that was asked to end gets so long.
const GRACE: Duration = Duration::from_secs(5);

/// Which of a stream's programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Camera,
    Push,
}

impl Role {
    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Push => "push",
        }
    }

    /// The executable: only the camera needs the one that links GStreamer.
    fn executable(self) -> PathBuf {
        match self {
            Self::Camera => spawn::sibling("robocast-media"),
            Self::Push => std::env::current_exe().unwrap_or_else(|_| spawn::sibling("robocast")),
        }
    }
}

/// What a child last said.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Its status as JSON; empty before the first.
    pub json: String,
    /// When that was.
    pub at: Option<Instant>,
    /// Times it was started again.
    pub restarts: u64,
    /// It could never be started, for this reason.
    pub never: Option<String>,
}

impl Said {
    /// As the status type of its role.
    pub fn status<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.json).ok()
    }

    /// As a push program's: one that says nothing any more sends nothing.
    pub fn push(&self, now: Instant) -> Option<PushStatus> {
        let mut status: PushStatus = self.status()?;
        if self.at.is_none_or(|at| now.duration_since(at) > STALE) {
            status.sinks.iter_mut().for_each(|sink| sink.bitrate_bps = 0);
        }
        Some(status)
    }
}

/// A child that is kept alive for as long as this value lives.
#[derive(Debug)]
pub struct Keeper {
    said: watch::Receiver<Said>,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Reread,
    End,
}

impl Keeper {
    /// Keeps the program of `stream` alive. Its log lines go to `lines`, if there is somebody to take them.
    pub fn start(
        role: Role,
        stream: &str,
        settings: &Path,
        lines: Option<mpsc::UnboundedSender<String>>,
    ) -> Self {
        let (tell, said) = watch::channel(Said::default());
        let (orders, taken) = mpsc::channel(4);
        let work = Work {
            role,
            stream: stream.to_owned(),
            settings: settings.to_owned(),
            lines,
            tell,
            orders: taken,
            totals: Totals::default(),
        };
        Self { said, orders, task: tokio::spawn(work.run()) }
    }

    /// What it last said; counters go on over restarts.
    pub fn said(&self) -> Said {
        self.said.borrow().clone()
    }

    /// Makes it read its settings again.
    pub async fn reread(&self) {
        let _ = self.orders.send(Order::Reread).await;
    }

    /// Ends it.
    pub async fn stop(self) {
        let _ = self.orders.send(Order::End).await;
        let _ = self.task.await;
    }
}

struct Work {
    role: Role,
    stream: String,
    settings: PathBuf,
    lines: Option<mpsc::UnboundedSender<String>>,
    tell: watch::Sender<Said>,
    orders: mpsc::Receiver<Order>,
    totals: Totals,
}

/// How a child's life ended.
enum End {
    Ordered,
    Died(String),
}

impl Work {
    async fn run(mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        loop {
            let wait = backoff.next_wait();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                order = self.orders.recv() => if order != Some(Order::Reread) { return },
            }
            let began = Instant::now();
            match self.live().await {
                Ok(End::Ordered) => return,
                Ok(End::Died(why)) => {
                    tracing::warn!(
                        stream = self.stream,
                        "{} ended: {why}; starting it again",
                        self.role.word()
                    );
                    self.totals.fold(self.role);
                    self.tell.send_modify(|said| said.restarts += 1);
                }
                Err(error) => {
                    let why = format!("{} cannot be started: {error}", self.role.word());
                    tracing::error!(stream = self.stream, "{why}");
                    self.tell.send_modify(|said| said.never = Some(why));
                }
            }
            if began.elapsed() > STEADY {
                backoff.reset();
            }
        }
    }

    /// One life of the child.
    async fn live(&mut self) -> io::Result<End> {
        let socket = paths::run().join(format!("notify-{}-{}", self.role.word(), self.stream));
        let _ = std::fs::remove_file(&socket);
        let notices = UnixDatagram::bind(&socket)?;
        let mut child = self.spawn(&socket)?;
        let mut buffer = vec![0; 64 << 10];
        let mut alive = Instant::now();
        let end = loop {
            tokio::select! {
                status = child.wait() => break End::Died(status.map_or_else(|e| e.to_string(), |s| s.to_string())),
                received = notices.recv(&mut buffer) => {
                    let notice = String::from_utf8_lossy(&buffer[..received?]);
                    if notice.lines().any(|line| line == "WATCHDOG=1" || line == "READY=1") {
                        alive = Instant::now();
                    }
                    let field = notice.lines().find_map(|line| line.strip_prefix(STATUS_FIELD)?.strip_prefix('='));
                    if let Some(json) = field {
                        let json = self.totals.add(self.role, json);
                        self.tell.send_modify(|said| { said.json = json; said.at = Some(Instant::now()); said.never = None; });
                    }
                }
                () = tokio::time::sleep_until(alive + WATCHDOG) => {
                    tracing::error!(stream = self.stream, "{} hangs and is killed", self.role.word());
                    child.kill().await?;
                }
                order = self.orders.recv() => match order {
                    Some(Order::Reread) => signal(&child, nix::sys::signal::Signal::SIGHUP),
                    _ => {
                        signal(&child, nix::sys::signal::Signal::SIGTERM);
                        if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
                            child.kill().await?;
                        }
                        break End::Ordered;
                    }
                },
            }
        };
        let _ = std::fs::remove_file(&socket);
        Ok(end)
    }

    fn spawn(&self, socket: &Path) -> io::Result<Child> {
        let mut program = spawn::Program::new(self.role.executable(), "robocast")
            .arg(self.role.word())
            .arg(&self.stream)
            .arg("--settings")
            .arg(&self.settings)
            .env("NOTIFY_SOCKET", socket)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .env("ROBOCAST_RUN", paths::run())
            // Streaming threads share few heaps: GStreamer's many threads would each get one.
            .env("MALLOC_ARENA_MAX", "2");
        if std::env::var_os("DBUS_SYSTEM_BUS_ADDRESS").is_none() {
            // The machine's own bus is not for a trial run; one that was named is.
            program = program.env("ROBOCAST_BUS", "off");
        }
        if self.lines.is_some() {
            program = program.errors_piped();
        }
        let mut child = program.start()?;
        if let (Some(errors), Some(lines)) = (child.stderr.take(), self.lines.clone()) {
            tokio::spawn(async move {
                let mut from = BufReader::new(errors).lines();
                while let Ok(Some(line)) = from.next_line().await {
                    let _ = lines.send(line);
                }
            });
        }
        Ok(child)
    }
}

fn signal(child: &Child, signal: nix::sys::signal::Signal) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
    }
}

/// Counters over the lives of a child: each life counts from zero.
#[derive(Debug, Default)]
struct Totals {
    camera: CameraStatus,
    camera_now: CameraStatus,
    push: PushStatus,
    push_now: PushStatus,
}

impl Totals {
    /// The status of this life with the counters of all.
    fn add(&mut self, role: Role, json: &str) -> String {
        let sum = match role {
            Role::Camera => serde_json::from_str(json).map(|now| {
                self.camera_now = now;
                serde_json::to_string(&self.camera_sum())
            }),
            Role::Push => serde_json::from_str(json).map(|now| {
                self.push_now = now;
                serde_json::to_string(&self.push_sum())
            }),
        };
        sum.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// This life is over: what it counted stays.
    fn fold(&mut self, role: Role) {
        match role {
            Role::Camera => {
                self.camera = self.camera_sum();
                self.camera_now = CameraStatus::default();
            }
            Role::Push => {
                self.push = self.push_sum();
                self.push.sinks.iter_mut().for_each(|sink| sink.bitrate_bps = 0);
                self.push_now = PushStatus::default();
            }
        }
    }

    fn camera_sum(&self) -> CameraStatus {
        let (before, now) = (&self.camera, &self.camera_now);
        CameraStatus {
            frames_in: before.frames_in + now.frames_in,
            frames_out: before.frames_out + now.frames_out,
            bytes_out: before.bytes_out + now.bytes_out,
            keyframes: before.keyframes + now.keyframes,
            broken: before.broken + now.broken,
            rebuilds: before.rebuilds + now.rebuilds,
            ..now.clone()
        }
    }

    fn push_sum(&self) -> PushStatus {
        let mut sum = self.push_now.clone();
        if sum.sinks.is_empty() {
            sum.sinks.clone_from(&self.push.sinks);
            return sum;
        }
        // By place: URLs without their keys may be the same.
        for (sink, before) in sum.sinks.iter_mut().zip(&self.push.sinks) {
            if before.url != sink.url {
                continue;
            }
            // The session that the former life held was made anew too.
            sink.reconnects += before.reconnects + u64::from(before.frames_out > 0 && sink.frames_out > 0);
            sink.frames_out += before.frames_out;
            sink.bytes_out += before.bytes_out;
            sink.keyframes += before.keyframes;
            sink.skipped += before.skipped;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use robocast_bus::SinkStatus;

    fn push(frames_out: u64, reconnects: u64) -> String {
        let url = "rtmp://host/live/***".to_owned();
        let sinks = vec![SinkStatus { url, frames_out, reconnects, ..SinkStatus::default() }];
        serde_json::to_string(&PushStatus { sinks, ..PushStatus::default() }).unwrap()
    }

    #[test]
    fn a_rate_that_is_not_said_again_is_soon_no_rate() {
        let sinks = vec![SinkStatus { bitrate_bps: 800, frames_out: 7, ..SinkStatus::default() }];
        let json = serde_json::to_string(&PushStatus { sinks, ..PushStatus::default() }).unwrap();
        let now = Instant::now();
        let said = Said { json, at: Some(now), ..Said::default() };
        assert_eq!(said.push(now + STALE).unwrap().sinks[0].bitrate_bps, 800);
        let sink = &said.push(now + STALE + Duration::from_millis(1)).unwrap().sinks[0];
        assert_eq!((sink.bitrate_bps, sink.frames_out), (0, 7), "what was counted stays");
    }

    #[test]
    fn counters_go_on_over_the_death_of_a_program() {
        let mut totals = Totals::default();
        totals.add(Role::Push, &push(100, 1));
        totals.fold(Role::Push);
        let sum: PushStatus = serde_json::from_str(&totals.add(Role::Push, &push(5, 0))).unwrap();
        assert_eq!((sum.sinks[0].frames_out, sum.sinks[0].reconnects), (105, 2));
        let camera =
            |n| serde_json::to_string(&CameraStatus { frames_in: n, ..CameraStatus::default() }).unwrap();
        totals.add(Role::Camera, &camera(7));
        totals.fold(Role::Camera);
        let sum: CameraStatus = serde_json::from_str(&totals.add(Role::Camera, &camera(3))).unwrap();
        assert_eq!(sum.frames_in, 10);
    }
}
