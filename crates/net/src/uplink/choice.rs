//! Which uplink carries the streams. Pure: time and events in, the chosen interface and the reason out.
//!
//! Evidence of the streams outranks probes, probes outrank the link's state. A stalled uplink is left at once. A preferred one is
//! returned to only after it has been good for its hold-down time, which doubles each time the uplink is left.

use crate::uplink::health::{HealthReason, Quality, UplinkHealth};
use crate::uplink::probe_outcome::ProbeOutcome;
use robocast_bus::Evidence;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The shortest hold-down before a return to a preferred uplink.
pub const MIN_HOLD_DOWN: Duration = Duration::from_secs(5);
/// The longest.
pub const MAX_HOLD_DOWN: Duration = Duration::from_secs(300);
/// A hold-down is halved for each such time that its uplink carries the streams without a stall.
const DECAY_AFTER: Duration = Duration::from_secs(60);

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UplinkEvent {
    /// The existing uplinks in the order of preference, each with whether it is up and has an address.
    Links(Vec<(String, bool)>),
    /// Evidence of the streams.
    Traffic(Evidence),
    /// A probe was made.
    Probe(ProbeOutcome),
    /// Time passed.
    Tick,
}

/// The uplink that carries the streams now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The interface; `None` where there is no uplink.
    pub interface: Option<String>,
    /// Why.
    pub reason: ChoiceReason,
}

/// Why an uplink was chosen, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChoiceReason {
    /// There is no uplink.
    NoUplink,
    /// None of these is up.
    NoneUp(Vec<String>),
    /// It is the first in the order that is up.
    FirstUp,
    /// It is preferred, and has been good for its hold-down time.
    Preferred {
        /// That time.
        good_for: Duration,
    },
    /// Another one was left.
    Left {
        /// Which.
        interface: String,
        /// Why.
        reason: HealthReason,
    },
    /// It does not work, and no other does.
    NothingElse {
        /// Which.
        interface: String,
        /// The problem with it.
        reason: HealthReason,
    },
}

impl fmt::Display for ChoiceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUplink => f.write_str("there is no uplink"),
            Self::NoneUp(order) => write!(f, "no uplink is up ({})", order.join(", ")),
            Self::FirstUp => f.write_str("the first in the order that is up"),
            Self::Preferred { good_for } => {
                write!(f, "it is preferred, and has been good for {} s", good_for.as_secs())
            }
            Self::Left { interface, reason } => write!(f, "{interface}: {reason}"),
            Self::NothingElse { interface, reason } => {
                write!(f, "nothing else works either; {interface}: {reason}")
            }
        }
    }
}

/// The state of the choice.
#[derive(Clone, Debug)]
pub struct Chooser {
    /// In the order of preference.
    order: Vec<String>,
    uplinks: BTreeMap<String, ChooserUplink>,
    chosen: Option<String>,
    reason: ChoiceReason,
}

#[derive(Clone, Debug)]
struct ChooserUplink {
    health: UplinkHealth,
    /// How long it must be good before it is chosen again.
    hold_down: Duration,
    /// Since when it has been the chosen one without a stall.
    calm_since: Duration,
}

impl Default for ChooserUplink {
    fn default() -> Self {
        Self { health: UplinkHealth::default(), hold_down: MIN_HOLD_DOWN, calm_since: Duration::ZERO }
    }
}

impl Default for Chooser {
    fn default() -> Self {
        Self { order: Vec::new(), uplinks: BTreeMap::new(), chosen: None, reason: ChoiceReason::NoUplink }
    }
}

impl Chooser {
    /// A chooser that knows no uplink.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles an event; returns the uplink that carries the streams from now on. `now` never decreases.
    pub fn on_event(&mut self, now: Duration, event: &UplinkEvent) -> Choice {
        match event {
            UplinkEvent::Links(links) => self.set_links(links),
            UplinkEvent::Traffic(evidence) => {
                if let Some(uplink) = self.uplinks.get_mut(&evidence.interface) {
                    uplink.health.on_traffic(now, evidence.stalled);
                    if evidence.stalled {
                        uplink.calm_since = now;
                    }
                }
            }
            UplinkEvent::Probe(outcome) => {
                if let Some(uplink) = self.uplinks.get_mut(&outcome.interface) {
                    uplink.health.on_probe(now, outcome.result.clone().map(drop));
                }
            }
            UplinkEvent::Tick => {}
        }
        self.decide(now);
        self.choice()
    }

    /// The uplink that carries the streams.
    #[must_use]
    pub fn choice(&self) -> Choice {
        Choice { interface: self.chosen.clone(), reason: self.reason.clone() }
    }

    /// The interfaces to probe: those that are up and carry no traffic.
    #[must_use]
    pub fn to_probe(&self, now: Duration) -> Vec<String> {
        let silent = |name: &&String| {
            self.uplinks.get(*name).is_some_and(|u| u.health.usable && !u.health.has_traffic(now))
        };
        self.order.iter().filter(silent).cloned().collect()
    }

    /// The quality of an uplink, and why.
    #[must_use]
    pub fn assess(&self, now: Duration, interface: &str) -> Option<(Quality, HealthReason)> {
        Some(self.uplinks.get(interface)?.health.assess(now))
    }

    fn set_links(&mut self, links: &[(String, bool)]) {
        self.order.clear();
        for (name, _) in links {
            if !self.order.contains(name) {
                self.order.push(name.clone());
            }
        }
        // The hold-down outlives the link: an uplink that comes and goes is exactly the one to be slow with.
        for (name, uplink) in &mut self.uplinks {
            let usable = links.iter().any(|(link, usable)| link == name && *usable);
            uplink.health.set_usable(usable);
        }
        for (name, usable) in links {
            self.uplinks.entry(name.clone()).or_default().health.set_usable(*usable);
        }
        if let Some(gone) = self.chosen.take_if(|chosen| !self.order.contains(chosen)) {
            self.penalize(&gone);
        }
    }

    fn quality(&self, now: Duration, name: &str) -> Quality {
        self.uplinks.get(name).map_or(Quality::Down, |uplink| uplink.health.quality(now))
    }

    fn decide(&mut self, now: Duration) {
        let Some(chosen) = self.chosen.clone() else {
            match self.best(now, |quality| quality >= Quality::Bad) {
                Some(name) => self.choose(now, &name, ChoiceReason::FirstUp),
                None if self.order.is_empty() => self.reason = ChoiceReason::NoUplink,
                None => self.reason = ChoiceReason::NoneUp(self.order.clone()),
            }
            return;
        };
        let quality = self.quality(now, &chosen);
        if quality <= Quality::Bad {
            self.leave(now, &chosen, quality);
            return;
        }
        self.decay(now, &chosen);
        let place = |name: &String| self.order.iter().position(|other| other == name);
        let preferred = self.order.iter().find(|name| {
            let uplink = self.uplinks.get(*name);
            place(name) < place(&chosen)
                && self.quality(now, name) == Quality::Good
                && uplink.is_some_and(|uplink| uplink.health.good_for(now) >= uplink.hold_down)
        });
        if let Some(name) = preferred.cloned() {
            let good_for = self.uplinks.get(&name).map_or(MIN_HOLD_DOWN, |uplink| uplink.hold_down);
            self.choose(now, &name, ChoiceReason::Preferred { good_for });
        }
    }

    /// Leaves an uplink that does not work, if another may work.
    fn leave(&mut self, now: Duration, from: &str, quality: Quality) {
        let interface = from.to_owned();
        let reason = self.assess(now, from).map_or(HealthReason::Down, |(_, reason)| reason);
        let to = self.best(now, |quality| quality >= Quality::Unknown);
        // One that is down carries nothing; one that is up but bad may recover.
        let to = to.or_else(|| self.best(now, |other| other > quality));
        match to {
            Some(to) => {
                self.penalize(from);
                self.choose(now, &to, ChoiceReason::Left { interface, reason });
            }
            None => self.reason = ChoiceReason::NothingElse { interface, reason },
        }
    }

    fn penalize(&mut self, name: &str) {
        if let Some(uplink) = self.uplinks.get_mut(name) {
            uplink.hold_down = (uplink.hold_down * 2).min(MAX_HOLD_DOWN);
        }
    }

    /// The uplink of the best quality that `fits`; of several the first in the order.
    fn best(&self, now: Duration, fits: impl Fn(Quality) -> bool) -> Option<String> {
        let assessed = self.order.iter().map(|name| (self.quality(now, name), name));
        // `max_by_key` returns the last of several.
        let best = assessed.rev().filter(|(quality, _)| fits(*quality)).max_by_key(|(quality, _)| *quality);
        best.map(|(_, name)| name.clone())
    }

    fn choose(&mut self, now: Duration, name: &str, reason: ChoiceReason) {
        if let Some(uplink) = self.uplinks.get_mut(name) {
            uplink.calm_since = now;
        }
        self.chosen = Some(name.to_owned());
        self.reason = reason;
    }

    /// Shortens the hold-down of an uplink that carries the streams without a stall.
    fn decay(&mut self, now: Duration, chosen: &str) {
        if let Some(uplink) = self.uplinks.get_mut(chosen) {
            while uplink.hold_down > MIN_HOLD_DOWN && now.saturating_sub(uplink.calm_since) >= DECAY_AFTER {
                uplink.hold_down = (uplink.hold_down / 2).max(MIN_HOLD_DOWN);
                uplink.calm_since += DECAY_AFTER;
            }
        }
    }
}

#[cfg(test)]
mod tests;
