//! Which packets the firewall lets pass, with real nftables and real peers.

use std::net::Ipv4Addr;

use robocast_net::robot::DesiredRobotNetwork;
use robocast_net::robot::firewall::Ruleset;
use robocast_tests::programs::program;

use crate::world::*;

const GROUP: Ipv4Addr = Ipv4Addr::new(230, 1, 1, 1);

#[test]
fn nft_takes_every_ruleset() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let net = Net::new("nft");
    for text in [
        "kind = \"none\"\n",
        "kind = \"go2\"\n",
        "kind = \"spot\"\nallow = [\"tcp/554\", \"udp/53\", \"udp/5004\"]\n",
        "kind = \"go2\"\ndhcp = \"client\"\n",
        "kind = \"spot\"\ndhcp = \"server\"\n",
        "kind = \"spot\"\naddress = \"fd00::3\"\nown_address = \"fd00::10/64\"\nallow = [\"tcp/1\"]\n",
        "kind = \"go2\"\ninterface = \"eth0.5@x_-\"\n[[stream]]\nname = \"a\"\nsource = \"go2:?interface=eth1\"\n",
    ] {
        let ruleset = Ruleset::of(&desired(text)).text;
        let output =
            command("ip").args(["netns", "exec", &net.0, "nft", "--check", &ruleset]).output().unwrap();
        assert!(output.status.success(), "{text}\n{ruleset}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn go2(more: &str) -> DesiredRobotNetwork {
    desired(&format!("kind = \"go2\"\n{more}"))
}

#[tokio::test]
async fn the_robot_reaches_what_it_is_allowed_and_nothing_else() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.123.161/24");
    let (mut side, _) = world.up(&go2("")).await;
    world.inside.answer("0.0.0.0:554", "box");
    world.inside.answer("0.0.0.0:5004", "box");
    let own = |port: u16| format!("192.168.123.222:{port}");
    assert_eq!(world.robot.ask(&own(554), BRIEF), (None, None));
    // The openings are for the robot's network only.
    let allowed = go2("allow = [\"tcp/554\"]\n[[stream]]\nname = \"a\"\nsource = \"rtp://0.0.0.0:5004\"\n");
    assert!(side.converge(&allowed).await.proven);
    assert_eq!(world.robot.ask(&own(554), PATIENCE).0.as_deref(), Some("box"));
    assert_eq!(world.robot.ask(&own(554), BRIEF).1, None);
    assert_eq!(world.robot.ask(&own(5004), BRIEF).0, None);
    assert_eq!(world.robot.ask(&own(5004), PATIENCE).1.as_deref(), Some("box"));
    world.robot.ip("address del 192.168.123.161/24 dev r0");
    world.robot.ip("address add 172.16.0.1/24 dev r0");
    world.robot.ip("route add 192.168.123.222/32 dev r0");
    world.inside.ip("route add 172.16.0.0/24 dev eth0");
    assert_eq!(world.robot.ask(&own(554), BRIEF).0, None);
    // Without the firewall it is answered: routing was not the reason.
    world.inside.told("nft", "flush ruleset");
    assert_eq!(world.robot.ask(&own(554), PATIENCE).0.as_deref(), Some("box"));
}

#[tokio::test]
async fn a_camera_reaches_the_robots_network_and_nothing_else() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.123.161/24");
    world.robot.ip("address add 172.16.0.1/24 dev r0");
    world.robot.answer("192.168.123.161:80", "robot");
    world.robot.answer("172.16.0.1:80", "robot");
    let (_side, _) = world.up(&go2("")).await;
    let both = (Some("robot".to_owned()), Some("robot".to_owned()));
    assert_eq!(world.inside.ask("192.168.123.161:80", PATIENCE), both);
    assert_eq!(world.inside.ask("172.16.0.1:80", BRIEF), (None, None));
    // Even with a route there, the firewall blocks it; without the firewall, the route would lead there.
    world.inside.ip("route add 172.16.0.0/24 dev eth0");
    world.robot.ip("route add 192.168.123.222/32 dev r0");
    assert_eq!(world.inside.ask("172.16.0.1:80", BRIEF), (None, None));
    world.inside.told("nft", "flush ruleset");
    assert_eq!(world.inside.ask("172.16.0.1:80", PATIENCE), both);
}

#[tokio::test]
async fn groups_come_in_from_the_robots_network_only() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.123.161/24");
    world.robot.ip("route add 224.0.0.0/4 dev r0");
    let (_side, _) = world.up(&go2("")).await;
    let camera = world.inside.join("eth0", GROUP, 1720);
    world.robot.send("230.1.1.1:1720", "picture");
    assert_eq!(heard(&camera, PATIENCE).as_deref(), Some("picture"));
    // One with a foreign address is a stranger on the robot's wire.
    world.robot.ip("address flush dev r0");
    world.robot.ip("address add 172.16.0.1/24 dev r0");
    world.robot.ip("route replace 224.0.0.0/4 dev r0");
    world.robot.send("230.1.1.1:1720", "stranger");
    assert_eq!(heard(&camera, BRIEF), None);
    world.inside.told("nft", "flush ruleset");
    world.robot.send("230.1.1.1:1720", "stranger");
    assert_eq!(heard(&camera, PATIENCE).as_deref(), Some("stranger"));
}

#[tokio::test]
async fn a_real_camera_gets_its_video_over_groups_and_over_rtsp_by_udp_and_tcp() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let simulator = program("robocast-sim");
    let simulator = simulator.to_str().unwrap();
    let world = World::new("192.168.123.161/24");
    let (_side, _) = world.up(&go2("")).await;
    let small = ["--size", "160x120", "--fps", "10", "--bitrate", "100"];
    let go2: Vec<_> = ["go2", "--interface", "r0"].into_iter().chain(small).collect();
    let rtsp: Vec<_> = ["rtsp", "--listen", "192.168.123.161:8554"].into_iter().chain(small).collect();
    let _robots = (world.robot.start(simulator, &go2), world.robot.start(simulator, &rtsp));
    for (url, transport) in [
        ("rtp://230.1.1.1:1720?interface=eth0", "tcp"),
        ("rtsp://192.168.123.161:8554/front", "udp"),
        ("rtsp://192.168.123.161:8554/front", "tcp"),
    ] {
        let probe = ["probe", url, "--transport", transport, "--seconds", "2", "--wait", "60", "--json"];
        let output =
            command("ip").args(["netns", "exec", &world.inside.0, simulator]).args(probe).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        eprintln!("{url} {transport}: {}", told.trim());
        assert!(
            output.status.success(),
            "{url} {transport}: {told} {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
