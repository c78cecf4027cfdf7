//! The checks behind `robocast net plan` and `robocast net check`. Both only read.

use crate::check::Check;
use crate::robot::namespace::NamespaceError;
use crate::robot::observe::ObserveError;
use crate::robot::{DesiredRobotNetwork, RobotNetwork};
use crate::uplink::{BusError, DesiredUplinks, UplinkManager, probe};
use robocast_config::Settings;
use robocast_daemon::{journal, paths};

/// The steps for each side.
#[derive(Debug)]
pub struct BothPlans {
    /// On the robot's side.
    pub robot: Result<Vec<String>, InspectError>,
    /// For the uplinks.
    pub uplinks: Result<Vec<String>, InspectError>,
}

/// Why a side cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The namespaces cannot be opened.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// The kernel cannot be asked.
    #[error(transparent)]
    Kernel(#[from] ObserveError),
    /// NetworkManager cannot be asked.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// The steps from the observed to the desired state.
pub async fn plan_both(settings: &Settings) -> BothPlans {
    let robot = async {
        let network = RobotNetwork::new()?;
        Ok(network.plan_only(&DesiredRobotNetwork::of(settings)).await?)
    };
    let uplinks = async {
        let desired = DesiredUplinks::of(settings, &paths::state());
        let steps = UplinkManager::default().plan_only(&desired).await?;
        Ok(steps.iter().map(ToString::to_string).collect())
    };
    BothPlans { robot: robot.await, uplinks: uplinks.await }
}

/// Checks both sides.
pub async fn check_both(settings: &Settings) -> Vec<Check> {
    let mut checks = match RobotNetwork::new() {
        Ok(mut network) => {
            network.expect(DesiredRobotNetwork::of(settings));
            network.check().await
        }
        Err(error) => vec![Check::failed(journal::chain(&error))],
    };
    checks.extend(check_uplinks(settings).await);
    checks
}

async fn check_uplinks(settings: &Settings) -> Vec<Check> {
    let desired = DesiredUplinks::of(settings, &paths::state());
    let mut manager = UplinkManager::default();
    let left = match manager.plan_only(&desired).await {
        Ok(steps) => steps,
        Err(error) => return vec![Check::failed(journal::chain(&error))],
    };
    let mut checks: Vec<_> = left.iter().map(|step| Check::failed(format!("still to do: {step}"))).collect();
    checks.extend(manager.problems().into_iter().map(Check::failed));
    for (name, usable) in manager.links() {
        let Some(egress) = manager.egress(&name).filter(|_| usable) else { continue };
        let probed = probe::probe_uplink(&egress, &desired.targets, desired.probe.as_ref()).await;
        checks.push(match probed.map(|outcome| outcome.result) {
            None => Check::new(true, format!("{name} is up; no stream names a server to probe through it")),
            Some(Ok(took)) => Check::new(true, format!("{name} reaches the server, {} ms", took.as_millis())),
            Some(Err(error)) => Check::failed(format!("{name}: {}", journal::chain(&error))),
        });
    }
    checks
}
