//! `robocast net`: one loop that hears everything and decides; two keepers that change things.
//!
//! ```text
//!  settings --> wanted --> keeper of the robot's side --+
//!                     \--> keeper of the uplinks -------+--> the loop --> chooser --> NetStatus on the bus
//!  push: evidence ------> flow -------------------------+                   ^             |
//!  probes --------------> asking -----------------------+-------------------+             v
//!                                                              push binds its sockets to `Chosen`
//! ```

use crate::asking::Asking;
use crate::flow::Flow;
use crate::former;
use crate::keep::{self, Order, Report, RobotReport, UplinkReport};
use crate::report::Read;
use crate::robot::namespace::NamespaceError;
use crate::uplink::choice::{Chooser, Sign};
use crate::uplink::evidence::Probed;
use crate::ways::{self, Ways};
use crate::{report, robot, uplink};
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

/// How often what is known is weighed without anything new.
const TICK: Duration = Duration::from_millis(500);
/// Before it serves, the robot's side stands, or has had this long.
const FIRST_ROUND: Duration = Duration::from_secs(20);
/// Good-byes may take this long.
const PARTING: Duration = Duration::from_secs(5);

/// The program cannot run.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The namespaces cannot be told apart.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// Signals cannot be listened to.
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
}

/// The settings; those of a box that nobody has given any where there are none, and `last` where they cannot be used.
#[must_use]
pub fn settings(path: &Path, last: Option<Settings>) -> Settings {
    match robocast_config::load(path) {
        Ok(checked) => checked.settings,
        Err(LoadError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => Settings::default(),
        Err(error) => {
            tracing::error!("settings not taken over: {}", journal::chain(&error));
            last.unwrap_or_default()
        }
    }
}

/// Keeps both sides until it is told to end.
///
/// # Errors
/// When it cannot start.
pub async fn run(settings: &Path) -> Result<(), NetError> {
    let mut net = Net::start(settings)?;
    net.first_round().await;
    notify::ready();
    net.work().await;
    notify::stopping();
    net.end().await;
    Ok(())
}

struct Net {
    path: PathBuf,
    settings: Settings,
    read: Read,
    /// What each side is to be; its keeper ends when this goes.
    robot_wanted: watch::Sender<Order<robot::Wanted>>,
    uplinks_wanted: watch::Sender<Order<uplink::Wanted>>,
    keepers: [JoinHandle<()>; 2],
    ways: watch::Sender<Ways>,
    reports: mpsc::Receiver<Report>,
    evidence: mpsc::UnboundedReceiver<(String, Vec<Evidence>)>,
    robot: RobotReport,
    uplinks: UplinkReport,
    plan: Vec<String>,
    flow: Flow,
    asking: Asking,
    chooser: Chooser,
    /// Uplinks that were left, and have shown nothing good since.
    left: BTreeSet<String>,
    began: Instant,
    status: watch::Sender<NetStatus>,
    signals: Signals,
    heartbeat: Heartbeat,
}

impl Net {
    fn start(path: &Path) -> Result<Self, NetError> {
        let signals = Signals::listen().map_err(NetError::Signals)?;
        let mut settings = settings(path, None);
        let read = Read { times: 1, former: former::take(path, &mut settings) };
        let (robot_wanted, robot_side) = watch::channel(robot_order(read, &settings));
        let (uplinks_wanted, uplink_side) = watch::channel(uplink_order(read, &settings));
        let (tell, reports) = mpsc::channel(8);
        let keepers = [
            tokio::spawn(keep::robot(robot::Side::new()?, robot_side, tell.clone())),
            tokio::spawn(keep::uplinks(uplink::Side::default(), uplink_side, tell)),
        ];
        let ways = watch::Sender::new(Ways::default());
        if server::enabled() {
            tokio::spawn(ways::follow(ways.subscribe()));
        }
        let (told, evidence) = mpsc::unbounded_channel();
        tokio::spawn(client::follow_evidence(told));
        let status = watch::Sender::new(NetStatus::default());
        tokio::spawn(server::serve_net(status.subscribe()));
        Ok(Self {
            path: path.to_owned(),
            settings,
            read,
            robot_wanted,
            uplinks_wanted,
            keepers,
            ways,
            reports,
            evidence,
            robot: RobotReport::default(),
            uplinks: UplinkReport::default(),
            plan: Vec::new(),
            flow: Flow::default(),
            asking: Asking::default(),
            chooser: Chooser::new(),
            left: BTreeSet::new(),
            began: Instant::now(),
            status,
            signals,
            heartbeat: Heartbeat::from_env(),
        })
    }

    /// The robot's interface leaves the box's own network before anything else comes up there.
    async fn first_round(&mut self) {
        let standing = async {
            while let Some(report) = self.reports.recv().await {
                let robot = matches!(report, Report::Robot(_));
                self.heard(report);
                if robot {
                    return;
                }
            }
        };
        if tokio::time::timeout(FIRST_ROUND, standing).await.is_err() {
            tracing::warn!("the robot's side does not stand yet; going on");
        }
    }

    async fn work(&mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let began = self.began;
            tokio::select! {
                Some(report) = self.reports.recv() => self.heard(report),
                Some((stream, rows)) = self.evidence.recv() => {
                    self.flow.tell(stream, rows);
                    self.weigh();
                }
                probed = self.asking.answer(|| began.elapsed(), &self.uplinks.ways) => if let Some(probed) = probed {
                    self.probed(probed);
                },
                wish = self.signals.next() => match wish {
                    SignalEvent::Shutdown => return,
                    SignalEvent::Reload => self.reread(),
                },
                _ = tick.tick() => {
                    self.heartbeat.beat();
                    self.weigh();
                }
            }
            self.tell();
        }
    }

    fn heard(&mut self, report: Report) {
        let steps = match report {
            Report::Robot(report) => {
                self.robot = report;
                &self.robot.steps
            }
            Report::Uplinks(report) => {
                self.uplinks = report;
                let links = Sign::Links(self.uplinks.links.clone());
                self.sign(&links);
                &self.uplinks.steps
            }
        };
        if !steps.is_empty() {
            self.plan.clone_from(steps);
        }
    }

    /// What the streams show holds until they show something else; what they do not show is asked for.
    fn weigh(&mut self) {
        for evidence in self.flow.evidence() {
            self.sign(&Sign::Flow(evidence));
        }
        self.sign(&Sign::Tick);
        let now = self.began.elapsed();
        let silent = self.chooser.to_probe(now);
        self.asking.ask(now, &silent, &self.uplinks.ways, &self.uplinks_wanted.borrow().wanted);
    }

    fn probed(&mut self, probed: Probed) {
        if probed.result.is_ok() && self.left.remove(&probed.interface) {
            let interface = probed.interface.clone();
            tokio::spawn(async move {
                if let Err(why) = uplink::renew(&interface).await {
                    tracing::info!("MPTCP takes no new way through {interface}: {why}");
                }
            });
        }
        self.sign(&Sign::Probe(probed));
    }

    fn sign(&mut self, sign: &Sign) {
        let before = self.chooser.choice();
        let choice = self.chooser.on(self.began.elapsed(), sign);
        if choice.interface != before.interface {
            let to = choice.interface.as_deref().unwrap_or("none");
            tracing::info!("uplink: {to} ({})", choice.why);
            self.left.extend(before.interface);
            self.left.remove(to);
        }
    }

    fn tell(&self) {
        let (robot, uplinks, since) = (&self.robot, &self.uplinks, self.began.elapsed());
        let now = report::status(self.read, robot, uplinks, &self.plan, &self.chooser, since);
        let of = |uplink: &UplinkStatus| (uplink.interface.clone(), uplink.address.clone());
        let (chosen, others): (Vec<_>, Vec<_>) =
            now.uplinks.iter().map(of).partition(|(name, _)| *name == now.chosen);
        let address = chosen.into_iter().next().map(|(_, address)| address).unwrap_or_default();
        replace(&self.ways, Ways { chosen: now.chosen.clone(), others, address });
        replace(&self.status, now);
    }

    fn reread(&mut self) {
        self.settings = settings(&self.path, Some(self.settings.clone()));
        let former = former::take(&self.path, &mut self.settings);
        self.read = Read { times: self.read.times + 1, former };
        self.robot_wanted.send_replace(robot_order(self.read, &self.settings));
        self.uplinks_wanted.send_replace(uplink_order(self.read, &self.settings));
    }

    async fn end(self) {
        // Nobody wants anything any more: the keepers come to their ends.
        let Self { robot_wanted, uplinks_wanted, keepers, reports, .. } = self;
        drop((robot_wanted, uplinks_wanted, reports));
        for keeper in keepers {
            let _ = tokio::time::timeout(PARTING, keeper).await;
        }
    }
}

fn robot_order(read: Read, settings: &Settings) -> Order<robot::Wanted> {
    Order { reads: read.times, wanted: robot::Wanted::of(settings) }
}

fn uplink_order(read: Read, settings: &Settings) -> Order<uplink::Wanted> {
    Order { reads: read.times, wanted: uplink::Wanted::of(settings, &paths::state()) }
}

/// Tells only what is new.
fn replace<T: PartialEq>(to: &watch::Sender<T>, now: T) {
    to.send_if_modified(|last| {
        let changed = *last != now;
        *last = now;
        changed
    });
}
