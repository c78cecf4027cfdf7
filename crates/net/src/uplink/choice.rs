//! Which uplink carries the streams. Pure: time and signs in, the chosen interface and why out.
//!
//! What flows beats what is asked, which beats what is plugged in. Away from an uplink that stands still at once; back to one
//! that is preferred only after it has been good for a hold, which doubles with each time it disappointed.

use crate::uplink::evidence::{Evidence, Grade, Knowledge, Probed};
use std::collections::BTreeMap;
use std::time::Duration;

/// The shortest hold before going back to a preferred uplink.
pub const HOLD: Duration = Duration::from_secs(5);
/// The longest.
pub const LONGEST_HOLD: Duration = Duration::from_secs(300);
/// Time as the chosen one without a stall after which a hold is halved.
const FORGIVEN_AFTER: Duration = Duration::from_secs(60);

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The uplinks there are, in the order of preference, each with whether it is up and has an address.
    Links(Vec<(String, bool)>),
    /// The streams show something.
    Flow(Evidence),
    /// A probe came back.
    Probe(Probed),
    /// Time went by.
    Tick,
}

/// What carries the streams now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The interface; none where there is no uplink at all.
    pub interface: Option<String>,
    /// Why, in words.
    pub why: String,
}

/// The state of the choice.
#[derive(Clone, Debug)]
pub struct Chooser {
    /// In the order of preference.
    order: Vec<String>,
    known: BTreeMap<String, Uplink>,
    chosen: Option<String>,
    why: String,
}

#[derive(Clone, Debug)]
struct Uplink {
    knowledge: Knowledge,
    /// How long it has to be good before it is gone back to.
    hold: Duration,
    /// Since when it was the chosen one without a stall.
    calm_since: Duration,
}

impl Default for Uplink {
    fn default() -> Self {
        Self { knowledge: Knowledge::default(), hold: HOLD, calm_since: Duration::ZERO }
    }
}

impl Default for Chooser {
    fn default() -> Self {
        let why = "there is no uplink".to_owned();
        Self { order: Vec::new(), known: BTreeMap::new(), chosen: None, why }
    }
}

impl Chooser {
    /// A chooser that knows of no uplink.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a sign in; says what carries the streams from now on. `now` never runs backwards.
    pub fn on(&mut self, now: Duration, sign: &Sign) -> Choice {
        match sign {
            Sign::Links(links) => self.links(links),
            Sign::Flow(evidence) => {
                if let Some(uplink) = self.known.get_mut(&evidence.interface) {
                    uplink.knowledge.flow(now, evidence.stalled);
                    if evidence.stalled {
                        uplink.calm_since = now;
                    }
                }
            }
            Sign::Probe(probed) => {
                if let Some(uplink) = self.known.get_mut(&probed.interface) {
                    uplink.knowledge.probed(now, &probed.result);
                }
            }
            Sign::Tick => {}
        }
        self.decide(now);
        self.choice()
    }

    /// What carries the streams.
    #[must_use]
    pub fn choice(&self) -> Choice {
        Choice { interface: self.chosen.clone(), why: self.why.clone() }
    }

    /// Interfaces that want a probe: those that are up and tell nothing by themselves.
    #[must_use]
    pub fn to_probe(&self, now: Duration) -> Vec<String> {
        let silent = |name: &&String| {
            self.known.get(*name).is_some_and(|u| u.knowledge.usable && !u.knowledge.flows(now))
        };
        self.order.iter().filter(silent).cloned().collect()
    }

    /// How good an uplink is, and why.
    #[must_use]
    pub fn of(&self, now: Duration, interface: &str) -> Option<(Grade, String)> {
        let knowledge = &self.known.get(interface)?.knowledge;
        Some((knowledge.grade(now), knowledge.why(now)))
    }

    fn links(&mut self, links: &[(String, bool)]) {
        self.order.clear();
        for (name, _) in links {
            if !self.order.contains(name) {
                self.order.push(name.clone());
            }
        }
        // What was learned of an uplink's habits outlives its link: one that comes and goes is the very one to be slow with.
        for (name, uplink) in &mut self.known {
            let usable = links.iter().any(|(link, usable)| link == name && *usable);
            uplink.knowledge.link(usable);
        }
        for (name, usable) in links {
            self.known.entry(name.clone()).or_default().knowledge.link(*usable);
        }
        if let Some(gone) = self.chosen.take_if(|chosen| !self.order.contains(chosen)) {
            self.disappointed(&gone);
        }
    }

    fn grade(&self, now: Duration, name: &str) -> Grade {
        self.known.get(name).map_or(Grade::Down, |uplink| uplink.knowledge.grade(now))
    }

    fn decide(&mut self, now: Duration) {
        let Some(chosen) = self.chosen.clone() else {
            let first = self.best(now, |grade| grade >= Grade::Bad);
            match first {
                Some(name) => self.choose(now, &name, "the first in the order that is up".into()),
                None => self.why = self.nothing(),
            }
            return;
        };
        let grade = self.grade(now, &chosen);
        if grade <= Grade::Bad {
            self.leave(now, &chosen, grade);
            return;
        }
        self.forgive(now, &chosen);
        let place = |name: &String| self.order.iter().position(|other| other == name);
        let back = self.order.iter().find(|name| {
            let uplink = self.known.get(*name);
            place(name) < place(&chosen)
                && self.grade(now, name) == Grade::Good
                && uplink.is_some_and(|uplink| uplink.knowledge.good_for(now) >= uplink.hold)
        });
        if let Some(name) = back.cloned() {
            let held = self.known.get(&name).map_or(HOLD, |uplink| uplink.hold).as_secs();
            self.choose(now, &name, format!("it is preferred, and has been good for {held} s"));
        }
    }

    /// Away from an uplink that does not work, where there is one that may.
    fn leave(&mut self, now: Duration, from: &str, grade: Grade) {
        let trouble = self.known.get(from).map_or_else(String::new, |uplink| uplink.knowledge.why(now));
        let to = self.best(now, |grade| grade >= Grade::Unknown);
        // One that is down carries nothing; one that is up and bad may come back.
        let to = to.or_else(|| self.best(now, |other| other > grade));
        match to {
            Some(to) => {
                self.disappointed(from);
                self.choose(now, &to, format!("{from}: {trouble}"));
            }
            None => self.why = format!("nothing else works either; {from}: {trouble}"),
        }
    }

    fn disappointed(&mut self, name: &str) {
        if let Some(uplink) = self.known.get_mut(name) {
            uplink.hold = (uplink.hold * 2).min(LONGEST_HOLD);
        }
    }

    /// The best grade that `fits`; of those the first in the order.
    fn best(&self, now: Duration, fits: impl Fn(Grade) -> bool) -> Option<String> {
        let graded = self.order.iter().map(|name| (self.grade(now, name), name));
        // `max_by_key` takes the last of equals.
        let best = graded.rev().filter(|(grade, _)| fits(*grade)).max_by_key(|(grade, _)| *grade);
        best.map(|(_, name)| name.clone())
    }

    fn choose(&mut self, now: Duration, name: &str, why: String) {
        if let Some(uplink) = self.known.get_mut(name) {
            uplink.calm_since = now;
        }
        self.chosen = Some(name.to_owned());
        self.why = why;
    }

    /// An uplink that carries for a while without a stall is trusted again, bit by bit.
    fn forgive(&mut self, now: Duration, chosen: &str) {
        if let Some(uplink) = self.known.get_mut(chosen) {
            while uplink.hold > HOLD && now.saturating_sub(uplink.calm_since) >= FORGIVEN_AFTER {
                uplink.hold = (uplink.hold / 2).max(HOLD);
                uplink.calm_since += FORGIVEN_AFTER;
            }
        }
    }

    fn nothing(&self) -> String {
        match self.order.len() {
            0 => "there is no uplink".into(),
            _ => format!("no uplink is up ({})", self.order.join(", ")),
        }
    }
}

#[cfg(test)]
#[path = "choice_tests.rs"]
mod tests;
