//! The two keepers, one a side: each holds its side to what is wanted, tells how that goes, and never waits for the other.
//! A side that takes long to prove new settings holds nobody up.

use crate::uplink::probe::Way;
use crate::{robot, uplink};
use robocast_daemon::backoff::Backoff;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// A side that does not stand is tried again after this, then ever slower.
const FIRST: Duration = Duration::from_millis(500);
const LAST: Duration = Duration::from_secs(30);

/// What a side is to be, as of the so manieth reading of the settings.
#[derive(Debug, Clone)]
pub struct Order<W> {
    /// Which reading.
    pub reads: u32,
    /// What they want.
    pub wanted: W,
}

/// What a keeper tells.
#[derive(Debug)]
pub enum Report {
    /// The robot's side.
    Robot(RobotReport),
    /// The uplinks.
    Uplinks(UplinkReport),
}

/// How the robot's side stands.
#[derive(Debug, Clone, Default)]
pub struct RobotReport {
    /// The order that this is about.
    pub reads: u32,
    /// Its interface.
    pub view: robot::RobotView,
    /// What was done, last of all.
    pub steps: Vec<String>,
    /// Whether it is as wanted.
    pub proven: bool,
    /// For people.
    pub text: String,
}

/// How the uplinks stand.
#[derive(Debug, Clone, Default)]
pub struct UplinkReport {
    /// The order that this is about.
    pub reads: u32,
    /// Each of them.
    pub views: Vec<uplink::UplinkView>,
    /// Their interfaces in the order of preference, and whether each can be used.
    pub links: Vec<(String, bool)>,
    /// Those that can be used, as far as a socket needs it.
    pub ways: Vec<Way>,
    /// What was done, last of all.
    pub steps: Vec<String>,
    /// Whether they are as wanted.
    pub proven: bool,
    /// For people.
    pub text: String,
}

/// Keeps the robot's side until nobody wants it any more; then the interface goes back.
pub async fn robot(
    mut side: robot::Side,
    mut wanted: watch::Receiver<Order<robot::Wanted>>,
    tell: mpsc::Sender<Report>,
) {
    let mut backoff = Backoff::new(FIRST, LAST);
    loop {
        let Order { reads, wanted: now } = wanted.borrow_and_update().clone();
        let outcome = side.converge(&now).await;
        for step in &outcome.steps {
            tracing::info!("robot's side: {step}");
        }
        let again = again(outcome.proven, &mut backoff);
        let robot::Outcome { steps, proven, text } = outcome;
        let report = RobotReport { reads, view: side.describe(), steps, proven, text };
        if tell.send(Report::Robot(report)).await.is_err() {
            break;
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { break },
            () = side.changed() => {}
            () = at(again) => {}
        }
    }
    let outcome = side.restore().await;
    tracing::info!("robot's side: {}", outcome.text);
}

/// Keeps the uplinks until nobody wants them any more. They stay as they are then: `NetworkManager` goes on.
pub async fn uplinks(
    mut side: uplink::Side,
    mut wanted: watch::Receiver<Order<uplink::Wanted>>,
    tell: mpsc::Sender<Report>,
) {
    loop {
        let Order { reads, wanted: now } = wanted.borrow_and_update().clone();
        let outcome = side.converge(&now).await;
        let again = outcome.again.map(|wait| Instant::now() + wait);
        let links = side.links();
        let ways = links.iter().filter_map(|(name, _)| side.way(name)).collect();
        let uplink::Outcome { steps, proven, text, .. } = outcome;
        let report = UplinkReport { reads, views: side.view(None), links, ways, steps, proven, text };
        if tell.send(Report::Uplinks(report)).await.is_err() {
            break;
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { break },
            () = side.changed() => {}
            () = at(again) => {}
        }
    }
}

fn again(proven: bool, backoff: &mut Backoff) -> Option<Instant> {
    if proven {
        backoff.reset();
        return None;
    }
    Some(Instant::now() + backoff.next_wait().max(FIRST))
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}
