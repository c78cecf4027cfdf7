//! The steps from the observed to the desired state of the robot's side. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use robocast_config::Cidr;

use super::desired::DesiredRobotNetwork;
use super::firewall::Ruleset;
use super::observed::{IpNetwork, IpRoute, MAIN, MULTICAST, NetworkLink, ObservedRobotNetwork};
use super::step::RobotStep;

/// The steps from the observed to the desired state; empty when they agree. An interface that does not exist is left out: a
/// later plan includes it, once it exists.
#[must_use]
pub fn plan(desired: &DesiredRobotNetwork, observed: &ObservedRobotNetwork) -> Vec<RobotStep> {
    let desired = resolve_names(desired, observed);
    if desired.interfaces.is_empty() && !observed.namespace {
        return Vec::new();
    }
    let mut steps = Vec::new();
    if !observed.namespace {
        steps.push(RobotStep::CreateNamespace);
    }
    // The firewall is loaded before any interface moves in.
    steps.extend(set_kernel(observed));
    let ruleset = Ruleset::of(&desired);
    if observed.firewall.as_ref() != Some(&ruleset.loaded) {
        steps.push(RobotStep::LoadFirewall(ruleset));
    }
    if observed.inside.links.get("lo").is_none_or(|lo| !lo.up) {
        steps.push(RobotStep::SwitchOn("lo".to_owned()));
    }
    steps.extend(move_out(observed, |name| !desired.interfaces.contains_key(name)));
    let stray = observed.inside.routes.iter().filter(|route| stray(route, &desired, observed));
    steps.extend(stray.map(|route| RobotStep::RemoveRoute(route.clone())));
    // An address or route of one interface may conflict with one that another interface needs.
    steps.extend(desired.interfaces.iter().flat_map(|(name, own)| remove_unwanted(name, *own, observed)));
    // The interface with an address gets its multicast route first: the lowest metric.
    let (addressed, bare): (Vec<_>, Vec<_>) = desired.interfaces.iter().partition(|(_, own)| own.is_some());
    let mut metrics = Metrics::of(observed);
    for (name, own) in addressed.into_iter().chain(bare) {
        steps.extend(add_missing(name, *own, observed, &mut metrics));
    }
    steps
}

/// The steps that move every interface out of the robot's side. The namespace and its firewall stay: programs may be running
/// in it.
#[must_use]
pub fn plan_restore(observed: &ObservedRobotNetwork) -> Vec<RobotStep> {
    move_out(observed, |_| true)
}

fn move_out(observed: &ObservedRobotNetwork, which: impl Fn(&str) -> bool) -> Vec<RobotStep> {
    let moves = |link: &&NetworkLink| {
        link.movable() && which(&link.name) && !observed.outside.links.contains_key(&link.name)
    };
    observed.inside.links.values().filter(moves).map(|link| RobotStep::MoveOut(link.name.clone())).collect()
}

/// The desired state with every interface under the name that the kernel uses for it now: settings may use an alternative name.
#[must_use]
pub fn resolve_names(desired: &DesiredRobotNetwork, observed: &ObservedRobotNetwork) -> DesiredRobotNetwork {
    let current = |name: &String| {
        let link = observed.inside.find(name).or_else(|| observed.outside.find(name));
        link.map_or_else(|| name.clone(), |link| link.name.clone())
    };
    let mut resolved = desired.clone();
    // The one with an address is inserted last, so that it wins: two names of one interface are one interface.
    let addressed = desired.interfaces.iter().filter(|(_, own)| own.is_some());
    resolved.interfaces = desired.interfaces.iter().map(|(name, own)| (current(name), *own)).collect();
    resolved.interfaces.extend(addressed.map(|(name, own)| (current(name), *own)));
    resolved.dhcp = desired.dhcp.as_ref().map(|(name, dhcp)| (current(name), *dhcp));
    resolved
}

/// Kernel settings of the whole side, and of every interface: IPv4 ones in `all`, `default` and the interface, IPv6 ones
/// in the last two.
const EVERYWHERE: [(&str, &str); 3] = [
    ("ipv4/ip_forward", "0"),
    ("ipv6/conf/all/forwarding", "0"),
    // Removing an old address does not remove others of its network.
    ("ipv4/conf/all/promote_secondaries", "1"),
];
const IPV4: [(&str, &str); 9] = [
    // Multicast is received although no route leads back to its sender.
    ("rp_filter", "0"),
    // ARP only answers for, and asks with, the interface's own address.
    ("arp_ignore", "1"),
    ("arp_announce", "2"),
    ("accept_redirects", "0"),
    ("send_redirects", "0"),
    ("accept_source_route", "0"),
    // A single interface may have been set to forward packets, or to answer for others.
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

/// The kernel settings that differ. An interface that appears later takes the values of `default`.
fn set_kernel(observed: &ObservedRobotNetwork) -> impl Iterator<Item = RobotStep> {
    let there = observed.inside.links.values().filter(|link| link.ethernet).map(|link| link.name.as_str());
    let differs = |(key, value): &(String, String)| match observed.kernel.get(key) {
        Some(now) => now != value,
        // A setting that this kernel lacks, such as one of IPv6, cannot be set.
        None => !observed.namespace,
    };
    settings(there)
        .into_iter()
        .filter(differs)
        .map(|(key, value)| RobotStep::SetKernel(key, value))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Removes the addresses and routes that an interface must not have.
fn remove_unwanted(name: &str, own: Option<Cidr>, observed: &ObservedRobotNetwork) -> Vec<RobotStep> {
    let Some(link) = observed.inside.links.get(name) else { return Vec::new() };
    let stale: Vec<_> =
        link.addresses.iter().copied().filter(|address| !lawful_address(*address, own)).collect();
    // The kernel removes the route to a network together with the address.
    let removed_with_address = |route: &IpRoute| {
        route.gateway.is_none()
            && route.table == MAIN
            && stale.iter().any(|address| IpNetwork::of(*address) == route.to)
    };
    let unlawful =
        observed.inside.at(name).filter(|route| !lawful(route, own) && !removed_with_address(route));
    let unroute = unlawful.map(|route| RobotStep::RemoveRoute(route.clone()));
    stale.iter().map(|address| RobotStep::RemoveAddress(name.to_owned(), *address)).chain(unroute).collect()
}

/// Adds the addresses and routes that an interface lacks; moves it in first where that has not happened yet.
fn add_missing(
    name: &str,
    own: Option<Cidr>,
    observed: &ObservedRobotNetwork,
    metrics: &mut Metrics,
) -> Vec<RobotStep> {
    let mut steps = Vec::new();
    let fresh = NetworkLink { name: name.to_owned(), ..NetworkLink::default() };
    let link = match observed.inside.links.get(name) {
        Some(link) => link,
        None if observed.outside.links.get(name).is_some_and(NetworkLink::movable) => {
            steps.push(RobotStep::MoveIn(name.to_owned()));
            &fresh
        }
        None => return steps,
    };
    if let Some(own) = own.filter(|own| !link.addresses.contains(own)) {
        steps.push(RobotStep::AddAddress(name.to_owned(), own));
    }
    if !link.up {
        steps.push(RobotStep::SwitchOn(name.to_owned()));
    }
    let exists = |to: IpNetwork| observed.inside.at(name).any(|route| route.to == to && lawful(route, own));
    if let Some(own) = own {
        let network = IpRoute::onto(name, IpNetwork::of(own));
        let given = link.up && link.addresses.contains(&own);
        let whole = own.prefix == if own.address.is_ipv4() { 32 } else { 128 };
        if given && !whole && !exists(network.to) {
            steps.push(RobotStep::AddRoute(network));
        }
    }
    if !exists(MULTICAST) {
        steps.push(RobotStep::AddRoute(IpRoute {
            priority: metrics.next(),
            ..IpRoute::onto(name, MULTICAST)
        }));
    }
    steps
}

/// The desired address, and the link-local one that IPv6 gives every interface.
fn lawful_address(address: Cidr, own: Option<Cidr>) -> bool {
    Some(address) == own || link_local(address.address)
}

fn link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Whether an interface with this address may have a route: to its own network, to multicast groups, to neighbours.
fn lawful(route: &IpRoute, own: Option<Cidr>) -> bool {
    let to = route.to;
    let straight = route.gateway.is_none() && route.table == MAIN && !to.is_everything();
    straight
        && (to == MULTICAST
            || own.is_some_and(|own| IpNetwork::of(own) == to)
            || (link_local(to.address) && to.prefix >= 10))
}

/// A route that belongs to no interface of the robot's side, and that does not disappear with one that moves out.
fn stray(route: &IpRoute, desired: &DesiredRobotNetwork, observed: &ObservedRobotNetwork) -> bool {
    let Some(name) = &route.interface else { return true };
    if desired.interfaces.contains_key(name) {
        return false;
    }
    let straight = route.gateway.is_none() && route.table == MAIN;
    if name == "lo" {
        return !(straight && route.to.address.is_loopback());
    }
    let leaves = observed
        .inside
        .links
        .get(name)
        .is_some_and(|link| link.movable() && !observed.outside.links.contains_key(name));
    let neighbours = straight && link_local(route.to.address) && route.to.prefix >= 10;
    !(leaves || neighbours)
}

/// Metrics for the multicast routes: the kernel accepts several if each has its own.
struct Metrics(BTreeSet<u32>);

impl Metrics {
    fn of(observed: &ObservedRobotNetwork) -> Self {
        let groups =
            observed.inside.routes.iter().filter(|route| route.to == MULTICAST && route.table == MAIN);
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
