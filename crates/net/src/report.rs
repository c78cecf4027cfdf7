//! What the bus and people are shown. Pure.

use crate::keep::{RobotReport, UplinkReport};
use crate::uplink::UplinkView;
use crate::uplink::choice::{Choice, Chooser};
use crate::uplink::evidence::Grade;
use robocast_bus::{NetStatus, RobotSideStatus, UplinkState, UplinkStatus};
use std::time::Duration;

/// What was read of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// How often.
    pub times: u32,
    /// Whether the uplinks are those of the settings that were proven last.
    pub former: bool,
}

/// Both sides, in the words of the bus. What a keeper said of an older reading proves nothing.
#[must_use]
pub fn status(
    read: Read,
    robot: &RobotReport,
    uplinks: &UplinkReport,
    plan: &[String],
    chooser: &Chooser,
    now: Duration,
) -> NetStatus {
    let Choice { interface, why } = chooser.choice();
    let chosen = interface.unwrap_or_default();
    let uplinks_proven = uplinks.proven && uplinks.reads == read.times;
    let troubles = [(robot.proven, &robot.text), (uplinks.proven, &uplinks.text)];
    let text: Vec<_> = troubles
        .into_iter()
        .filter(|(proven, text)| !proven && !text.is_empty())
        .map(|(_, t)| t.as_str())
        .collect();
    NetStatus {
        why,
        uplinks: uplinks.views.iter().map(|view| uplink(view, &chosen, chooser, now)).collect(),
        robot: RobotSideStatus {
            interface: robot.view.interface.clone(),
            present: robot.view.present,
            carrier: robot.view.carrier,
            address: robot.view.address.map(|own| own.to_string()).unwrap_or_default(),
            text: robot.view.text.clone(),
        },
        plan: plan.to_vec(),
        proven: robot.proven && robot.reads == read.times && uplinks_proven,
        uplinks_proven,
        reads: read.times,
        former: read.former,
        text: text.join("; "),
        chosen,
    }
}

fn uplink(view: &UplinkView, chosen: &str, chooser: &Chooser, now: Duration) -> UplinkStatus {
    let chosen = !view.interface.is_empty() && view.interface == chosen;
    let known = chooser.of(now, &view.interface);
    let state = match (view.state, &known) {
        (UplinkState::Ready, Some((Grade::Bad, why))) if crate::uplink::probe::is_login(why) => {
            UplinkState::Captive
        }
        (UplinkState::Ready, Some((Grade::Bad, _))) => UplinkState::Failing,
        (UplinkState::Ready, _) if chosen => UplinkState::Carrying,
        (state, _) => state,
    };
    let why = known.filter(|(grade, _)| *grade == Grade::Bad).map(|(_, why)| why);
    UplinkStatus {
        name: view.name.clone(),
        interface: view.interface.clone(),
        state,
        chosen,
        metered: view.metered,
        address: view.address.clone(),
        text: if view.text.is_empty() { why.unwrap_or_default() } else { view.text.clone() },
    }
}
