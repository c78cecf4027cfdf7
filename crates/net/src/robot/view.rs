//! How the robot's side stands, for people. Pure.

use robocast_config::{Cidr, Dhcp};

use super::dhcp::client::Word;
use super::facts::{Facts, GROUPS, Route};
use super::firewall::Ruleset;
use super::wanted::Wanted;

/// An interface of the robot's side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RobotView {
    /// Its name in the settings.
    pub interface: String,
    /// Whether it is on the robot's side.
    pub present: bool,
    /// Whether a cable is in and the robot's end alive.
    pub carrier: bool,
    /// The box's address on it.
    pub address: Option<Cidr>,
    /// The same for people.
    pub text: String,
}

impl RobotView {
    /// How an interface stands; `word` is that of the DHCP client on it.
    #[must_use]
    pub fn of(name: &str, wanted: &Wanted, facts: &Facts, word: Option<&Word>) -> Self {
        let own = wanted.interfaces.get(name).copied().flatten();
        let mut view = Self { interface: name.to_owned(), ..Self::default() };
        let Some(link) = facts.inside.find(name) else {
            view.text = match facts.outside.find(name) {
                None => format!(
                    "{name} is not there; it is taken when it comes. Is the adapter in, is [robot] interface right?"
                ),
                Some(link) if !link.movable() => {
                    format!(
                        "{name} is no cable that can be the robot's alone; name another [robot] interface"
                    )
                }
                Some(_) => format!("{name} is still on the box's own network"),
            };
            return view;
        };
        view.present = true;
        view.carrier = link.carrier;
        view.address = own.filter(|own| link.addresses.contains(own));
        let address = match (view.address, word) {
            (Some(own), _) => format!("has {own}"),
            (None, Some(Word::Refused(why))) => format!("has no address: {why}"),
            (None, Some(_)) => "has no address: no DHCP server answers yet".to_owned(),
            (None, None) if own.is_none() => "receives groups".to_owned(),
            (None, None) => "has no address yet".to_owned(),
        };
        let cable = if link.carrier { "" } else { "; no carrier: is the cable in, is the robot on?" };
        view.text = format!("{name} {address}{cable}");
        view
    }
}

/// What was proven, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Check {
    /// Each with whether it holds.
    pub lines: Vec<(bool, String)>,
}

impl Check {
    /// Whether all holds.
    #[must_use]
    pub fn good(&self) -> bool {
        self.lines.iter().all(|(good, _)| *good)
    }

    pub(super) fn add(&mut self, good: bool, words: String) {
        self.lines.push((good, words));
    }

    pub(super) fn failed(why: String) -> Self {
        Self { lines: vec![(false, why)] }
    }

    /// What the facts prove.
    #[must_use]
    pub fn of(wanted: &Wanted, facts: &Facts) -> Self {
        let wanted = wanted.resolved(facts);
        let mut check = Self::default();
        if wanted.interfaces.is_empty() {
            check.add(true, "no robot on a wire".to_owned());
            return check;
        }
        for (name, own) in &wanted.interfaces {
            let asks =
                wanted.dhcp.as_ref().is_some_and(|(asked, dhcp)| asked == name && *dhcp == Dhcp::Client);
            let word = asks.then_some(Word::Asking);
            let view = RobotView::of(name, &wanted, facts, word.as_ref());
            let leads = |route: &Route| route.to == GROUPS && route.interface.as_ref() == Some(name);
            let groups = facts.inside.routes.iter().any(leads);
            let addressed = view.address == *own && (own.is_some() || !asks);
            check.add(view.present && view.carrier && addressed && groups, view.text);
        }
        let way_out =
            facts.inside.routes.iter().find(|route| route.to.is_everything() || route.gateway.is_some());
        check.add(
            way_out.is_none(),
            match way_out {
                None => "no way leads out of the robot's side".to_owned(),
                Some(route) => format!("a way leads out of the robot's side, to {}", route.to),
            },
        );
        let forwards = |key: &str| facts.kernel.get(key).is_some_and(|value| value != "0");
        let forwards = forwards("ipv4/ip_forward") || forwards("ipv6/conf/all/forwarding");
        check.add(
            !forwards,
            if forwards { "packets are passed on" } else { "nothing is passed on" }.to_owned(),
        );
        let stands = facts.firewall.as_ref() == Some(&Ruleset::of(&wanted).standing);
        check.add(
            stands,
            if stands { "the firewall stands" } else { "the firewall does not stand as wanted" }.to_owned(),
        );
        check
    }
}
