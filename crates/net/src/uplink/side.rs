//! The uplinks' side as the daemon sees it: facts, plan, steps under a checkpoint, proof, and back if there is none.

use crate::uplink::apply::{self, Checkpoint};
use crate::uplink::calls::{CALL, called, chain, gone, words};
use crate::uplink::facts::{Device, Facts};
use crate::uplink::plan::{Step, plan};
use crate::uplink::probe::{self, Way};
use crate::uplink::signals::Signals;
use crate::uplink::wanted::Wanted;
use crate::uplink::{gather, kernel};
use futures_util::future::join_all;
use robocast_daemon::backoff::Backoff;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use zbus::{Connection, connection, fdo};

/// How long new settings may take to show that they work.
const PATIENCE: Duration = Duration::from_secs(45);
/// How much longer NetworkManager waits for us before it goes back by itself.
const GRACE: Duration = Duration::from_secs(15);
/// While a proof is waited for, the servers are asked so often; all else is awaited by signals.
const AGAIN: Duration = Duration::from_secs(2);

/// How a convergence came out.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What was done, one line each.
    pub steps: Vec<String>,
    /// Whether what the settings want is so, and works.
    pub proven: bool,
    /// For people: what is wrong, and what would mend it. Empty when nothing is.
    pub text: String,
    /// When to try again, if no signal comes before.
    pub again: Option<Duration>,
}

/// The side.
#[derive(Debug)]
pub struct Side {
    bus: Option<(Connection, Signals)>,
    backoff: Backoff,
    patience: Duration,
    /// What was last proven.
    proven: Option<Wanted>,
    /// What was taken back: not tried again while something works.
    refused: Option<(Wanted, String)>,
    /// What radio and kernel were last told.
    told: Option<Option<String>>,
    pub(crate) wanted: Wanted,
    pub(crate) facts: Facts,
    /// What is wrong now.
    pub(crate) trouble: String,
}

impl Default for Side {
    fn default() -> Self {
        Self::new(PATIENCE)
    }
}

impl Side {
    /// A side that gives new settings `patience` to show that they work.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self {
            bus: None,
            backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)),
            patience,
            proven: None,
            refused: None,
            told: None,
            wanted: Wanted::default(),
            facts: Facts::default(),
            trouble: String::new(),
        }
    }

    /// Makes it so, or leaves it as it was proven last. Never longer than the patience and a little.
    pub async fn converge(&mut self, wanted: &Wanted) -> Outcome {
        self.wanted = wanted.clone();
        let mut outcome = match self.converged(wanted).await {
            Ok(outcome) => outcome,
            Err(error) => {
                if gone(&error) {
                    // Found anew the next time.
                    self.bus = None;
                }
                Outcome { text: words(&error), ..Outcome::default() }
            }
        };
        if outcome.proven {
            self.backoff.reset();
        } else {
            // The first wait of a backoff is none; here it is not.
            let wait = self.backoff.next_wait().max(Duration::from_millis(500));
            outcome.again = Some(wait);
        }
        self.trouble.clone_from(&outcome.text);
        outcome
    }

    /// Waits until something may have changed: NetworkManager or ModemManager said something, came or went.
    pub async fn changed(&mut self) {
        let Some((_, signals)) = &mut self.bus else { return std::future::pending().await };
        if !signals.next().await {
            // The bus is gone.
            self.bus = None;
        }
    }

    /// Looks again, without changing anything.
    ///
    /// # Errors
    /// When NetworkManager cannot be asked.
    pub async fn look(&mut self) -> fdo::Result<()> {
        let bus = self.connect().await?;
        if let Some((_, signals)) = &mut self.bus {
            // What comes from here on may be newer than the facts.
            signals.seen();
        }
        self.facts = called(gather::facts(&bus, &self.wanted.folder)).await?;
        Ok(())
    }

    /// The steps that [`Side::converge`] would take now; for `robocast net plan`.
    ///
    /// # Errors
    /// When NetworkManager cannot be asked.
    pub async fn planned(&mut self, wanted: &Wanted) -> fdo::Result<Vec<Step>> {
        self.wanted = wanted.clone();
        self.look().await?;
        Ok(plan(wanted, &self.facts))
    }

    async fn connect(&mut self) -> fdo::Result<Connection> {
        if let Some((bus, _)) = &self.bus {
            return Ok(bus.clone());
        }
        let built = connection::Builder::system().method_timeout(CALL).build().await;
        let bus = built.map_err(|error| fdo::Error::NoServer(error.to_string()))?;
        let signals = Signals::subscribe(&bus).await?;
        self.bus = Some((bus.clone(), signals));
        Ok(bus)
    }

    async fn converged(&mut self, wanted: &Wanted) -> fdo::Result<Outcome> {
        let bus = self.connect().await?;
        self.look().await?;
        let mut notes = self.tell_kernel(wanted).await;
        let works = self.facts.usable().next().is_some();
        if let Some((refused, why)) = &self.refused
            && refused == wanted
            && works
        {
            // What stands works; the settings that do not are not tried again while it does.
            return Ok(Outcome { text: why.clone(), ..Outcome::default() });
        }
        let steps = plan(wanted, &self.facts);
        if !steps.iter().any(Step::touches) {
            let done = self.finish(&bus, wanted, &steps).await;
            notes.extend(self.notes());
            return Ok(Outcome { steps: done, proven: true, text: notes.join("; "), again: None });
        }
        let reached = works && self.reached().await;
        let checkpoint = Checkpoint::create(&bus, self.patience + GRACE).await?;
        let mut steps = steps;
        let outcome = match self.carry_out(&bus, wanted, &steps).await {
            Ok(()) => self.proof(&bus, wanted, works, reached, &mut steps).await,
            Err(error) => Err(error),
        };
        let lines = steps.iter().map(Step::to_string).collect();
        match outcome {
            Ok(()) => {
                checkpoint.destroy(&bus).await?;
                let stale = plan(wanted, &self.facts);
                self.finish(&bus, wanted, &stale).await;
                notes.extend(self.notes());
                Ok(Outcome { steps: lines, proven: true, text: notes.join("; "), again: None })
            }
            Err(why) => {
                let text = self.take_back(&bus, checkpoint, wanted, works, why).await;
                Ok(Outcome { steps: lines, text, ..Outcome::default() })
            }
        }
    }

    async fn carry_out(&self, bus: &Connection, wanted: &Wanted, steps: &[Step]) -> Result<(), String> {
        for step in steps.iter().filter(|step| !matches!(step, Step::DeleteFile(_))) {
            tracing::info!("uplinks: {step}");
            apply::step(bus, &wanted.folder, step).await.map_err(|error| chain(&error))?;
        }
        Ok(())
    }

    /// Waits until the plan is empty, and what came through before comes through again.
    async fn proof(
        &mut self,
        bus: &Connection,
        wanted: &Wanted,
        works: bool,
        reached: bool,
        done: &mut Vec<Step>,
    ) -> Result<(), String> {
        let until = Instant::now() + self.patience;
        loop {
            let facts = called(gather::facts(bus, &wanted.folder)).await.map_err(|error| words(&error))?;
            self.facts = facts;
            let left: Vec<_> = plan(wanted, &self.facts).into_iter().filter(Step::touches).collect();
            // A device that came meanwhile wants its profile, or to be left alone. Profiles are written once.
            let of_device = |step: &&Step| matches!(step, Step::Activate { .. } | Step::Unmanage { .. });
            let new: Vec<_> =
                left.iter().filter(of_device).filter(|step| !done.contains(step)).cloned().collect();
            if !new.is_empty() {
                self.carry_out(bus, wanted, &new).await?;
                done.extend(new);
                continue;
            }
            let lacks = if !left.is_empty() {
                let left: Vec<_> = left.iter().map(ToString::to_string).collect();
                format!("this was done and does not stay so: {}", left.join(", "))
            } else if works && self.facts.usable().next().is_none() {
                format!("no uplink came up ({})", self.states())
            } else if reached && !self.reached().await {
                "no server was reached any more".into()
            } else {
                return Ok(());
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("{lacks} within {} s", self.patience.as_secs()));
            }
            let Some((_, signals)) = &mut self.bus else { return Err("the system bus went".into()) };
            let _ = timeout(left.min(AGAIN), signals.next()).await;
        }
    }

    async fn take_back(
        &mut self,
        bus: &Connection,
        checkpoint: Checkpoint,
        wanted: &Wanted,
        works: bool,
        why: String,
    ) -> String {
        let mut text = format!("the new uplink settings were taken back: {why}");
        tracing::warn!("uplinks: {text}");
        if let Err(error) = checkpoint.rollback(bus).await {
            text = format!("{text}; NetworkManager does not go back by itself: {}", words(&error));
        }
        if works {
            text += "; those of before stand until other settings come";
            self.refused = Some((wanted.clone(), text.clone()));
        }
        // A checkpoint knows what was at work, not what waited.
        if let Some(proven) = self.proven.clone().filter(|proven| proven != wanted)
            && self.look().await.is_ok()
        {
            let steps = plan(&proven, &self.facts);
            if let Err(error) = self.carry_out(bus, &proven, &steps).await {
                text = format!("{text}; not all of it could be put back: {error}");
            }
        }
        let _ = self.look().await;
        text
    }

    async fn finish(&mut self, bus: &Connection, wanted: &Wanted, steps: &[Step]) -> Vec<String> {
        let mut done = Vec::new();
        for step in steps.iter().filter(|step| !step.touches()) {
            match apply::step(bus, &wanted.folder, step).await {
                Ok(()) => done.push(step.to_string()),
                Err(error) => tracing::warn!("uplinks: {}", chain(&error)),
            }
        }
        self.proven = Some(wanted.clone());
        self.refused = None;
        done
    }

    /// Tells the kernel what NetworkManager does not; once, and when the country changes.
    async fn tell_kernel(&mut self, wanted: &Wanted) -> Vec<String> {
        if self.told.as_ref() == Some(&wanted.country) {
            return Vec::new();
        }
        let notes = kernel::tell(wanted.country.as_deref()).await;
        if notes.is_empty() {
            self.told = Some(wanted.country.clone());
        }
        notes
    }

    /// Whether a server of the streams takes a connection through any uplink; true where there is none to ask.
    async fn reached(&self) -> bool {
        let ways: Vec<_> = self.facts.usable().map(|device| self.way_of(device)).collect();
        let (targets, page) = (&self.wanted.targets, self.wanted.probe.as_ref());
        let probes = join_all(ways.iter().map(|way| probe::ask(way, targets, page))).await;
        probes.into_iter().any(|probed| probed.is_none_or(|probed| probed.result.is_ok()))
    }

    pub(crate) fn way_of(&self, device: &Device) -> Way {
        let profile = self.wanted.profiles.iter().find(|p| Some(&p.uuid) == device.profile.as_ref());
        Way {
            interface: device.link.clone(),
            dns: device.dns.clone(),
            metered: profile.is_some_and(|profile| profile.metered),
        }
    }
}
