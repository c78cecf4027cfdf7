//! The robot's side as a whole: observe, plan, apply, verify; DHCP runs beside it.

use std::io;

use robocast_daemon::journal;

use super::apply::{self, ApplyError};
use super::desired::DesiredRobotNetwork;
use super::dhcp::service::DhcpService;
use super::namespace::{Namespace, NamespaceError};
use super::observe::{self, ObserveError};
use super::observed::ObservedRobotNetwork;
use super::plan::{plan, plan_restore};
use super::reach::{self, RobotReach};
use super::request::StepError;
use super::view::{RobotView, checks_of};
use super::watch::KernelWatch;
use crate::check::Check;

/// The namespace of the robot's side, unless another name is given.
pub const NAMESPACE: &str = "robot";

/// How often the state is observed and planned from before the network counts as unstable.
const ROUNDS: usize = 4;

/// The robot's side.
#[derive(Debug)]
pub struct RobotNetwork {
    name: String,
    outside: Namespace,
    watch: Option<KernelWatch>,
    /// Whether the watch includes the inside.
    watches_inside: bool,
    dhcp: DhcpService,
    desired: DesiredRobotNetwork,
    observed: ObservedRobotNetwork,
    /// Why the last convergence failed.
    failure: Option<ConvergeError>,
}

/// The result of a convergence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RobotOutcome {
    /// The steps that were taken, in order.
    pub steps: Vec<String>,
    /// Whether the state that was observed at the end is the desired one.
    pub proven: bool,
    /// For people.
    pub text: String,
}

/// Why the desired state was not reached.
#[derive(Debug, thiserror::Error)]
pub enum ConvergeError {
    /// The kernel cannot be watched.
    #[error("the kernel cannot be watched")]
    Watch(#[source] io::Error),
    /// The state cannot be observed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// A step failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Every plan was followed by another one.
    #[error("the robot's side does not settle: does another program change it?")]
    Unstable,
}

impl RobotNetwork {
    /// The robot's side of the network in which this program runs.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn new() -> Result<Self, NamespaceError> {
        Ok(Self::between(Namespace::own()?, NAMESPACE))
    }

    /// The same between any two networks, for tests.
    #[must_use]
    pub fn between(outside: Namespace, inside: &str) -> Self {
        Self {
            name: inside.to_owned(),
            outside,
            watch: None,
            watches_inside: false,
            dhcp: DhcpService::default(),
            desired: DesiredRobotNetwork::default(),
            observed: ObservedRobotNetwork::default(),
            failure: None,
        }
    }

    /// Sets the state against which [`check`](Self::check) and [`describe`](Self::describe) compare, without changing anything.
    pub fn expect(&mut self, desired: DesiredRobotNetwork) {
        self.desired = desired;
    }

    /// Brings the robot's side into the desired state. A failed attempt is undone and reported; call again after
    /// [`changed`](Self::changed), or a little later.
    pub async fn converge(&mut self, desired: &DesiredRobotNetwork) -> RobotOutcome {
        self.desired = desired.clone();
        let mut steps = Vec::new();
        self.failure = self.settle(&mut steps).await.err();
        RobotOutcome { steps, proven: self.failure.is_none(), text: self.text() }
    }

    async fn settle(&mut self, done: &mut Vec<String>) -> Result<(), ConvergeError> {
        for round in 0..=ROUNDS {
            // Watch before observing, so that no change is missed in between.
            self.watch_kernel().await.map_err(ConvergeError::Watch)?;
            self.observed = observe::observe_network(&self.outside, &self.name).await?;
            self.dhcp.update(&self.name, &self.desired, &self.observed).await;
            let steps = plan(&self.desired_now(), &self.observed);
            if steps.is_empty() {
                return Ok(());
            }
            if round == ROUNDS {
                break;
            }
            match apply::apply_steps(&self.outside, &self.name, &steps, &self.observed).await {
                Ok(()) => done.extend(steps.iter().map(ToString::to_string)),
                // An interface was unplugged in between: the next observation shows it.
                Err(error) if matches!(error.why, StepError::Gone(_)) => {
                    tracing::info!("{}", journal::chain(&error));
                }
                Err(error) => {
                    // The report is the state after the steps were undone.
                    if let Ok(observed) = observe::observe_network(&self.outside, &self.name).await {
                        self.observed = observed;
                    }
                    return Err(error.into());
                }
            }
        }
        Err(ConvergeError::Unstable)
    }

    /// The steps that [`converge`](Self::converge) would take, in words; nothing is changed.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub async fn plan_only(&self, desired: &DesiredRobotNetwork) -> Result<Vec<String>, ObserveError> {
        let observed = observe::observe_network(&self.outside, &self.name).await?;
        let lease = if *desired == self.desired { self.dhcp.lease() } else { None };
        Ok(plan(&desired.leased(lease), &observed).iter().map(ToString::to_string).collect())
    }

    /// Waits for a change after which [`converge`](Self::converge) may have work: a link, an address, the firewall, a lease.
    pub async fn changed(&mut self) {
        let watched = async {
            match &mut self.watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = watched => {}
            () = self.dhcp.changed() => {}
        }
    }

    /// Moves every interface back to the box's own network. The namespace and its firewall stay, with the programs in it.
    pub async fn restore(&mut self) -> RobotOutcome {
        self.dhcp = DhcpService::default();
        self.desired = DesiredRobotNetwork::default();
        match self.move_everything_out().await {
            Ok(steps) => {
                let proven = plan_restore(&self.observed).is_empty();
                RobotOutcome {
                    steps,
                    proven,
                    text: "its interfaces are back in the box's own network".to_owned(),
                }
            }
            Err(error) => RobotOutcome { steps: Vec::new(), proven: false, text: journal::chain(&error) },
        }
    }

    async fn move_everything_out(&mut self) -> Result<Vec<String>, ConvergeError> {
        let observed = observe::observe_network(&self.outside, &self.name).await?;
        let steps = plan_restore(&observed);
        apply::apply_steps(&self.outside, &self.name, &steps, &observed).await?;
        self.observed = observe::observe_network(&self.outside, &self.name).await?;
        Ok(steps.iter().map(ToString::to_string).collect())
    }

    /// The state of the robot's own interface, as last observed.
    #[must_use]
    pub fn describe(&self) -> RobotView {
        let main = self.desired.dhcp.as_ref().map(|(name, _)| name);
        let addressed = self.desired.interfaces.iter().find(|(_, own)| own.is_some()).map(|(name, _)| name);
        let name = main.or(addressed).or_else(|| self.desired.interfaces.keys().next());
        name.map_or_else(RobotView::default, |name| self.view(name))
    }

    /// The state of every interface of the robot's side.
    #[must_use]
    pub fn views(&self) -> Vec<RobotView> {
        self.desired.interfaces.keys().map(|name| self.view(name)).collect()
    }

    fn view(&self, name: &str) -> RobotView {
        let lease = self
            .dhcp
            .lease_state()
            .filter(|(interface, _)| self.is_interface(name, interface))
            .map(|(_, state)| state);
        RobotView::of(name, &self.desired_now(), &self.observed, lease.as_ref())
    }

    /// Whether a name in the desired state is a name of this interface.
    fn is_interface(&self, desired: &str, interface: &str) -> bool {
        self.observed.inside.find(desired).is_some_and(|link| link.name == interface)
    }

    fn text(&self) -> String {
        let failure = self.failure.as_ref().map(|error| journal::chain(error));
        let texts: Vec<_> =
            failure.into_iter().chain(self.views().into_iter().map(|view| view.text)).collect();
        if texts.is_empty() { "no robot on a cable".to_owned() } else { texts.join("; ") }
    }

    /// Checks that the robot's side is in the desired state and that the robot answers.
    pub async fn check(&self) -> Vec<Check> {
        let observed = match observe::observe_network(&self.outside, &self.name).await {
            Ok(observed) => observed,
            Err(error) => return vec![Check::failed(journal::chain(&error))],
        };
        let desired = self.desired_now();
        let mut checks = checks_of(&desired, &observed);
        if let Some(robot) = desired.robot {
            let reach = match Namespace::open(&self.name) {
                Ok(Some(namespace)) => reach::probe_robot(&namespace, robot).await,
                Ok(None) => Err(io::Error::other("the robot's side does not exist")),
                Err(error) => Err(io::Error::other(error)),
            };
            checks.push(match reach {
                Ok(RobotReach::Answers) => Check::new(true, format!("the robot answers at {robot}")),
                Ok(RobotReach::OnTheWire) => Check::new(
                    true,
                    format!("the robot is on the wire at {robot}: it answers ARP, but no connection"),
                ),
                Ok(RobotReach::Silent) => Check::failed(format!(
                    "nobody answers at {robot}; is the robot on, is [robot] address right?"
                )),
                Err(error) => Check::failed(format!("{robot} cannot be reached: {error}")),
            });
        }
        checks
    }

    fn desired_now(&self) -> DesiredRobotNetwork {
        self.desired.leased(self.dhcp.lease())
    }

    async fn watch_kernel(&mut self) -> io::Result<()> {
        let inside = Namespace::open(&self.name).map_err(io::Error::other)?;
        if self.watch.is_none() || self.watches_inside != inside.is_some() {
            self.watch = Some(KernelWatch::open(&self.outside, inside.as_ref()).await?);
            self.watches_inside = inside.is_some();
        }
        Ok(())
    }
}
