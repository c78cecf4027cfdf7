//! `robocast net`: one loop that receives every event and decides; two reconcilers that change things.
//!
//! ```text
//!  settings --> desired --> reconciler of the robot's side --+
//!                      \--> reconciler of the uplinks -------+--> the loop --> chooser --> NetStatus on the bus
//!  push: evidence --------> traffic -------------------------+                   ^             |
//!  probes ----------------> probe scheduler -----------------+-------------------+             v
//!                                                                 push binds its sockets to `Chosen`
//! ```

use crate::preferred_uplink::{PreferredUplink, follow_preferred};
use crate::probe_scheduler::ProbeScheduler;
use crate::reconcile::{Desired, RobotReport, SideReport, UplinkReport, reconcile_robot, reconcile_uplinks};
use crate::report::{self, SettingsInUse};
use crate::robot::namespace::NamespaceError;
use crate::robot::{DesiredRobotNetwork, RobotNetwork};
use crate::rollback;
use crate::traffic::Traffic;
use crate::uplink::choice::{Chooser, UplinkEvent};
use crate::uplink::probe_outcome::ProbeOutcome;
use crate::uplink::{self, DesiredUplinks, UplinkManager};
use robocast_bus::{Evidence, NetStatus, UplinkStatus, client, server};
use robocast_config::{LoadError, Settings};
use robocast_daemon::notify::{self, Heartbeat};
use robocast_daemon::signals::{SignalEvent, Signals};
use robocast_daemon::{journal, paths};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

/// How often the choice is made again without a new event.
const TICK: Duration = Duration::from_millis(500);
/// The program is ready once the robot's side was reconciled, or after this.
const FIRST_ROUND: Duration = Duration::from_secs(20);
/// How long the reconcilers may take to end.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// The program cannot run.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The network namespaces cannot be opened.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// Signals cannot be received.
    #[error("cannot receive signals")]
    Signals(#[source] io::Error),
}

/// The settings; the defaults where there is no file, and `last` where the file is not valid.
#[must_use]
pub fn load_settings(path: &Path, last: Option<Settings>) -> Settings {
    match robocast_config::load(path) {
        Ok(checked) => checked.settings,
        Err(LoadError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => Settings::default(),
        Err(error) => {
            tracing::error!("the settings are not applied: {}", journal::chain(&error));
            last.unwrap_or_default()
        }
    }
}

/// Reconciles both sides until it is asked to stop.
///
/// # Errors
/// When it cannot start.
pub async fn run(settings: &Path) -> Result<(), NetError> {
    let mut net = NetProgram::start(settings)?;
    net.first_round().await;
    notify::ready();
    net.work().await;
    notify::stopping();
    net.end().await;
    Ok(())
}

struct NetProgram {
    path: PathBuf,
    settings: Settings,
    in_use: SettingsInUse,
    /// The desired state of each side; its reconciler ends when the sender is dropped.
    desired_robot: watch::Sender<Desired<DesiredRobotNetwork>>,
    desired_uplinks: watch::Sender<Desired<DesiredUplinks>>,
    reconcilers: [JoinHandle<()>; 2],
    preferred: watch::Sender<PreferredUplink>,
    reports: mpsc::Receiver<SideReport>,
    evidence: mpsc::UnboundedReceiver<(String, Vec<Evidence>)>,
    robot: RobotReport,
    uplinks: UplinkReport,
    plan: Vec<String>,
    traffic: Traffic,
    probes: ProbeScheduler,
    chooser: Chooser,
    /// Uplinks that were left, and have not worked since then.
    left: BTreeSet<String>,
    began: Instant,
    status: watch::Sender<NetStatus>,
    signals: Signals,
    heartbeat: Heartbeat,
}

impl NetProgram {
    fn start(path: &Path) -> Result<Self, NetError> {
        let signals = Signals::listen().map_err(NetError::Signals)?;
        let mut settings = load_settings(path, None);
        let rolled_back = rollback::apply_rollback(path, &mut settings);
        let in_use = SettingsInUse { generation: 1, rolled_back };
        let (desired_robot, robot) = watch::channel(robot_of(in_use, &settings));
        let (desired_uplinks, uplinks) = watch::channel(uplinks_of(in_use, &settings));
        let (report, reports) = mpsc::channel(8);
        let reconcilers = [
            tokio::spawn(reconcile_robot(RobotNetwork::new()?, robot, report.clone())),
            tokio::spawn(reconcile_uplinks(UplinkManager::default(), uplinks, report)),
        ];
        let (evidence_sender, evidence) = mpsc::unbounded_channel();
        tokio::spawn(client::follow_evidence(evidence_sender));
        let preferred = watch::Sender::new(PreferredUplink::default());
        let status = watch::Sender::new(NetStatus::default());
        if server::enabled() {
            tokio::spawn(follow_preferred(preferred.subscribe()));
        }
        tokio::spawn(server::serve_net(status.subscribe()));
        Ok(Self {
            path: path.to_owned(),
            settings,
            in_use,
            desired_robot,
            desired_uplinks,
            reconcilers,
            preferred,
            reports,
            evidence,
            robot: RobotReport::default(),
            uplinks: UplinkReport::default(),
            plan: Vec::new(),
            traffic: Traffic::default(),
            probes: ProbeScheduler::default(),
            chooser: Chooser::new(),
            left: BTreeSet::new(),
            began: Instant::now(),
            status,
            signals,
            heartbeat: Heartbeat::from_env(),
        })
    }

    /// Waits until the robot's interface has left the box's own network: before that, no other interface may come up
    /// there.
    async fn first_round(&mut self) {
        let reconciled = async {
            while let Some(report) = self.reports.recv().await {
                let robot = matches!(report, SideReport::Robot(_));
                self.on_report(report);
                if robot {
                    return;
                }
            }
        };
        if tokio::time::timeout(FIRST_ROUND, reconciled).await.is_err() {
            tracing::warn!("the robot's side is not ready yet; going on without it");
        }
    }

    async fn work(&mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let began = self.began;
            tokio::select! {
                Some(report) = self.reports.recv() => self.on_report(report),
                Some((stream, rows)) = self.evidence.recv() => {
                    self.traffic.record(stream, rows);
                    self.evaluate();
                }
                outcome = self.probes.next_outcome(|| began.elapsed(), &self.uplinks.egresses) => {
                    if let Some(outcome) = outcome {
                        self.on_probe(outcome);
                    }
                }
                event = self.signals.next() => match event {
                    SignalEvent::Shutdown => return,
                    SignalEvent::Reload => self.reload(),
                },
                _ = tick.tick() => {
                    self.heartbeat.beat();
                    self.evaluate();
                }
            }
            self.publish_status();
        }
    }

    fn on_report(&mut self, report: SideReport) {
        let steps = match report {
            SideReport::Robot(report) => {
                self.robot = report;
                &self.robot.steps
            }
            SideReport::Uplinks(report) => {
                self.uplinks = report;
                let links = UplinkEvent::Links(self.uplinks.links.clone());
                self.on_event(&links);
                &self.uplinks.steps
            }
        };
        if !steps.is_empty() {
            self.plan.clone_from(steps);
        }
    }

    /// Passes the streams' evidence to the chooser, and probes the uplinks without evidence.
    fn evaluate(&mut self) {
        for evidence in self.traffic.evidence() {
            self.on_event(&UplinkEvent::Traffic(evidence));
        }
        self.on_event(&UplinkEvent::Tick);
        let now = self.began.elapsed();
        let without_traffic = self.chooser.to_probe(now);
        let desired = self.desired_uplinks.borrow();
        self.probes.start_due(now, &without_traffic, &self.uplinks.egresses, &desired.state);
    }

    fn on_probe(&mut self, outcome: ProbeOutcome) {
        if outcome.result.is_ok() && self.left.remove(&outcome.interface) {
            let interface = outcome.interface.clone();
            tokio::spawn(async move {
                if let Err(error) = uplink::renew_endpoints(&interface).await {
                    tracing::info!("MPTCP opens no subflow through {interface}: {}", journal::chain(&error));
                }
            });
        }
        self.on_event(&UplinkEvent::Probe(outcome));
    }

    fn on_event(&mut self, event: &UplinkEvent) {
        let before = self.chooser.choice();
        let choice = self.chooser.on_event(self.began.elapsed(), event);
        if choice.interface != before.interface {
            let to = choice.interface.as_deref().unwrap_or("none");
            tracing::info!("uplink: {to} ({})", choice.reason);
            self.left.extend(before.interface);
            self.left.remove(to);
        }
    }

    fn publish_status(&self) {
        let (robot, uplinks, since) = (&self.robot, &self.uplinks, self.began.elapsed());
        let now = report::net_status(self.in_use, robot, uplinks, &self.plan, &self.chooser, since);
        let of = |uplink: &UplinkStatus| (uplink.interface.clone(), uplink.address.clone());
        let (chosen, others): (Vec<_>, Vec<_>) =
            now.uplinks.iter().map(of).partition(|(name, _)| *name == now.chosen);
        let address = chosen.into_iter().next().map(|(_, address)| address).unwrap_or_default();
        send_if_changed(&self.preferred, PreferredUplink { chosen: now.chosen.clone(), others, address });
        send_if_changed(&self.status, now);
    }

    fn reload(&mut self) {
        self.settings = load_settings(&self.path, Some(self.settings.clone()));
        let rolled_back = rollback::apply_rollback(&self.path, &mut self.settings);
        self.in_use = SettingsInUse { generation: self.in_use.generation + 1, rolled_back };
        self.desired_robot.send_replace(robot_of(self.in_use, &self.settings));
        self.desired_uplinks.send_replace(uplinks_of(self.in_use, &self.settings));
    }

    async fn end(self) {
        // Without the senders of the desired states, the reconcilers end.
        let Self { desired_robot, desired_uplinks, reconcilers, reports, .. } = self;
        drop((desired_robot, desired_uplinks, reports));
        for reconciler in reconcilers {
            let _ = tokio::time::timeout(SHUTDOWN, reconciler).await;
        }
    }
}

fn robot_of(in_use: SettingsInUse, settings: &Settings) -> Desired<DesiredRobotNetwork> {
    Desired { generation: in_use.generation, state: DesiredRobotNetwork::of(settings) }
}

fn uplinks_of(in_use: SettingsInUse, settings: &Settings) -> Desired<DesiredUplinks> {
    Desired { generation: in_use.generation, state: DesiredUplinks::of(settings, &paths::state()) }
}

/// Sends a value unless it is the last one.
fn send_if_changed<T: PartialEq>(to: &watch::Sender<T>, now: T) {
    to.send_if_modified(|last| {
        let changed = *last != now;
        *last = now;
        changed
    });
}
