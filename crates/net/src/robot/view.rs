//! What is shown to people of the robot's side. Pure.

use robocast_config::{Cidr, Dhcp};

use super::desired::DesiredRobotNetwork;
use super::dhcp::client::LeaseState;
use super::firewall::Ruleset;
use super::observed::{IpRoute, MULTICAST, ObservedRobotNetwork};
use super::plan::resolve_names;
use crate::check::Check;

/// An interface of the robot's side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RobotView {
    /// Its name in the settings.
    pub interface: String,
    /// Whether it is on the robot's side.
    pub present: bool,
    /// Whether a cable is plugged in and the robot's end is alive.
    pub carrier: bool,
    /// The box's address on it.
    pub address: Option<Cidr>,
    /// The same for people.
    pub text: String,
}

impl RobotView {
    /// The state of an interface; `lease` is that of the DHCP client on it.
    #[must_use]
    pub fn of(
        name: &str,
        desired: &DesiredRobotNetwork,
        observed: &ObservedRobotNetwork,
        lease: Option<&LeaseState>,
    ) -> Self {
        let own = desired.interfaces.get(name).copied().flatten();
        let mut view = Self { interface: name.to_owned(), ..Self::default() };
        let Some(link) = observed.inside.find(name) else {
            view.text = match observed.outside.find(name) {
                None => format!(
                    "{name} is not there; it is taken when it appears. Is the adapter plugged in, is [robot] interface right?"
                ),
                Some(link) if !link.movable() => {
                    format!("{name} is no ethernet cable for the robot alone; name another [robot] interface")
                }
                Some(_) => format!("{name} is still in the box's own network"),
            };
            return view;
        };
        view.present = true;
        view.carrier = link.carrier;
        view.address = own.filter(|own| link.addresses.contains(own));
        let address = match (view.address, lease) {
            (Some(own), _) => format!("has {own}"),
            (None, Some(LeaseState::Refused(why))) => format!("has no address: {why}"),
            (None, Some(_)) => "has no address: no DHCP server answers yet".to_owned(),
            (None, None) if own.is_none() => "receives multicast".to_owned(),
            (None, None) => "has no address yet".to_owned(),
        };
        let cable = if link.carrier { "" } else { "; no carrier: is the cable plugged in, is the robot on?" };
        view.text = format!("{name} {address}{cable}");
        view
    }
}

/// Compares the observed with the desired state, a line for each property.
#[must_use]
pub fn checks_of(desired: &DesiredRobotNetwork, observed: &ObservedRobotNetwork) -> Vec<Check> {
    let desired = resolve_names(desired, observed);
    if desired.interfaces.is_empty() {
        return vec![Check::new(true, "no robot on a cable")];
    }
    let mut checks: Vec<_> = desired
        .interfaces
        .iter()
        .map(|(name, own)| interface_check(name, *own, &desired, observed))
        .collect();
    let leads_out = |route: &&IpRoute| route.to.is_everything() || route.gateway.is_some();
    checks.push(match observed.inside.routes.iter().find(leads_out) {
        None => Check::new(true, "no route leads out of the robot's side"),
        Some(route) => Check::failed(format!("a route leads out of the robot's side, to {}", route.to)),
    });
    let forwards = |key: &str| observed.kernel.get(key).is_some_and(|value| value != "0");
    checks.push(if forwards("ipv4/ip_forward") || forwards("ipv6/conf/all/forwarding") {
        Check::failed("packets are forwarded")
    } else {
        Check::new(true, "no packets are forwarded")
    });
    checks.push(if observed.firewall.as_ref() == Some(&Ruleset::of(&desired).loaded) {
        Check::new(true, "the firewall is loaded")
    } else {
        Check::failed("the firewall is not the desired one")
    });
    checks
}

fn interface_check(
    name: &str,
    own: Option<Cidr>,
    desired: &DesiredRobotNetwork,
    observed: &ObservedRobotNetwork,
) -> Check {
    let leases = desired.dhcp.as_ref().is_some_and(|(at, dhcp)| at == name && *dhcp == Dhcp::Client);
    let lease = leases.then_some(LeaseState::Asking);
    let view = RobotView::of(name, desired, observed, lease.as_ref());
    let multicast = |route: &IpRoute| route.to == MULTICAST && route.interface.as_deref() == Some(name);
    let multicast = observed.inside.routes.iter().any(multicast);
    let addressed = view.address == own && (own.is_some() || !leases);
    Check::new(view.present && view.carrier && addressed && multicast, view.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::all_ok;
    use crate::robot::dhcp::lease::OfferRefusal;
    use crate::robot::observed::{IpNetwork, NetworkLink};

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    fn desired() -> DesiredRobotNetwork {
        let interfaces = [("eth0".to_owned(), Some(cidr("10.0.0.10/24")))].into();
        DesiredRobotNetwork { interfaces, ..DesiredRobotNetwork::default() }
    }

    /// The robot's side in the desired state.
    fn observed() -> ObservedRobotNetwork {
        let link = NetworkLink {
            name: "eth0".into(),
            ethernet: true,
            up: true,
            carrier: true,
            addresses: [cidr("10.0.0.10/24")].into(),
            ..NetworkLink::default()
        };
        let mut observed = ObservedRobotNetwork { namespace: true, ..ObservedRobotNetwork::default() };
        observed.inside.links.insert("eth0".into(), link);
        observed.inside.routes.insert(IpRoute::onto("eth0", MULTICAST));
        observed.firewall = Some(Ruleset::of(&desired()).loaded);
        observed
    }

    #[test]
    fn every_fault_fails_the_check_that_names_it() {
        assert!(all_ok(&checks_of(&desired(), &observed())), "{:?}", checks_of(&desired(), &observed()));
        type Fault = fn(&mut ObservedRobotNetwork);
        let faults: [(Fault, &str); 7] = [
            (|o| o.inside.links.clear(), "eth0 is not there"),
            (|o| o.inside.links.get_mut("eth0").unwrap().carrier = false, "no carrier"),
            (|o| o.inside.links.get_mut("eth0").unwrap().addresses.clear(), "has no address yet"),
            (|o| o.inside.routes.clear(), "eth0 has 10.0.0.10/24"),
            (
                |o| {
                    let everywhere = IpNetwork::of(cidr("0.0.0.0/0"));
                    o.inside.routes.insert(IpRoute::onto("eth0", everywhere));
                },
                "a route leads out",
            ),
            (|o| drop(o.kernel.insert("ipv4/ip_forward".into(), "1".into())), "packets are forwarded"),
            (|o| o.firewall = None, "the firewall is not"),
        ];
        for (fault, text) in faults {
            let mut observed = observed();
            fault(&mut observed);
            let failed: Vec<_> =
                checks_of(&desired(), &observed).into_iter().filter(|check| !check.ok).collect();
            assert!(failed.len() == 1 && failed[0].text.contains(text), "{text}: {failed:?}");
        }
    }

    #[test]
    fn an_interface_is_described_by_what_it_lacks() {
        let leased = DesiredRobotNetwork {
            interfaces: [("eth0".to_owned(), None)].into(),
            dhcp: Some(("eth0".into(), Dhcp::Client)),
            ..DesiredRobotNetwork::default()
        };
        let refused = LeaseState::Refused(OfferRefusal::NoMask("10.0.0.9".parse().unwrap()));
        for (lease, text) in [
            (None, "eth0 receives multicast"),
            (Some(LeaseState::Asking), "eth0 has no address: no DHCP server answers yet"),
            (Some(refused), "eth0 has no address: the robot's DHCP server offers 10.0.0.9 without a mask"),
        ] {
            assert_eq!(RobotView::of("eth0", &leased, &observed(), lease.as_ref()).text, text);
        }
    }
}
