//! What `robocast net plan` and `robocast net check` find out. They look, and change nothing.

use crate::uplink::probe;
use crate::{robot, uplink};
use robocast_config::Settings;
use robocast_daemon::{journal, paths};

/// What would be done, side by side.
#[derive(Debug)]
pub struct Plan {
    /// On the robot's side; or why nobody knows.
    pub robot: Result<Vec<String>, String>,
    /// For the uplinks; or why nobody knows.
    pub uplinks: Result<Vec<String>, String>,
}

/// What would be done to get from what is to what the settings want.
pub async fn plan(settings: &Settings) -> Plan {
    let robot = async {
        let side = robot::Side::new().map_err(|error| journal::chain(&error))?;
        side.plan_only(&robot::Wanted::of(settings)).await.map_err(|error| journal::chain(&error))
    };
    let uplinks = async {
        let wanted = uplink::Wanted::of(settings, &paths::state());
        let steps = uplink::Side::default().planned(&wanted).await.map_err(|error| uplink::words(&error))?;
        Ok(steps.iter().map(ToString::to_string).collect())
    };
    Plan { robot: robot.await, uplinks: uplinks.await }
}

/// Proves both sides. Each line with whether it holds.
pub async fn check(settings: &Settings) -> Vec<(bool, String)> {
    let mut lines = Vec::new();
    match robot::Side::new() {
        Ok(mut side) => {
            side.expect(robot::Wanted::of(settings));
            lines.extend(side.check().await.lines);
        }
        Err(error) => lines.push((false, journal::chain(&error))),
    }
    lines.extend(uplinks(settings).await);
    lines
}

async fn uplinks(settings: &Settings) -> Vec<(bool, String)> {
    let wanted = uplink::Wanted::of(settings, &paths::state());
    let mut side = uplink::Side::default();
    let left = match side.planned(&wanted).await {
        Ok(steps) => steps,
        Err(error) => return vec![(false, uplink::words(&error))],
    };
    let mut lines: Vec<_> = left.iter().map(|step| (false, format!("still to do: {step}"))).collect();
    lines.extend(side.check().into_iter().map(|line| (false, line)));
    for (name, usable) in side.links() {
        let Some(way) = side.way(&name).filter(|_| usable) else { continue };
        let line = match probe::ask(&way, &wanted.targets, wanted.probe.as_ref()).await {
            None => (true, format!("{name} is up; no stream has a server that could be asked through it")),
            Some(probed) => match probed.result {
                Ok(took) => (true, format!("{name} reaches the server, {} ms", took.as_millis())),
                Err(why) => (false, format!("{name}: {why}")),
            },
        };
        lines.push(line);
    }
    lines
}
