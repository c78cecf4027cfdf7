//! The plan against a model of the kernel.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use robocast_config::Cidr;

use super::*;
use crate::robot::observed::{LoadedFirewall, NamespaceState};

/// The kernel's state after a step.
fn carry_out(observed: &mut ObservedRobotNetwork, step: &RobotStep) {
    match step {
        RobotStep::CreateNamespace => {
            observed.namespace = true;
            observed
                .inside
                .links
                .insert("lo".into(), NetworkLink { name: "lo".into(), ..NetworkLink::default() });
            observed.kernel =
                settings([].into_iter()).into_iter().map(|(key, _)| (key, "9".into())).collect();
        }
        RobotStep::SetKernel(key, value) => drop(observed.kernel.insert(key.clone(), value.clone())),
        RobotStep::LoadFirewall(ruleset) => observed.firewall = Some(ruleset.loaded.clone()),
        RobotStep::MoveIn(name) => {
            assert!(observed.firewall.is_some(), "{name} comes in before there is a firewall");
            assert!(!observed.inside.links.contains_key(name), "{name} is on both sides");
            let link = observed.outside.links.remove(name).unwrap();
            observed.outside.routes.retain(|route| route.interface.as_ref() != Some(name));
            let link = NetworkLink { up: false, addresses: BTreeSet::new(), ..link };
            observed.inside.links.insert(name.clone(), link);
            for (key, _) in settings([name.as_str()].into_iter())
                .iter()
                .filter(|(key, _)| key.contains(&format!("/{name}/")))
            {
                let default = observed.kernel[&key.replace(&format!("/{name}/"), "/default/")].clone();
                observed.kernel.insert(key.clone(), default);
            }
        }
        RobotStep::MoveOut(name) => {
            let link = observed.inside.links.remove(name).unwrap();
            observed.inside.routes.retain(|route| route.interface.as_ref() != Some(name));
            observed.kernel.retain(|key, _| !key.contains(&format!("/{name}/")));
            let link = NetworkLink { up: false, addresses: BTreeSet::new(), ..link };
            assert!(observed.outside.links.insert(name.clone(), link).is_none(), "{name} is on both sides");
        }
        RobotStep::RemoveAddress(name, address) => {
            let link = observed.inside.links.get_mut(name).unwrap();
            assert!(link.addresses.remove(address));
            let network = IpNetwork::of(*address);
            if !link.addresses.iter().any(|other| IpNetwork::of(*other) == network) {
                let along = |route: &IpRoute| {
                    route.to == network
                        && route.interface.as_ref() == Some(name)
                        && route.gateway.is_none()
                        && route.table == MAIN
                };
                observed.inside.routes.retain(|route| !along(route));
            }
        }
        RobotStep::AddAddress(name, address) => {
            let link = observed.inside.links.get_mut(name).unwrap();
            assert!(link.addresses.insert(*address));
            let up = link.up;
            if up {
                observed.inside.routes.insert(IpRoute::onto(name, IpNetwork::of(*address)));
            }
        }
        RobotStep::SwitchOn(name) => {
            let link = observed.inside.links.get_mut(name).unwrap();
            link.up = true;
            let networks = link.addresses.iter().map(|address| IpRoute::onto(name, IpNetwork::of(*address)));
            observed.inside.routes.extend(networks);
        }
        RobotStep::SwitchOff(_) => panic!("nothing is switched off by a plan"),
        RobotStep::RemoveRoute(route) => drop(observed.inside.routes.remove(route)),
        RobotStep::AddRoute(route) => {
            assert!(
                observed.inside.links[route.interface.as_ref().unwrap()].up,
                "a route at an interface that is off"
            );
            let same = |other: &IpRoute| {
                (other.to, other.table, other.priority) == (route.to, route.table, route.priority)
            };
            assert!(!observed.inside.routes.iter().any(same), "{route:?} collides");
            observed.inside.routes.insert(route.clone());
        }
    }
}

const NAMES: [&str; 5] = ["eth0", "eth1", "eth2", "end0", "wlan0"];
const OWN: [&str; 6] =
    ["192.168.123.222/24", "192.168.50.10/24", "10.0.0.10/24", "10.0.0.10/32", "fd00::10/64", "10.0.0.10/31"];
const ADDRESSES: [&str; 9] = [
    "192.168.123.222/24",
    "192.168.123.222/16",
    "192.168.123.99/24",
    "192.168.50.10/24",
    "10.0.0.10/24",
    "10.0.0.10/8",
    "fe80::1/64",
    "fd00::10/64",
    "2001:db8::7/64",
];
const NETWORKS: [&str; 9] = [
    "0.0.0.0/0",
    "::/0",
    "192.168.123.0/24",
    "192.168.0.0/16",
    "10.0.0.0/24",
    "224.0.0.0/4",
    "fe80::/64",
    "fd00::/64",
    "10.99.0.0/16",
];

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

prop_compose! {
    fn desired()(
        names in subsequence(NAMES.to_vec(), 0..4),
        own in select(OWN.to_vec()),
        addressed in any::<prop::sample::Index>(),
        openings in subsequence(vec!["tcp/554", "udp/5004", "udp/67"], 0..3),
    ) -> DesiredRobotNetwork {
        let mut interfaces: BTreeMap<_, _> = names.iter().map(|name| ((*name).to_owned(), None)).collect();
        if !names.is_empty() {
            interfaces.insert(names[addressed.index(names.len())].to_owned(), Some(cidr(own)));
        }
        let openings = openings.iter().map(|opening| opening.parse().unwrap()).collect();
        DesiredRobotNetwork { interfaces, openings, ..DesiredRobotNetwork::default() }
    }
}

prop_compose! {
    fn link(name: &'static str)(
        up in any::<bool>(),
        enslaved in prop::bool::weighted(0.1),
        addresses in subsequence(ADDRESSES.to_vec(), 0..4),
        index in 2_u32..99,
    ) -> NetworkLink {
        let addresses = addresses.iter().map(|address| cidr(address)).collect();
        NetworkLink { name: name.into(), index, ethernet: name != "wlan0", enslaved, up, addresses, ..NetworkLink::default() }
    }
}

prop_compose! {
    fn route(names: Vec<String>)(
        to in select(NETWORKS.to_vec()),
        interface in prop::option::weighted(0.9, select(names.into_iter().chain(["lo".into()]).collect::<Vec<_>>())),
        gateway in prop::option::weighted(0.3, Just("192.168.123.1".parse().unwrap())),
        table in select(vec![MAIN, MAIN, 100]),
        priority in 0_u32..3,
    ) -> IpRoute {
        IpRoute { to: IpNetwork::of(cidr(to)), interface, gateway, table, priority }
    }
}

fn side() -> impl Strategy<Value = NamespaceState> {
    subsequence(NAMES.to_vec(), 0..=NAMES.len())
        .prop_flat_map(|names| {
            let links: Vec<_> = names.iter().map(|name| link(name)).collect();
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            (links, proptest::collection::vec(route(names), 0..6))
        })
        .prop_map(|(links, routes)| {
            let mut unique = BTreeMap::new();
            for route in routes {
                unique.insert((route.to, route.table, route.priority), route);
            }
            let links = links.into_iter().map(|link| (link.name.clone(), link)).collect();
            NamespaceState { links, routes: unique.into_values().collect() }
        })
}

prop_compose! {
    fn observed()(
        namespace in prop::bool::weighted(0.8),
        outside in side(),
        mut inside in side(),
        values in proptest::collection::vec(select(vec!["0", "1", "2"]), 80),
        firewall in prop::option::of(Just(LoadedFirewall::default())),
        lo in any::<bool>(),
    ) -> ObservedRobotNetwork {
        if !namespace {
            return ObservedRobotNetwork { outside, ..ObservedRobotNetwork::default() };
        }
        inside.links.insert("lo".into(), NetworkLink { name: "lo".into(), up: lo, ..NetworkLink::default() });
        let names: Vec<_> = inside.links.values().filter(|link| link.ethernet).map(|link| link.name.clone()).collect();
        let keys = settings(names.iter().map(String::as_str)).into_iter().map(|(key, _)| key);
        let kernel = keys.zip(values.into_iter().cycle().map(str::to_owned)).collect();
        ObservedRobotNetwork { namespace, outside, inside, kernel, firewall }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn what_a_plan_leads_to_needs_no_plan_and_no_way_leads_out(desired in desired(), before in observed()) {
        let mut observed = before.clone();
        for step in plan(&desired, &before) {
            carry_out(&mut observed, &step);
        }
        prop_assert_eq!(plan(&desired, &observed), vec![]);
        prop_assert!(!observed.inside.routes.iter().any(|route| route.to.is_everything() || route.gateway.is_some()));
        for key in ["ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv6/conf/default/accept_ra"] {
            prop_assert!(observed.kernel.get(key).is_none_or(|value| value == "0"), "{key}");
        }
        for (name, own) in &desired.interfaces {
            // An interface that can be taken is taken, gets its address, and receives groups.
            let Some(link) = observed.inside.links.get(name) else {
                prop_assert!(observed.outside.links.get(name).is_none_or(|link| !link.movable()));
                continue;
            };
            prop_assert!(link.up && own.is_none_or(|own| link.addresses.contains(&own)));
            prop_assert!(link.addresses.iter().all(|address| Some(*address) == *own || link_local(address.address)));
            prop_assert!(observed.inside.routes.iter().any(|route| route.to == MULTICAST && route.interface.as_ref() == Some(name)));
        }
    }

    #[test]
    fn nothing_is_taken_but_what_is_wanted_and_all_else_goes_back(desired in desired(), before in observed()) {
        let steps = plan(&desired, &before);
        for step in &steps {
            if let RobotStep::MoveIn(name) = step {
                prop_assert!(desired.interfaces.contains_key(name) && before.outside.links[name].movable());
            }
            prop_assert!(!step.to_string().is_empty());
        }
        let mut observed = before;
        steps.iter().for_each(|step| carry_out(&mut observed, step));
        for link in observed.inside.links.values().filter(|link| link.movable()) {
            prop_assert!(desired.interfaces.contains_key(&link.name) || observed.outside.links.contains_key(&link.name));
        }
    }

    #[test]
    fn a_plan_cut_short_anywhere_is_made_good_by_the_next(desired in desired(), before in observed(), cut in any::<prop::sample::Index>()) {
        let steps = plan(&desired, &before);
        let mut observed = before;
        steps.iter().take(cut.index(steps.len() + 1)).for_each(|step| carry_out(&mut observed, step));
        let rest = plan(&desired, &observed);
        rest.iter().for_each(|step| carry_out(&mut observed, step));
        prop_assert_eq!(plan(&desired, &observed), vec![]);
    }

    #[test]
    fn the_way_back_leaves_no_interface(before in observed()) {
        let mut observed = before;
        let back = plan_restore(&observed);
        back.iter().for_each(|step| carry_out(&mut observed, step));
        prop_assert_eq!(plan_restore(&observed), vec![]);
        prop_assert!(observed.inside.links.values().all(|link| !link.movable() || observed.outside.links.contains_key(&link.name)));
    }
}

#[test]
fn what_stands_in_the_way_at_another_interface_goes_first() {
    let interfaces = [("eth0".to_owned(), None), ("eth1".to_owned(), Some(cidr("10.0.0.10/24")))].into();
    let desired = DesiredRobotNetwork { interfaces, ..DesiredRobotNetwork::default() };
    let link = |name: &str, addresses: &[&str]| {
        let addresses = addresses.iter().map(|address| cidr(address)).collect();
        (
            name.to_owned(),
            NetworkLink { name: name.into(), ethernet: true, up: true, addresses, ..NetworkLink::default() },
        )
    };
    let way = IpRoute::onto("eth0", IpNetwork::of(cidr("10.0.0.10/24")));
    for stale in [&[][..], &["10.0.0.9/24"]] {
        let mut observed = ObservedRobotNetwork { namespace: true, ..ObservedRobotNetwork::default() };
        observed.inside.links =
            [link("eth0", stale), link("eth1", &["10.0.0.10/24"]), link("lo", &[])].into();
        observed.inside.routes = [way.clone()].into();
        plan(&desired, &observed.clone()).iter().for_each(|step| carry_out(&mut observed, step));
        assert_eq!(plan(&desired, &observed), vec![]);
    }
}

#[test]
fn the_interface_of_an_uplink_is_never_taken() {
    let text = b"schema = 1\n[robot]\nkind = \"go2\"\n[uplink.ethernet]\ninterface = \"eth1\"\n\
        [[stream]]\nname = \"a\"\nsource = \"rtp://230.1.1.1:1720?interface=eth1\"\n";
    let desired = DesiredRobotNetwork::of(&robocast_config::parse(text).unwrap().settings);
    let link = |name: &str| {
        (name.to_owned(), NetworkLink { name: name.into(), ethernet: true, ..NetworkLink::default() })
    };
    let mut observed = ObservedRobotNetwork::default();
    observed.outside.links = [link("eth0"), link("eth1")].into();
    let taken: Vec<_> =
        plan(&desired, &observed).into_iter().filter(|step| matches!(step, RobotStep::MoveIn(_))).collect();
    assert_eq!(taken, [RobotStep::MoveIn("eth0".into())]);
    // One that earlier settings left there goes back.
    observed.namespace = true;
    observed.inside.links = [observed.outside.links.remove_entry("eth1").unwrap()].into();
    assert!(plan(&desired, &observed).contains(&RobotStep::MoveOut("eth1".into())));
}

#[test]
fn the_steps_read_as_orders() {
    let desired = DesiredRobotNetwork {
        interfaces: [("eth0".to_owned(), Some(cidr("192.168.123.222/24")))].into(),
        ..DesiredRobotNetwork::default()
    };
    let link = NetworkLink {
        name: "enx0".into(),
        aliases: ["eth0".to_owned()].into(),
        ethernet: true,
        ..NetworkLink::default()
    };
    let mut observed = ObservedRobotNetwork::default();
    observed.outside.links.insert("enx0".into(), link);
    let steps: Vec<_> = plan(&desired, &observed)
        .iter()
        .map(ToString::to_string)
        .filter(|step| !step.starts_with("set "))
        .collect();
    assert_eq!(
        steps,
        [
            "create the robot's side",
            "load the firewall of the robot's side",
            "switch lo on",
            "move enx0 to the robot's side",
            "give enx0 the address 192.168.123.222/24",
            "switch enx0 on",
            "add the route to the multicast groups at enx0",
        ]
    );
}
