//! systemd on D-Bus: units are read anew, programs of streams started, stopped and started again, and the network's
//! programs told to read the settings.

use super::Plan;
use futures_util::StreamExt;
use futures_util::stream::{Select, select};
use robocast_bus::client;
use robocast_bus::names::{NET, NET_PATH};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use zbus::fdo::{self, DBusProxy};
use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, message};

/// A program that is not ready within this is told of.
const PATIENCE: Duration = Duration::from_secs(30);
/// The network's program has read its settings within this; it may be about to start.
const READING: Duration = Duration::from_secs(10);
/// The programs that read the settings' file themselves.
const READERS: [&str; 2] = ["robocast-net.service", "robocast-clock.service"];
/// What is reached once there are settings.
const TARGETS: [&str; 2] = ["robocast-provisioned.target", "robocast-streaming.target"];
/// systemd's answer for a unit that nobody started.
const NOT_LOADED: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// The manager, as in org.freedesktop.systemd1(5).
#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    /// Makes it send signals.
    fn subscribe(&self) -> fdo::Result<()>;
    /// Runs the generators and loads all units anew. Answers when that is done.
    fn reload(&self) -> fdo::Result<()>;
    /// The job.
    fn start_unit(&self, name: &str, mode: &str) -> fdo::Result<OwnedObjectPath>;
    /// The job.
    fn stop_unit(&self, name: &str, mode: &str) -> fdo::Result<OwnedObjectPath>;
    /// The job.
    fn restart_unit(&self, name: &str, mode: &str) -> fdo::Result<OwnedObjectPath>;
    /// Sends a signal to the processes of a unit: `whom` is `main`, `control` or `all`.
    fn kill_unit(&self, name: &str, whom: &str, signal: i32) -> fdo::Result<()>;
    /// A job has ended; `result` is `done` when it went well.
    #[zbus(signal)]
    fn job_removed(&self, id: u32, job: OwnedObjectPath, unit: &str, result: &str) -> zbus::Result<()>;
}

/// Whether systemd is on this bus: programs elsewhere are started by others.
///
/// # Errors
/// When the bus fails.
pub async fn there(bus: &Connection) -> zbus::Result<bool> {
    Ok(DBusProxy::new(bus).await?.name_has_owner("org.freedesktop.systemd1".try_into()?).await?)
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// Whether the network's program says that it has read the settings: before that, nothing it says is about them.
    pub read: bool,
    /// What else went wrong, one line each: the rest is done all the same, and a proof shows what matters of it.
    pub troubles: Vec<String>,
}

/// Carries the plan out and waits until it is.
///
/// # Errors
/// When systemd cannot be asked at all.
pub async fn carry_out(bus: &Connection, plan: &Plan) -> fdo::Result<Carried> {
    let manager = ManagerProxy::new(bus).await?;
    manager.subscribe().await?;
    let mut ended = manager.receive_job_removed().await?;
    let mut troubles = Vec::new();
    if let Some(name) = &plan.name
        && let Err(error) = nix::unistd::sethostname(name)
    {
        troubles.push(format!("the box keeps its old name until it starts anew: {error}"));
    }
    let reading = Reading::ask(bus, &manager).await?;
    if plan.reload {
        // Meanwhile the network's program reads.
        manager.reload().await?;
    }
    let read = reading.done(bus).await;
    let mut jobs = HashSet::new();
    for (units, what) in [(&plan.stop, "stop"), (&plan.restart, "restart"), (&plan.start, "start")] {
        for unit in units {
            let asked = match what {
                "stop" => manager.stop_unit(unit, "replace").await,
                "restart" => manager.restart_unit(unit, "replace").await,
                _ => manager.start_unit(unit, "replace").await,
            };
            match asked {
                Ok(job) => drop(jobs.insert(job)),
                Err(error) if what == "stop" && is(&error, NOT_LOADED) => {}
                Err(error) => troubles.push(format!("{unit} does not {what}: {error}")),
            }
        }
    }
    for target in TARGETS {
        if let Err(error) = manager.start_unit(target, "replace").await {
            troubles.push(format!("{target} is not reached: {error}"));
        }
    }
    let end = Instant::now() + PATIENCE;
    while !jobs.is_empty() {
        match timeout_at(end, ended.next()).await {
            Ok(Some(signal)) => {
                let said = signal.args()?;
                if jobs.remove(&said.job) && said.result != "done" {
                    troubles.push(format!("{} did not get ready: systemd says {}", said.unit, said.result));
                }
            }
            Ok(None) => return Err(fdo::Error::Disconnected("the bus is gone".into())),
            Err(_) => {
                troubles.push(format!(
                    "{} programs are not ready after {} s",
                    jobs.len(),
                    PATIENCE.as_secs()
                ));
                break;
            }
        }
    }
    Ok(Carried { read, troubles })
}

/// Starts a unit, whatever becomes of it.
///
/// # Errors
/// When there is no such unit, or systemd cannot be asked.
pub async fn start(bus: &Connection, unit: &str) -> fdo::Result<()> {
    ManagerProxy::new(bus).await?.start_unit(unit, "replace").await.map(drop)
}

/// Has the network's programs read the settings, and waits until they have; whether they say so.
///
/// # Errors
/// When systemd cannot be asked at all.
pub async fn network(bus: &Connection) -> fdo::Result<bool> {
    Ok(Reading::ask(bus, &ManagerProxy::new(bus).await?).await?.done(bus).await)
}

/// The network's programs are told to read the settings.
struct Reading {
    changes: Select<MessageStream, MessageStream>,
    /// How often the network's program had read before it was told.
    before: Option<u32>,
}

impl Reading {
    async fn ask(bus: &Connection, manager: &ManagerProxy<'_>) -> fdo::Result<Self> {
        // Listened to before it is asked how often it has read: nothing falls in between.
        let [told, came] = changes_of_net()?;
        let told = MessageStream::for_match_rule(told, bus, None).await?;
        let changes = select(told, MessageStream::for_match_rule(came, bus, None).await?);
        let before = reads(bus).await;
        for unit in READERS {
            if let Err(error) = manager.kill_unit(unit, "main", nix::libc::SIGHUP).await {
                tracing::info!("{unit} cannot be told to read the settings: {error}");
            }
        }
        Ok(Self { changes, before })
    }

    /// Waits until it has; whether it says so.
    async fn done(mut self, bus: &Connection) -> bool {
        let end = Instant::now() + READING;
        loop {
            match (self.before, reads(bus).await) {
                // One that began meanwhile has read the new settings first of all.
                (None, Some(_)) => return true,
                (Some(before), Some(now)) if now != before => return true,
                _ => {}
            }
            if !matches!(timeout_at(end, self.changes.next()).await, Ok(Some(_))) {
                return false;
            }
        }
    }
}

/// How often the network's program has read its settings; none while it is not on the bus.
async fn reads(bus: &Connection) -> Option<u32> {
    client::net(bus).await.ok().flatten().map(|net| net.reads)
}

/// What the network's program tells, and its coming and going.
fn changes_of_net() -> zbus::Result<[MatchRule<'static>; 2]> {
    let signal = || MatchRule::builder().msg_type(message::Type::Signal);
    let told = signal().path(NET_PATH).build()?;
    let came = signal().sender("org.freedesktop.DBus").member("NameOwnerChanged").arg0ns(NET).build()?;
    Ok([told, came])
}

/// Whether an error is this one of systemd's.
fn is(error: &fdo::Error, name: &str) -> bool {
    matches!(error, fdo::Error::ZBus(zbus::Error::MethodError(told, ..)) if told.as_str() == name)
}
