//! The programs of the box, over D-Bus: systemd starts, stops and restarts those of the streams, the network's programs reload the
//! settings.

use super::ApplyPlan;
use futures_util::StreamExt;
use futures_util::stream::{Select, select};
use robocast_bus::client;
use robocast_bus::names::{NET, NET_PATH};
use robocast_system::ServiceError;
use robocast_system::systemd::{JobKind, NO_SUCH_UNIT, Systemd};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use zbus::{Connection, MatchRule, MessageStream, message};

/// A program that is not ready within this is reported.
const PATIENCE: Duration = Duration::from_secs(30);
/// The network program has reloaded within this; it may be about to start.
const RELOADING: Duration = Duration::from_secs(10);
/// The programs that read the settings' file themselves.
const READERS: [&str; 2] = ["robocast-net.service", "robocast-clock.service"];
/// The target that is reached once there are settings.
const TARGETS: [&str; 2] = ["robocast-provisioned.target", "robocast-streaming.target"];

/// The result of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Whether the network program confirms that it has read the settings: before that, its status is not about them.
    pub network_reloaded: bool,
    /// Other failures, one line each: the rest is done all the same, and the verification shows which of them matter.
    pub failures: Vec<String>,
}

/// Carries the plan out and waits until its programs are ready.
///
/// # Errors
/// When systemd cannot be asked at all.
pub async fn apply_plan(bus: &Connection, plan: &ApplyPlan) -> Result<Applied, ServiceError> {
    let systemd = Systemd::on(bus).await?;
    let mut ended = systemd.ended_jobs().await?;
    let mut failures = Vec::new();
    if let Some(name) = &plan.name
        && let Err(error) = nix::unistd::sethostname(name)
    {
        failures.push(format!("the box keeps its old name until it is restarted: {error}"));
    }
    let reload = NetworkReload::request(bus, &systemd).await?;
    if plan.reload {
        // The network program reads meanwhile.
        systemd.reload().await?;
    }
    let network_reloaded = reload.wait(bus).await;
    let mut jobs = HashSet::new();
    for (units, kind) in
        [(&plan.stop, JobKind::Stop), (&plan.restart, JobKind::Restart), (&plan.start, JobKind::Start)]
    {
        for unit in units {
            match systemd.queue_job(kind, unit).await {
                Ok(job) => drop(jobs.insert(job)),
                // It was never started.
                Err(error) if kind == JobKind::Stop && error.is_named(NO_SUCH_UNIT) => {}
                Err(error) => failures.push(format!("cannot {} {unit}: {error}", kind.as_str())),
            }
        }
    }
    for target in TARGETS {
        if let Err(error) = systemd.queue_job(JobKind::Start, target).await {
            failures.push(format!("{target} is not reached: {error}"));
        }
    }
    let end = Instant::now() + PATIENCE;
    while !jobs.is_empty() {
        match timeout_at(end, ended.next()).await {
            Ok(Some(end)) => {
                if jobs.remove(&end.job) && end.result != "done" {
                    failures.push(format!("{} did not get ready: systemd says {}", end.unit, end.result));
                }
            }
            Ok(None) => return Err(ServiceError::Gone("systemd")),
            Err(_) => {
                let (left, seconds) = (jobs.len(), PATIENCE.as_secs());
                failures.push(format!("{left} programs are not ready after {seconds} s"));
                break;
            }
        }
    }
    Ok(Applied { network_reloaded, failures })
}

/// Starts a unit, and does not wait for it.
///
/// # Errors
/// When there is no such unit, or systemd cannot be asked.
pub async fn start_unit(bus: &Connection, unit: &str) -> Result<(), ServiceError> {
    Systemd::on(bus).await?.queue_job(JobKind::Start, unit).await.map(drop)
}

/// Makes the network's programs read the settings, and waits for it; returns whether they confirm it.
///
/// # Errors
/// When systemd cannot be asked at all.
pub async fn reload_network(bus: &Connection) -> Result<bool, ServiceError> {
    let systemd = Systemd::on(bus).await?;
    Ok(NetworkReload::request(bus, &systemd).await?.wait(bus).await)
}

/// A reload of the network's programs. systemd itself can wait for it from version 253 on (`Type=notify-reload`); Debian 12 has
/// 252, so the program counts its reloads on the bus.
struct NetworkReload {
    changes: Select<MessageStream, MessageStream>,
    /// How often the network program had read the settings before this.
    before: Option<u32>,
}

impl NetworkReload {
    async fn request(bus: &Connection, systemd: &Systemd) -> Result<Self, ServiceError> {
        // Subscribe to signals first, then read the count: nothing is missed in between.
        let changes = watch_net(bus).await.map_err(ServiceError::Bus)?;
        let before = count_reloads(bus).await;
        for unit in READERS {
            if let Err(error) = systemd.signal_unit(unit, nix::libc::SIGHUP).await {
                tracing::info!("{unit} cannot be told to read the settings: {error}");
            }
        }
        Ok(Self { changes, before })
    }

    /// Waits for it; returns whether the program confirms it.
    async fn wait(mut self, bus: &Connection) -> bool {
        let end = Instant::now() + RELOADING;
        loop {
            match (self.before, count_reloads(bus).await) {
                // A program that was started meanwhile has read the new settings.
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

/// How often the network program has read the settings; `None` while it is not on the bus.
async fn count_reloads(bus: &Connection) -> Option<u32> {
    client::net(bus).await.ok().flatten().map(|net| net.reads)
}

/// The signals of the network program, and those of its name.
async fn watch_net(bus: &Connection) -> zbus::Result<Select<MessageStream, MessageStream>> {
    let signal = || MatchRule::builder().msg_type(message::Type::Signal);
    let own = signal().path(NET_PATH).build()?;
    let owner = signal().sender("org.freedesktop.DBus").member("NameOwnerChanged").arg0ns(NET).build()?;
    let own = MessageStream::for_match_rule(own, bus, None).await?;
    Ok(select(own, MessageStream::for_match_rule(owner, bus, None).await?))
}
