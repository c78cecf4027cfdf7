//! The two reconcilers, one for each side: each brings its side into the desired state, reports, and never waits for the other. A
//! side that takes long to verify new settings delays nobody.

use crate::robot::{DesiredRobotNetwork, RobotNetwork, RobotOutcome, RobotView};
use crate::uplink::egress::Egress;
use crate::uplink::{DesiredUplinks, UplinkManager, UplinkOutcome};
use robocast_bus::UplinkStatus;
use robocast_daemon::backoff::Backoff;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// The first and the longest wait before a side that is not in the desired state is tried again.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_CAP: Duration = Duration::from_secs(30);

/// The desired state of one side, with the generation of the settings it was derived from.
#[derive(Debug, Clone)]
pub struct Desired<S> {
    /// The generation: counts how often the settings were read.
    pub generation: u32,
    /// The state.
    pub state: S,
}

/// A report of a reconciler.
#[derive(Debug)]
pub enum SideReport {
    /// Of the robot's side.
    Robot(RobotReport),
    /// Of the uplinks.
    Uplinks(UplinkReport),
}

/// The state of the robot's side.
#[derive(Debug, Clone, Default)]
pub struct RobotReport {
    /// The generation of the settings that was reconciled.
    pub generation: u32,
    /// Its interface.
    pub view: RobotView,
    /// The last steps.
    pub steps: Vec<String>,
    /// Whether it is in the desired state.
    pub proven: bool,
    /// For people.
    pub text: String,
}

/// The state of the uplinks.
#[derive(Debug, Clone, Default)]
pub struct UplinkReport {
    /// The generation of the settings that was reconciled.
    pub generation: u32,
    /// Each of them.
    pub statuses: Vec<UplinkStatus>,
    /// Their interfaces in the order of preference, each with whether it is usable.
    pub links: Vec<(String, bool)>,
    /// The ways out through the usable ones.
    pub egresses: Vec<Egress>,
    /// The last steps.
    pub steps: Vec<String>,
    /// Whether they are in the desired state.
    pub proven: bool,
    /// For people.
    pub text: String,
}

/// Reconciles the robot's side until the sender of the desired state is dropped; then its interfaces move back.
pub async fn reconcile_robot(
    mut network: RobotNetwork,
    mut desired: watch::Receiver<Desired<DesiredRobotNetwork>>,
    reports: mpsc::Sender<SideReport>,
) {
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_CAP);
    loop {
        let Desired { generation, state } = desired.borrow_and_update().clone();
        let outcome = network.converge(&state).await;
        for step in &outcome.steps {
            tracing::info!("robot's side: {step}");
        }
        let retry = retry_at(outcome.proven, &mut backoff);
        let RobotOutcome { steps, proven, text } = outcome;
        let report = RobotReport { generation, view: network.describe(), steps, proven, text };
        if reports.send(SideReport::Robot(report)).await.is_err() {
            break;
        }
        tokio::select! {
            changed = desired.changed() => if changed.is_err() { break },
            () = network.changed() => {}
            () = wait_until(retry) => {}
        }
    }
    let outcome = network.restore().await;
    tracing::info!("robot's side: {}", outcome.text);
}

/// Reconciles the uplinks until the sender of the desired state is dropped. They then stay as they are: NetworkManager
/// continues.
pub async fn reconcile_uplinks(
    mut manager: UplinkManager,
    mut desired: watch::Receiver<Desired<DesiredUplinks>>,
    reports: mpsc::Sender<SideReport>,
) {
    loop {
        let Desired { generation, state } = desired.borrow_and_update().clone();
        let outcome = manager.converge(&state).await;
        let retry = outcome.again.map(|wait| Instant::now() + wait);
        let links = manager.links();
        let egresses = links.iter().filter_map(|(name, _)| manager.egress(name)).collect();
        let statuses = manager.statuses(None);
        let UplinkOutcome { steps, proven, text, .. } = outcome;
        let report = UplinkReport { generation, statuses, links, egresses, steps, proven, text };
        if reports.send(SideReport::Uplinks(report)).await.is_err() {
            break;
        }
        tokio::select! {
            changed = desired.changed() => if changed.is_err() { break },
            () = manager.changed() => {}
            () = wait_until(retry) => {}
        }
    }
}

fn retry_at(proven: bool, backoff: &mut Backoff) -> Option<Instant> {
    if proven {
        backoff.reset();
        return None;
    }
    Some(Instant::now() + backoff.next_wait().max(RETRY_FIRST))
}

async fn wait_until(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}
