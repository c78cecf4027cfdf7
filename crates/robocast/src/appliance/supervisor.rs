//! The programs that `robocast run` keeps alive, as systemd does on a box: READY and the watchdog over a notify socket,
//! a restart with capped backoff when one dies. The status of a program comes from its D-Bus object, which it serves at
//! its own socket below the run-time folder.

use crate::appliance::totals::{SupervisedStatus, Totals};
use robocast_bus::client;
use robocast_bus::mode::{self, BusMode, sockets_folder};
use robocast_bus::names::Program;
use robocast_daemon::backoff::Backoff;
use robocast_daemon::{paths, spawn};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixDatagram;
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A program without a sign of life for this long is killed and started again.
const WATCHDOG: Duration = Duration::from_secs(10);
/// A program that has run for this long counts as started.
const STEADY: Duration = Duration::from_secs(10);
/// A program is asked for its counters this often.
const ASK_EACH: Duration = Duration::from_secs(1);
/// A rate that is older than this is no longer true: the program died, or hangs.
const STALE: Duration = Duration::from_secs(3);
/// How long a program that was asked to stop may take.
const GRACE: Duration = Duration::from_secs(5);

/// The executable of a program: only the camera needs the one that links GStreamer.
fn executable(program: Program) -> PathBuf {
    match program {
        Program::Camera => spawn::sibling("robocast-media"),
        Program::Push => std::env::current_exe().unwrap_or_else(|_| spawn::sibling("robocast")),
    }
}

/// The last known status of a child.
#[derive(Debug, Clone)]
pub struct ChildReport<S> {
    /// Its last status, with the counters of its earlier lives; none before the first.
    status: Option<S>,
    /// When that status arrived.
    at: Option<Instant>,
    /// How often it was started again.
    pub restarts: u64,
    /// It could not be started, for this reason.
    pub failure: Option<String>,
}

impl<S> Default for ChildReport<S> {
    fn default() -> Self {
        Self { status: None, at: None, restarts: 0, failure: None }
    }
}

impl<S: SupervisedStatus> ChildReport<S> {
    /// Its status at `now`: a program that is silent sends nothing.
    pub fn status(&self, now: Instant) -> Option<S> {
        let mut status = self.status.clone()?;
        if self.at.is_none_or(|at| now.duration_since(at) > STALE) {
            status.clear_rates();
        }
        Some(status)
    }
}

/// A child that is kept alive for as long as this value lives.
#[derive(Debug)]
pub struct Supervised<S> {
    report: watch::Receiver<ChildReport<S>>,
    commands: mpsc::Sender<ChildCommand>,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChildCommand {
    Reload,
    Stop,
}

impl<S: SupervisedStatus> Supervised<S> {
    /// Keeps the program of `stream` alive. Its log lines are sent to `lines`, if there is a receiver.
    pub fn start(stream: &str, settings: &Path, lines: Option<mpsc::UnboundedSender<String>>) -> Self {
        let (publish, report) = watch::channel(ChildReport::default());
        let (commands, received) = mpsc::channel(4);
        let supervisor = Supervisor {
            stream: stream.to_owned(),
            settings: settings.to_owned(),
            lines,
            report: publish,
            commands: received,
            totals: Totals::default(),
        };
        Self { report, commands, task: tokio::spawn(supervisor.run()) }
    }

    /// Its last known status.
    pub fn report(&self) -> ChildReport<S> {
        self.report.borrow().clone()
    }

    /// Makes it read its settings again.
    pub async fn reload(&self) {
        let _ = self.commands.send(ChildCommand::Reload).await;
    }

    /// Ends it.
    pub async fn stop(self) {
        let _ = self.commands.send(ChildCommand::Stop).await;
        let _ = self.task.await;
    }
}

struct Supervisor<S> {
    stream: String,
    settings: PathBuf,
    lines: Option<mpsc::UnboundedSender<String>>,
    report: watch::Sender<ChildReport<S>>,
    commands: mpsc::Receiver<ChildCommand>,
    totals: Totals<S>,
}

/// How a child's life ended.
enum EndOfLife {
    Commanded,
    Died(String),
}

impl<S: SupervisedStatus> Supervisor<S> {
    async fn run(mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        loop {
            let wait = backoff.next_wait();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                command = self.commands.recv() => if command != Some(ChildCommand::Reload) { return },
            }
            let began = Instant::now();
            let name = S::PROGRAM.word();
            match self.live().await {
                Ok(EndOfLife::Commanded) => return,
                Ok(EndOfLife::Died(why)) => {
                    tracing::warn!(stream = self.stream, "{name} ended: {why}; starting it again");
                    self.totals.end_life();
                    self.report.send_modify(|report| report.restarts += 1);
                }
                Err(error) => {
                    let why = format!("{name} cannot be started: {error}");
                    tracing::error!(stream = self.stream, "{why}");
                    self.report.send_modify(|report| report.failure = Some(why));
                }
            }
            if began.elapsed() > STEADY {
                backoff.reset();
            }
        }
    }

    /// One life of the child.
    async fn live(&mut self) -> io::Result<EndOfLife> {
        let name = S::PROGRAM.word();
        let socket = paths::run().join(format!("notify-{name}-{}", self.stream));
        let _ = std::fs::remove_file(&socket);
        let notices = UnixDatagram::bind(&socket)?;
        let mut child = self.spawn(&socket)?;
        let mut statuses = self.watch_status();
        let mut buffer = vec![0; 4 << 10];
        let mut alive = Instant::now();
        let end = loop {
            tokio::select! {
                status = child.wait() => {
                    break EndOfLife::Died(status.map_or_else(|e| e.to_string(), |s| s.to_string()));
                }
                received = notices.recv(&mut buffer) => {
                    let notice = String::from_utf8_lossy(&buffer[..received?]);
                    if notice.lines().any(|line| line == "WATCHDOG=1" || line == "READY=1") {
                        alive = Instant::now();
                    }
                }
                Some(status) = statuses.recv() => {
                    let status = Some(self.totals.update(status));
                    self.report.send_modify(|report| {
                        *report = ChildReport { status, at: Some(Instant::now()), failure: None, ..*report };
                    });
                }
                () = tokio::time::sleep_until(alive + WATCHDOG) => {
                    tracing::error!(stream = self.stream, "{name} hangs and is killed");
                    child.kill().await?;
                }
                command = self.commands.recv() => match command {
                    Some(ChildCommand::Reload) => signal(&child, nix::sys::signal::Signal::SIGHUP),
                    _ => {
                        signal(&child, nix::sys::signal::Signal::SIGTERM);
                        if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
                            child.kill().await?;
                        }
                        break EndOfLife::Commanded;
                    }
                },
            }
        };
        let _ = std::fs::remove_file(&socket);
        Ok(end)
    }

    /// The child's statuses from now on, until the receiver is dropped.
    fn watch_status(&self) -> mpsc::Receiver<S> {
        let (send, statuses) = mpsc::channel(1);
        let service = S::PROGRAM.service(&self.stream);
        tokio::spawn(async move { client::watch_status(&sockets_folder(), &service, ASK_EACH, send).await });
        statuses
    }

    fn spawn(&self, socket: &Path) -> io::Result<Child> {
        let mut program = spawn::ChildCommand::new(executable(S::PROGRAM), "robocast")
            .arg(S::PROGRAM.word())
            .arg(&self.stream)
            .arg("--settings")
            .arg(&self.settings)
            .env("NOTIFY_SOCKET", socket)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .env("ROBOCAST_RUN", paths::run())
            .env(mode::VARIABLE, mode_of_children().word())
            // Streaming threads share few heaps: otherwise each of GStreamer's many threads would get one.
            .env("MALLOC_ARENA_MAX", "2");
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

/// A trial run does not use the machine's own bus, unless one was named.
fn mode_of_children() -> BusMode {
    let named = std::env::var_os("DBUS_SYSTEM_BUS_ADDRESS").is_some();
    if named && BusMode::from_env().uses_system_bus() { BusMode::Both } else { BusMode::Sockets }
}

fn signal(child: &Child, signal: nix::sys::signal::Signal) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use robocast_bus::{PushStatus, SinkStatus};

    #[test]
    fn a_rate_that_is_not_said_again_is_soon_no_rate() {
        let sinks = vec![SinkStatus { bitrate_bps: 800, frames_out: 7, ..SinkStatus::default() }];
        let now = Instant::now();
        let status = Some(PushStatus { sinks, ..PushStatus::default() });
        let report = ChildReport { status, at: Some(now), ..ChildReport::default() };
        assert_eq!(report.status(now + STALE).unwrap().sinks[0].bitrate_bps, 800);
        let sink = &report.status(now + STALE + Duration::from_millis(1)).unwrap().sinks[0];
        assert_eq!((sink.bitrate_bps, sink.frames_out), (0, 7), "what was counted stays");
    }
}
