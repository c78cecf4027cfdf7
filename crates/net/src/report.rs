//! The status on the bus. Pure.

use crate::reconcile::{RobotReport, UplinkReport};
use crate::uplink::choice::{Choice, Chooser};
use crate::uplink::health::{HealthReason, Quality};
use crate::uplink::probe_outcome::ProbeError;
use robocast_bus::{NetStatus, RobotSideStatus, UplinkState, UplinkStatus};
use std::time::Duration;

/// Which settings are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingsInUse {
    /// How often they were read.
    pub generation: u32,
    /// Whether the uplinks are those of the last proven settings, because their own were rolled back.
    pub rolled_back: bool,
}

/// The status of both sides. A report about an older generation of the settings proves nothing.
#[must_use]
pub fn net_status(
    settings: SettingsInUse,
    robot: &RobotReport,
    uplinks: &UplinkReport,
    plan: &[String],
    chooser: &Chooser,
    now: Duration,
) -> NetStatus {
    let Choice { interface, reason } = chooser.choice();
    let chosen = interface.unwrap_or_default();
    let uplinks_proven = uplinks.proven && uplinks.generation == settings.generation;
    let problems = [(robot.proven, &robot.text), (uplinks.proven, &uplinks.text)];
    let text: Vec<_> = problems
        .into_iter()
        .filter(|(proven, text)| !proven && !text.is_empty())
        .map(|(_, text)| text.as_str())
        .collect();
    NetStatus {
        why: reason.to_string(),
        uplinks: uplinks.statuses.iter().map(|status| with_health(status, &chosen, chooser, now)).collect(),
        robot: RobotSideStatus {
            interface: robot.view.interface.clone(),
            present: robot.view.present,
            carrier: robot.view.carrier,
            address: robot.view.address.map(|own| own.to_string()).unwrap_or_default(),
            text: robot.view.text.clone(),
        },
        plan: plan.to_vec(),
        proven: robot.proven && robot.generation == settings.generation && uplinks_proven,
        uplinks_proven,
        reads: settings.generation,
        former: settings.rolled_back,
        text: text.join("; "),
        chosen,
    }
}

/// An uplink's status as NetworkManager knows it, completed by its health.
fn with_health(status: &UplinkStatus, chosen: &str, chooser: &Chooser, now: Duration) -> UplinkStatus {
    let chosen = !status.interface.is_empty() && status.interface == chosen;
    let health = chooser.assess(now, &status.interface);
    let bad = health.filter(|(quality, _)| *quality == Quality::Bad).map(|(_, reason)| reason);
    let state = match (status.state, &bad) {
        (UplinkState::Ready, Some(HealthReason::ProbeFailed(ProbeError::Login { .. }))) => {
            UplinkState::Captive
        }
        (UplinkState::Ready, Some(_)) => UplinkState::Failing,
        (UplinkState::Ready, None) if chosen => UplinkState::Carrying,
        (state, _) => state,
    };
    let mut shown = UplinkStatus { state, chosen, ..status.clone() };
    if shown.text.is_empty() {
        shown.text = bad.map(|reason| reason.to_string()).unwrap_or_default();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uplink::choice::UplinkEvent;
    use crate::uplink::probe_outcome::ProbeOutcome;

    const NOW: Duration = Duration::from_secs(9);

    fn chooser(result: Result<Duration, ProbeError>) -> Chooser {
        let mut chooser = Chooser::new();
        chooser.on_event(NOW, &UplinkEvent::Links(vec![("wlan0".into(), true)]));
        chooser.on_event(NOW, &UplinkEvent::Probe(ProbeOutcome { interface: "wlan0".into(), result }));
        chooser
    }

    fn status(state: UplinkState, chooser: &Chooser) -> UplinkStatus {
        let own = UplinkStatus { interface: "wlan0".into(), state, ..UplinkStatus::default() };
        with_health(&own, "wlan0", chooser, NOW)
    }

    #[test]
    fn an_uplink_is_shown_by_the_kind_of_what_is_wrong_with_it() {
        let good = chooser(Ok(Duration::ZERO));
        assert_eq!(status(UplinkState::Ready, &good).state, UplinkState::Carrying);
        assert_eq!(status(UplinkState::Ready, &Chooser::new()).state, UplinkState::Carrying);
        let failing = status(UplinkState::Ready, &chooser(Err(ProbeError::NoAnswer)));
        assert_eq!((failing.state, failing.text.as_str()), (UplinkState::Failing, "nothing answers"));
        let login = chooser(Err(ProbeError::Login { host: Some("login.example".into()) }));
        let captive = status(UplinkState::Ready, &login);
        assert_eq!(captive.state, UplinkState::Captive);
        assert!(captive.text.contains("a login page is in the way (login.example)"), "{}", captive.text);
        assert_eq!(status(UplinkState::Down, &login).state, UplinkState::Down);
    }

    #[test]
    fn a_report_about_older_settings_proves_nothing() {
        let settings = SettingsInUse { generation: 2, rolled_back: true };
        let of = |robot: u32, uplinks: u32, proven: bool| {
            let text = "it does not settle".to_owned();
            let robot = RobotReport { generation: robot, proven, text, ..RobotReport::default() };
            let uplinks = UplinkReport { generation: uplinks, proven: true, ..UplinkReport::default() };
            let plan = ["a step".to_owned()];
            net_status(settings, &robot, &uplinks, &plan, &Chooser::new(), NOW)
        };
        let proven = of(2, 2, true);
        assert_eq!((proven.proven, proven.uplinks_proven, proven.text.as_str()), (true, true, ""));
        assert_eq!((proven.reads, proven.former, proven.plan.len()), (2, true, 1));
        assert_eq!(proven.why, "there is no uplink");
        for (robot, uplinks, robot_proven, both) in
            [(1, 2, true, (false, true)), (2, 1, true, (false, false)), (2, 2, false, (false, true))]
        {
            let told = of(robot, uplinks, robot_proven);
            assert_eq!((told.proven, told.uplinks_proven), both, "{robot} {uplinks}");
        }
        assert_eq!(of(2, 2, false).text, "it does not settle");
    }
}
