//! Taking, keeping and giving back.

use std::time::Duration;

use robocast_net::check::{Check, all_ok};
use robocast_net::robot::{apply, observe, plan};
use tokio::time::{Instant, timeout};

use crate::world::*;

const GO2: &str = "kind = \"go2\"\n";

#[tokio::test]
async fn the_interface_is_taken_and_a_second_run_does_nothing() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.123.161/24");
    // Its addresses from the uplink's side must not come along.
    world.outside.ip("address add 10.9.9.9/24 dev eth0");
    world.outside.ip("link set eth0 up");
    world.outside.ip("route add default via 10.9.9.1");
    world.robot.answer("192.168.123.161:443", "robot");
    let (mut side, first) = world.up(&desired(GO2)).await;
    assert!(first.steps.contains(&"move eth0 to the robot's side".to_owned()), "{:?}", first.steps);
    let view = side.describe();
    assert_eq!(
        (view.present, view.address.map(|own| own.to_string())),
        (true, Some("192.168.123.222/24".into()))
    );
    let again = side.converge(&desired(GO2)).await;
    assert!(again.proven && again.steps.is_empty(), "{again:?}");
    // Another program of ours finds it as this one left it.
    let anew = world.side().converge(&desired(GO2)).await;
    assert!(anew.proven && anew.steps.is_empty(), "{anew:?}");
    let observed = observe::observe_network(&world.outside.namespace(), &world.inside.0).await.unwrap();
    assert!(!observed.outside.links.contains_key("eth0"));
    assert!(!observed.inside.routes.iter().any(|route| route.to.is_everything()));
    let check = side.check().await;
    assert!(all_ok(&check), "{check:#?}");
    assert!(check.iter().any(|check| check.text.contains("the robot answers at")), "{check:?}");
}

#[tokio::test]
async fn several_interfaces_and_ipv6_are_the_robots_too() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("fd00::3/64");
    world.robot.ip("link set r0 name r1");
    world.plug("eth1");
    let text = "kind = \"spot\"\naddress = \"fd00::3\"\nown_address = \"fd00::10/64\"\n\
        [[stream]]\nname = \"a\"\nsource = \"rtp://230.1.1.1:1720?interface=eth1\"\n";
    let (mut side, first) = world.up(&desired(text)).await;
    assert!(first.steps.contains(&"give eth0 the address fd00::10/64".to_owned()), "{:?}", first.steps);
    let observed = observe::observe_network(&world.outside.namespace(), &world.inside.0).await.unwrap();
    let groups =
        observed.inside.routes.iter().filter(|route| route.to == robocast_net::robot::observed::MULTICAST);
    assert_eq!(
        groups.map(|route| (route.interface.clone().unwrap(), route.priority)).collect::<Vec<_>>(),
        [("eth0".into(), 0), ("eth1".into(), 1)]
    );
    let again = side.converge(&desired(text)).await;
    assert!(again.proven && again.steps.is_empty(), "{again:?}");
    let check = side.check().await;
    assert!(all_ok(&check), "{check:?}");
    assert_eq!(side.views().len(), 2);
}

#[tokio::test]
async fn a_fault_on_the_robots_side_is_noticed_and_repaired() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.123.161/24");
    let (mut side, _) = world.up(&desired(GO2)).await;
    for harm in [
        "route add default via 192.168.123.161",
        "address del 192.168.123.222/24 dev eth0",
        "address add 192.168.123.99/24 dev eth0",
        "address add 10.1.2.3/8 dev eth0",
        "address add 2001:db8::7/64 dev eth0",
        "route del 224.0.0.0/4 dev eth0",
        "route add 10.77.0.0/16 via 192.168.123.161",
        "link set eth0 down",
        "link set lo down",
    ] {
        world.inside.ip(harm);
        let check = side.check().await;
        let woken = timeout(PATIENCE, side.changed()).await;
        assert!(woken.is_ok(), "nobody noticed: {harm}");
        let outcome = side.converge(&desired(GO2)).await;
        assert!(outcome.proven && !outcome.steps.is_empty(), "{harm}: {outcome:?}");
        if harm.contains("default") || harm.contains("222") {
            assert!(!all_ok(&check), "{harm} passes the check");
        }
    }
    for (key, value) in [
        ("net.ipv4.ip_forward", "1"),
        ("net.ipv6.conf.eth0.accept_ra", "2"),
        ("net.ipv4.conf.eth0.rp_filter", "1"),
    ] {
        world.inside.told("sysctl", &format!("-w {key}={value}"));
        let outcome = side.converge(&desired(GO2)).await;
        assert!(outcome.proven && !outcome.steps.is_empty(), "{key}: {outcome:?}");
        assert_ne!(world.inside.told("sysctl", &format!("-n {key}")).trim(), value);
    }
    // Wait until the events of the repair itself are over.
    while timeout(Duration::from_secs(4), side.changed()).await.is_ok() {}
    world.inside.told("nft", "flush ruleset");
    assert!(!all_ok(&side.check().await));
    timeout(Duration::from_secs(4), side.changed()).await.expect("a firewall that goes is noticed");
    let outcome = side.converge(&desired(GO2)).await;
    assert_eq!(outcome.steps, ["load the firewall of the robot's side"]);
    assert!(side.check().await.contains(&Check::new(true, "the firewall is loaded")));
}

#[tokio::test]
async fn an_interface_that_comes_later_or_by_another_name_is_taken_when_it_comes() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.123.161/24");
    let desired = desired("kind = \"go2\"\ninterface = \"usb0\"\n");
    let mut side = world.side();
    let away = side.converge(&desired).await;
    assert!(away.proven && away.text.contains("usb0 is not there"), "{away:?}");
    // udev gives it its name.
    world.outside.ip("link set eth0 name usb0");
    until(&mut side, &desired, "renamed", |side, outcome| outcome.proven && side.describe().present).await;
    // Pulled, and put into another socket, where the kernel calls it otherwise and udev adds the name.
    world.robot.ip("link del r0");
    until(&mut side, &desired, "pulled", |side, _| !side.describe().present).await;
    world.plug("enx0");
    world.outside.ip("link property add dev enx0 altname usb0");
    let outcome =
        until(&mut side, &desired, "plugged", |side, outcome| outcome.proven && side.describe().present)
            .await;
    assert!(outcome.steps.contains(&"move enx0 to the robot's side".to_owned()), "{outcome:?}");
    // Renamed while it is there: it is no longer the robot's, and goes back.
    world.inside.ip("link property del dev enx0 altname usb0");
    let outcome = until(&mut side, &desired, "not ours", |side, _| !side.describe().present).await;
    assert!(outcome.steps.contains(&"move enx0 back to the box's own network".to_owned()), "{outcome:?}");
}

#[tokio::test]
async fn a_flapping_cable_neither_starves_nor_spins() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.123.161/24");
    let desired = desired(GO2);
    let (mut side, _) = world.up(&desired).await;
    let robot = world.robot.0.clone();
    let flaps = tokio::task::spawn_blocking(move || {
        // Ten times a second, pulled and put back.
        let (_never, wait) = std::sync::mpsc::channel::<()>();
        for number in 0..60 {
            let state = if number % 2 == 0 { "down" } else { "up" };
            assert!(
                command("ip").args(["-n", &robot, "link", "set", "r0", state]).status().unwrap().success()
            );
            let _ = wait.recv_timeout(Duration::from_millis(50));
        }
    });
    tokio::pin!(flaps);
    let (mut turns, start) = (0_u32, Instant::now());
    loop {
        tokio::select! {
            done = &mut flaps => { done.unwrap(); break; }
            () = side.changed() => {
                turns += 1;
                assert!(side.converge(&desired).await.proven);
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    eprintln!("60 changes of the carrier in {seconds:.1} s: {turns} turns");
    assert!(turns >= 3 && f64::from(turns) <= seconds * 20.0 + 2.0, "{turns} turns in {seconds} s");
    until(&mut side, &desired, "the carrier is back", |side, outcome| {
        outcome.proven && side.describe().carrier
    })
    .await;
    // Then there is quiet, except for IPv6's own traffic.
    let (mut late, end) = (0, Instant::now() + Duration::from_secs(3));
    while tokio::time::timeout_at(end, side.changed()).await.is_ok() {
        late += 1;
        let outcome = side.converge(&desired).await;
        assert!(outcome.steps.is_empty(), "{outcome:?}");
    }
    assert!(late <= 6, "{late} turns without a change");
}

#[tokio::test]
async fn an_interface_that_vanishes_ten_times_a_second_is_there_in_the_end() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.123.161/24");
    let desired = desired(GO2);
    let (mut side, _) = world.up(&desired).await;
    for _ in 0..10 {
        world.robot.ip("link del r0");
        let _ = timeout(Duration::from_millis(20), side.changed()).await;
        side.converge(&desired).await;
        world.plug("eth0");
        let _ = timeout(Duration::from_millis(80), side.changed()).await;
        side.converge(&desired).await;
    }
    until(&mut side, &desired, "it is there", |side, outcome| outcome.proven && side.describe().carrier)
        .await;
}

#[tokio::test]
async fn one_that_was_killed_anywhere_is_made_good_by_the_next() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let desired = desired(GO2);
    let steps = plan::plan(&desired, &Default::default()).len() + 4;
    for cut in (0..=steps).filter(|cut| *cut < 3 || *cut + 9 > steps) {
        let world = World::new("192.168.123.161/24");
        let outside = world.outside.namespace();
        let observed = observe::observe_network(&outside, &world.inside.0).await.unwrap();
        let steps = plan::plan(&desired, &observed);
        apply::apply_steps(&outside, &world.inside.0, &steps[..cut.min(steps.len())], &observed)
            .await
            .unwrap();
        let outcome = world.side().converge(&desired).await;
        assert!(outcome.proven, "killed after {cut} steps: {outcome:?}");
    }
}

#[tokio::test]
async fn what_fails_in_the_middle_is_undone() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.123.161/24");
    let desired = desired(GO2);
    let outside = world.outside.namespace();
    let before = observe::observe_network(&outside, &world.inside.0).await.unwrap();
    let mut steps = plan::plan(&desired, &before);
    steps.push(robocast_net::robot::step::RobotStep::SetKernel(
        "ipv4/conf/nowhere0/rp_filter".into(),
        "0".into(),
    ));
    let error = apply::apply_steps(&outside, &world.inside.0, &steps, &before).await.unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains("cannot set ipv4.conf.nowhere0.rp_filter") && told.contains("were undone"),
        "{told}"
    );
    let after = observe::observe_network(&outside, &world.inside.0).await.unwrap();
    assert!(after.outside.links.contains_key("eth0") && !after.inside.links.contains_key("eth0"));
}

#[tokio::test]
async fn the_way_back_gives_the_interface_back() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.123.161/24");
    let (mut side, _) = world.up(&desired(GO2)).await;
    let outcome = side.restore().await;
    assert_eq!(outcome.steps, ["move eth0 back to the box's own network"]);
    assert!(outcome.proven);
    let observed = observe::observe_network(&world.outside.namespace(), &world.inside.0).await.unwrap();
    assert!(observed.outside.links.contains_key("eth0") && observed.firewall.is_some());
    // A robot that does not answer is reported honestly.
    world.robot.ip("link set r0 down");
    let (side, _) = world.up(&desired(GO2)).await;
    let check = side.check().await;
    assert!(check.iter().any(|check| !check.ok && check.text.contains("no carrier")), "{check:?}");
}

#[tokio::test]
async fn a_robot_with_another_address_is_silent() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.123.162/24");
    let (side, _) = world.up(&desired(GO2)).await;
    let silent = |checks: &[Check]| {
        checks.iter().any(|check| !check.ok && check.text.contains("nobody answers at 192.168.123.161"))
    };
    let check = side.check().await;
    assert!(silent(&check), "{check:?}");
    // It answers; then it is gone: the kernel's memory proves nothing.
    world.robot.ip("address add 192.168.123.161/24 dev r0");
    let check = side.check().await;
    assert!(all_ok(&check), "{check:?}");
    // A host that only answers ARP for its address is on the wire, however often it is probed.
    world
        .robot
        .told("nft", "add table ip t; add chain ip t i { type filter hook input priority 0; policy drop; }");
    for _ in 0..2 {
        let check = side.check().await;
        assert!(check.iter().any(|check| check.ok && check.text.contains("on the wire")), "{check:?}");
    }
    world.robot.ip("address del 192.168.123.161/24 dev r0");
    let check = side.check().await;
    assert!(silent(&check), "{check:?}");
}
