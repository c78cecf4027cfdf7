//! What is to be done on the robot's side. Pure: settings and facts in, steps out.

use std::collections::BTreeSet;
use std::net::IpAddr;

use robocast_config::Cidr;

use super::facts::{Facts, GROUPS, Link, MAIN, Network, Route};
use super::firewall::Ruleset;
use super::step::Step;
use super::wanted::Wanted;

/// What leads from the facts to what is wanted; nothing when they agree. An interface that is not there is left out: it is
/// planned for when it comes.
#[must_use]
pub fn plan(wanted: &Wanted, facts: &Facts) -> Vec<Step> {
    let wanted = wanted.resolved(facts);
    if wanted.interfaces.is_empty() && !facts.namespace {
        return Vec::new();
    }
    let mut steps = Vec::new();
    if !facts.namespace {
        steps.push(Step::Make);
    }
    // What guards stands before anything comes in.
    steps.extend(kernel(facts));
    let ruleset = Ruleset::of(&wanted);
    if facts.firewall.as_ref() != Some(&ruleset.standing) {
        steps.push(Step::Guard(ruleset));
    }
    if facts.inside.links.get("lo").is_none_or(|lo| !lo.up) {
        steps.push(Step::Up("lo".to_owned()));
    }
    steps.extend(give_back(facts, |name| !wanted.interfaces.contains_key(name)));
    let stray = facts.inside.routes.iter().filter(|route| stray(route, &wanted, facts));
    steps.extend(stray.map(|route| Step::Unroute(route.clone())));
    // What stands at one interface may be in the way of what another is to have.
    steps.extend(wanted.interfaces.iter().flat_map(|(name, own)| clear(name, *own, facts)));
    // An interface that is wanted with an address gets the groups first.
    let (addressed, bare): (Vec<_>, Vec<_>) = wanted.interfaces.iter().partition(|(_, own)| own.is_some());
    let mut metrics = Metrics::of(facts);
    for (name, own) in addressed.into_iter().chain(bare) {
        steps.extend(furnish(name, *own, facts, &mut metrics));
    }
    steps
}

/// What leads back to a box without a robot's side: every interface goes back. The namespace and its firewall stay, for
/// there may be programs in it.
#[must_use]
pub fn plan_restore(facts: &Facts) -> Vec<Step> {
    give_back(facts, |_| true).collect()
}

fn give_back(facts: &Facts, which: impl Fn(&str) -> bool) -> impl Iterator<Item = Step> {
    let goes =
        |link: &&Link| link.movable() && which(&link.name) && !facts.outside.links.contains_key(&link.name);
    facts
        .inside
        .links
        .values()
        .filter(goes)
        .map(|link| Step::GiveBack(link.name.clone()))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Kernel settings of the whole side, and of every interface: IPv4 ones in `all`, `default` and the interface, IPv6 ones
/// in the last two.
const EVERYWHERE: [(&str, &str); 3] = [
    ("ipv4/ip_forward", "0"),
    ("ipv6/conf/all/forwarding", "0"),
    // A stale address goes alone, and does not take others of its network along.
    ("ipv4/conf/all/promote_secondaries", "1"),
];
const IPV4: [(&str, &str); 9] = [
    // Groups come in although nothing leads back to their sender.
    ("rp_filter", "0"),
    // Only an interface's own address is answered for and asked with.
    ("arp_ignore", "1"),
    ("arp_announce", "2"),
    ("accept_redirects", "0"),
    ("send_redirects", "0"),
    ("accept_source_route", "0"),
    // An interface may have been told by itself to pass packets on, or to answer for others.
    ("forwarding", "0"),
    ("proxy_arp", "0"),
    ("route_localnet", "0"),
];
const IPV6: [(&str, &str); 4] =
    [("accept_ra", "0"), ("autoconf", "0"), ("accept_redirects", "0"), ("forwarding", "0")];

/// The kernel settings of a side with these interfaces: path below `/proc/sys/net`, and value.
pub(super) fn settings<'n>(interfaces: impl Iterator<Item = &'n str> + Clone) -> Vec<(String, String)> {
    let everywhere = EVERYWHERE.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let of = |family: &'static str, scope: &str, settings: &'static [(&str, &str)]| {
        let scope = scope.to_owned();
        settings.iter().map(move |(key, value)| (format!("{family}/conf/{scope}/{key}"), (*value).to_owned()))
    };
    let ipv4 = ["all", "default"].into_iter().chain(interfaces.clone());
    let ipv6 = ["default"].into_iter().chain(interfaces);
    everywhere
        .chain(ipv4.flat_map(|scope| of("ipv4", scope, &IPV4)))
        .chain(ipv6.flat_map(|scope| of("ipv6", scope, &IPV6)))
        .collect()
}

/// Interfaces that come later have the values of `default`.
fn kernel(facts: &Facts) -> impl Iterator<Item = Step> {
    let there = facts.inside.links.values().filter(|link| link.ethernet).map(|link| link.name.as_str());
    let differs = |(key, value): &(String, String)| match facts.kernel.get(key) {
        Some(now) => now != value,
        // What a kernel does not have, such as IPv6, cannot be set.
        None => !facts.namespace,
    };
    settings(there)
        .into_iter()
        .filter(differs)
        .map(|(key, value)| Step::Set(key, value))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Takes away what an interface is not to have.
fn clear(name: &str, own: Option<Cidr>, facts: &Facts) -> Vec<Step> {
    let Some(link) = facts.inside.links.get(name) else { return Vec::new() };
    let stale: Vec<_> =
        link.addresses.iter().copied().filter(|address| !lawful_address(*address, own)).collect();
    // The kernel takes the way to a network along with its address.
    let goes_along = |route: &Route| {
        route.gateway.is_none()
            && route.table == MAIN
            && stale.iter().any(|address| Network::of(*address) == route.to)
    };
    let unlawful = facts.inside.at(name).filter(|route| !lawful(route, own) && !goes_along(route));
    let unroute = unlawful.map(|route| Step::Unroute(route.clone()));
    stale.iter().map(|address| Step::Forget(name.to_owned(), *address)).chain(unroute).collect()
}

/// Gives an interface what it is to have; takes it first where it is not there yet.
fn furnish(name: &str, own: Option<Cidr>, facts: &Facts, metrics: &mut Metrics) -> Vec<Step> {
    let mut steps = Vec::new();
    let fresh = Link { name: name.to_owned(), ..Link::default() };
    let link = match facts.inside.links.get(name) {
        Some(link) => link,
        None if facts.outside.links.get(name).is_some_and(Link::movable) => {
            steps.push(Step::Take(name.to_owned()));
            &fresh
        }
        None => return steps,
    };
    if let Some(own) = own.filter(|own| !link.addresses.contains(own)) {
        steps.push(Step::Address(name.to_owned(), own));
    }
    if !link.up {
        steps.push(Step::Up(name.to_owned()));
    }
    let stands = |to: Network| facts.inside.at(name).any(|route| route.to == to && lawful(route, own));
    if let Some(own) = own {
        let network = Route::onto(name, Network::of(own));
        let given = link.up && link.addresses.contains(&own);
        let whole = own.prefix == if own.address.is_ipv4() { 32 } else { 128 };
        if given && !whole && !stands(network.to) {
            steps.push(Step::Route(network));
        }
    }
    if !stands(GROUPS) {
        steps.push(Step::Route(Route { priority: metrics.next(), ..Route::onto(name, GROUPS) }));
    }
    steps
}

/// The one that is wanted; and what IPv6 gives every interface by itself.
fn lawful_address(address: Cidr, own: Option<Cidr>) -> bool {
    Some(address) == own || link_local(address.address)
}

fn link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Whether a route may stand on an interface with this address: to its own network, to the groups, to neighbours.
fn lawful(route: &Route, own: Option<Cidr>) -> bool {
    let to = route.to;
    let straight = route.gateway.is_none() && route.table == MAIN && !to.is_everything();
    straight
        && (to == GROUPS
            || own.is_some_and(|own| Network::of(own) == to)
            || (link_local(to.address) && to.prefix >= 10))
}

/// A route that belongs to no interface of the robot's side, and does not leave with one that is given back.
fn stray(route: &Route, wanted: &Wanted, facts: &Facts) -> bool {
    let Some(name) = &route.interface else { return true };
    if wanted.interfaces.contains_key(name) {
        return false;
    }
    let straight = route.gateway.is_none() && route.table == MAIN;
    if name == "lo" {
        return !(straight && route.to.address.is_loopback());
    }
    let leaves = facts
        .inside
        .links
        .get(name)
        .is_some_and(|link| link.movable() && !facts.outside.links.contains_key(name));
    let neighbours = straight && link_local(route.to.address) && route.to.prefix >= 10;
    !(leaves || neighbours)
}

/// Metrics for the routes to the groups: the kernel takes several if each has its own.
struct Metrics(BTreeSet<u32>);

impl Metrics {
    fn of(facts: &Facts) -> Self {
        let groups = facts.inside.routes.iter().filter(|route| route.to == GROUPS && route.table == MAIN);
        Self(groups.map(|route| route.priority).collect())
    }

    fn next(&mut self) -> u32 {
        let free = (0..).find(|metric| !self.0.contains(metric)).unwrap_or(u32::MAX);
        self.0.insert(free);
        free
    }
}

#[cfg(test)]
mod tests;
