//! The uplinks as a whole: observe, plan, apply under a checkpoint, verify, roll back.

use crate::uplink::apply::{self, UplinkStepError};
use crate::uplink::calls::{BusError, CALL_TIMEOUT, with_timeout};
use crate::uplink::checkpoint::{ChangeCause, ChangeFailure, with_checkpoint};
use crate::uplink::desired::DesiredUplinks;
use crate::uplink::egress::Egress;
use crate::uplink::observed::ObservedUplinks;
use crate::uplink::plan::{UplinkStep, plan};
use crate::uplink::signals::BusChanges;
use crate::uplink::status::UplinkOverview;
use crate::uplink::{mptcp, observe, probe, radio};
use futures_util::future::join_all;
use robocast_bus::UplinkStatus;
use robocast_daemon::backoff::Backoff;
use robocast_daemon::journal;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use zbus::{Connection, connection, fdo};

/// How long new settings may take to show that they work.
const PATIENCE: Duration = Duration::from_secs(45);
/// How much longer NetworkManager waits for us before it rolls back without us.
const GRACE: Duration = Duration::from_secs(15);
/// While a verification waits, the servers are probed this often; everything else is awaited by signals.
const PROBE_AGAIN: Duration = Duration::from_secs(2);
/// The first and the longest wait before another attempt.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_CAP: Duration = Duration::from_secs(60);

/// The result of a convergence.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct UplinkOutcome {
    /// The steps that were taken, one line each.
    pub steps: Vec<String>,
    /// Whether the desired state is in force, and works.
    pub proven: bool,
    /// For people: the problem, and how to fix it. Empty when there is none.
    pub text: String,
    /// When to try again, unless a signal arrives before.
    pub again: Option<Duration>,
}

/// Keeps NetworkManager's profiles in the desired state.
#[derive(Debug)]
pub struct UplinkManager {
    bus: Option<(Connection, BusChanges)>,
    backoff: Backoff,
    patience: Duration,
    /// The last state that was verified.
    proven: Option<DesiredUplinks>,
    /// The state that was rolled back, with the reason: not tried again while anything works.
    rolled_back: Option<(DesiredUplinks, String)>,
    /// Whether MPTCP's limits were set, and for which country.
    kernel_settings: Option<Option<String>>,
    desired: DesiredUplinks,
    observed: ObservedUplinks,
    /// The current problem.
    problem: String,
}

/// Why new settings did not come into force.
#[derive(Debug, thiserror::Error)]
enum ChangeError {
    /// A step failed.
    #[error(transparent)]
    Step(#[from] UplinkStepError),
    /// NetworkManager cannot be asked.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// They did not show that they work in time.
    #[error("{missing} within {} s", patience.as_secs())]
    NotVerified { missing: Missing, patience: Duration },
}

/// The goal of a verification.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error("this was done and does not stay so: {}", .0.join(", "))]
    Steps(Vec<String>),
    #[error("no uplink came up ({0})")]
    Uplink(String),
    #[error("no server was reached any more")]
    Server,
}

/// What worked before a change, and must therefore work after it.
#[derive(Clone, Copy)]
struct WorkedBefore {
    uplink: bool,
    server: bool,
}

impl Default for UplinkManager {
    fn default() -> Self {
        Self::new(PATIENCE)
    }
}

impl UplinkManager {
    /// A manager that gives new settings `patience` to show that they work.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self {
            bus: None,
            backoff: Backoff::new(RETRY_FIRST, RETRY_CAP),
            patience,
            proven: None,
            rolled_back: None,
            kernel_settings: None,
            desired: DesiredUplinks::default(),
            observed: ObservedUplinks::default(),
            problem: String::new(),
        }
    }

    /// Brings the uplinks into the desired state, or back into the last verified one. Takes little longer than the patience.
    pub async fn converge(&mut self, desired: &DesiredUplinks) -> UplinkOutcome {
        self.desired = desired.clone();
        let mut outcome = match self.try_converge(desired).await {
            Ok(outcome) => outcome,
            Err(error) => {
                if error.is_disconnected() {
                    // The next attempt connects again.
                    self.bus = None;
                }
                UplinkOutcome { text: journal::chain(&error), ..UplinkOutcome::default() }
            }
        };
        if outcome.proven {
            self.backoff.reset();
        } else {
            outcome.again = Some(self.backoff.next_wait().max(RETRY_FIRST));
        }
        self.problem.clone_from(&outcome.text);
        outcome
    }

    /// Waits for a possible change: a signal of NetworkManager or ModemManager, or their start or end.
    pub async fn changed(&mut self) {
        let Some((_, changes)) = &mut self.bus else { return std::future::pending().await };
        if !changes.next().await {
            // The connection to the bus is lost.
            self.bus = None;
        }
    }

    /// Observes the uplinks again, without changing anything.
    ///
    /// # Errors
    /// When NetworkManager cannot be asked.
    pub async fn refresh(&mut self) -> Result<(), BusError> {
        let bus = self.connect().await?;
        if let Some((_, changes)) = &mut self.bus {
            // Signals that arrive from here on may be newer than what is observed.
            changes.mark_seen();
        }
        self.observed = with_timeout(observe::observe_uplinks(&bus, &self.desired.folder)).await?;
        Ok(())
    }

    /// The steps that [`converge`](Self::converge) would take; nothing is changed.
    ///
    /// # Errors
    /// When NetworkManager cannot be asked.
    pub async fn plan_only(&mut self, desired: &DesiredUplinks) -> Result<Vec<UplinkStep>, BusError> {
        self.desired = desired.clone();
        self.refresh().await?;
        Ok(plan(desired, &self.observed))
    }

    async fn connect(&mut self) -> Result<Connection, BusError> {
        if let Some((bus, _)) = &self.bus {
            return Ok(bus.clone());
        }
        let built = connection::Builder::system().method_timeout(CALL_TIMEOUT).build().await;
        let bus = built.map_err(|error| BusError::NoBus(fdo::Error::NoServer(error.to_string())))?;
        let changes = BusChanges::subscribe(&bus).await?;
        self.bus = Some((bus.clone(), changes));
        Ok(bus)
    }

    async fn try_converge(&mut self, desired: &DesiredUplinks) -> Result<UplinkOutcome, BusError> {
        let bus = self.connect().await?;
        self.refresh().await?;
        let mut notes = self.set_kernel(desired).await;
        let uplink = self.observed.usable().next().is_some();
        if let Some((refused, why)) = &self.rolled_back
            && refused == desired
            && uplink
        {
            // Something works: settings that did not are not tried again.
            return Ok(UplinkOutcome { text: why.clone(), ..UplinkOutcome::default() });
        }
        let planned = plan(desired, &self.observed);
        if !planned.iter().any(UplinkStep::is_disruptive) {
            let steps = self.finish(&bus, desired, &planned).await;
            notes.extend(self.overview().notes());
            return Ok(UplinkOutcome { steps, proven: true, text: notes.join("; "), again: None });
        }
        let before = WorkedBefore { uplink, server: uplink && self.reaches_server().await };
        let mut done = planned.clone();
        let limit = self.patience + GRACE;
        let change = async {
            self.execute(&bus, desired, &planned).await?;
            self.verify(&bus, desired, before, &mut done).await
        };
        let changed = with_checkpoint(&bus, limit, change).await;
        let steps = done.iter().map(UplinkStep::to_string).collect();
        match changed {
            Ok(()) => {
                let left = plan(desired, &self.observed);
                self.finish(&bus, desired, &left).await;
                notes.extend(self.overview().notes());
                Ok(UplinkOutcome { steps, proven: true, text: notes.join("; "), again: None })
            }
            Err(ChangeFailure::NotStarted(error)) => Err(error),
            Err(ChangeFailure::RolledBack { why, rollback }) => {
                let why = match &why {
                    ChangeCause::Change(error) => journal::chain(error),
                    ChangeCause::Commit(error) => journal::chain(error),
                };
                let text = self.after_rollback(&bus, desired, before, &why, rollback).await;
                Ok(UplinkOutcome { steps, text, ..UplinkOutcome::default() })
            }
        }
    }

    async fn execute(
        &self,
        bus: &Connection,
        desired: &DesiredUplinks,
        steps: &[UplinkStep],
    ) -> Result<(), UplinkStepError> {
        for step in steps.iter().filter(|step| !matches!(step, UplinkStep::DeleteFile(_))) {
            tracing::info!("uplinks: {step}");
            apply::execute_step(bus, &desired.folder, step).await?;
        }
        Ok(())
    }

    /// Waits until the plan is empty, and what worked before works again.
    async fn verify(
        &mut self,
        bus: &Connection,
        desired: &DesiredUplinks,
        before: WorkedBefore,
        done: &mut Vec<UplinkStep>,
    ) -> Result<(), ChangeError> {
        let until = Instant::now() + self.patience;
        loop {
            self.observed = with_timeout(observe::observe_uplinks(bus, &desired.folder)).await?;
            let left: Vec<_> =
                plan(desired, &self.observed).into_iter().filter(UplinkStep::is_disruptive).collect();
            // A device that appeared meanwhile may need its profile, or must be left alone. Profiles are written once.
            let of_device = |step: &&UplinkStep| {
                matches!(step, UplinkStep::Activate { .. } | UplinkStep::Unmanage { .. })
            };
            let new: Vec<_> =
                left.iter().filter(of_device).filter(|step| !done.contains(step)).cloned().collect();
            if !new.is_empty() {
                self.execute(bus, desired, &new).await?;
                done.extend(new);
                continue;
            }
            let missing = if !left.is_empty() {
                Missing::Steps(left.iter().map(ToString::to_string).collect())
            } else if before.uplink && self.observed.usable().next().is_none() {
                Missing::Uplink(self.overview().states())
            } else if before.server && !self.reaches_server().await {
                Missing::Server
            } else {
                return Ok(());
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ChangeError::NotVerified { missing, patience: self.patience });
            }
            let Some((_, changes)) = &mut self.bus else {
                return Err(BusError::NoBus(fdo::Error::Disconnected("it is gone".into())).into());
            };
            let _ = timeout(left.min(PROBE_AGAIN), changes.next()).await;
        }
    }

    /// Reports a rollback, and restores what a checkpoint does not cover; returns the text for people.
    async fn after_rollback(
        &mut self,
        bus: &Connection,
        desired: &DesiredUplinks,
        before: WorkedBefore,
        why: &str,
        rollback: Result<(), BusError>,
    ) -> String {
        let mut text = format!("the new uplink settings were rolled back: {why}");
        tracing::warn!("uplinks: {text}");
        if let Err(error) = rollback {
            text = format!("{text}; NetworkManager refuses to roll back now: {}", journal::chain(&error));
        }
        if before.uplink {
            text += "; the previous ones stay in use until a new stick is inserted";
            self.rolled_back = Some((desired.clone(), text.clone()));
        }
        // A checkpoint restores the profiles in use, not the waiting ones.
        if let Some(proven) = self.proven.clone().filter(|proven| proven != desired)
            && self.refresh().await.is_ok()
        {
            let steps = plan(&proven, &self.observed);
            if let Err(error) = self.execute(bus, &proven, &steps).await {
                text = format!("{text}; not everything could be restored: {}", journal::chain(&error));
            }
        }
        let _ = self.refresh().await;
        text
    }

    /// Takes the steps that interrupt nothing, and records the state as verified; returns the steps that were taken.
    async fn finish(
        &mut self,
        bus: &Connection,
        desired: &DesiredUplinks,
        steps: &[UplinkStep],
    ) -> Vec<String> {
        let mut done = Vec::new();
        for step in steps.iter().filter(|step| !step.is_disruptive()) {
            match apply::execute_step(bus, &desired.folder, step).await {
                Ok(()) => done.push(step.to_string()),
                Err(error) => tracing::warn!("uplinks: {}", journal::chain(&error)),
            }
        }
        self.proven = Some(desired.clone());
        self.rolled_back = None;
        done
    }

    /// Sets what NetworkManager does not set; once, and when the country changes. Returns the problem, for people.
    async fn set_kernel(&mut self, desired: &DesiredUplinks) -> Vec<String> {
        if self.kernel_settings.as_ref() == Some(&desired.country) {
            return Vec::new();
        }
        if let Err(error) = mptcp::set_limits().await {
            tracing::info!("uplinks: the streams use TCP without MPTCP: {}", journal::chain(&error));
        }
        if let Some(country) = &desired.country
            && let Err(error) = radio::set_country(country).await
        {
            return vec![format!("the radio's country is not set to {country}: {}", journal::chain(&error))];
        }
        self.kernel_settings = Some(desired.country.clone());
        Vec::new()
    }

    /// Whether a server of the streams accepts a connection through any uplink; true where there is no server to probe.
    async fn reaches_server(&self) -> bool {
        let overview = self.overview();
        let egresses: Vec<_> = self.observed.usable().map(|device| overview.egress_of(device)).collect();
        let (targets, page) = (&self.desired.targets, self.desired.probe.as_ref());
        let probes = join_all(egresses.iter().map(|egress| probe::probe_uplink(egress, targets, page))).await;
        probes.into_iter().any(|probed| probed.is_none_or(|probed| probed.result.is_ok()))
    }

    fn overview(&self) -> UplinkOverview<'_> {
        UplinkOverview { desired: &self.desired, observed: &self.observed }
    }

    /// The status of each uplink: see [`UplinkOverview::statuses`].
    #[must_use]
    pub fn statuses(&self, chosen: Option<&str>) -> Vec<UplinkStatus> {
        self.overview().statuses(chosen)
    }

    /// The interfaces of the uplinks: see [`UplinkOverview::links`].
    #[must_use]
    pub fn links(&self) -> Vec<(String, bool)> {
        self.overview().links()
    }

    /// The way out through an interface: see [`UplinkOverview::egress`].
    #[must_use]
    pub fn egress(&self, interface: &str) -> Option<Egress> {
        self.overview().egress(interface)
    }

    /// The problems, one line each; empty when there are none. For `robocast net check`.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let own = Some(self.problem.clone()).filter(|problem| !problem.is_empty());
        own.into_iter().chain(self.overview().problems()).collect()
    }
}
