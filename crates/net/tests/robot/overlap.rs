//! The address-overlap matrix: robots and uplinks that share addresses, and not one packet from one side to the other.

use std::net::Ipv4Addr;

use robocast_net::robot::{DesiredRobotNetwork, observe};

use crate::world::*;

const GROUP: Ipv4Addr = Ipv4Addr::new(230, 1, 1, 1);
/// The media server, behind the uplink's router; and an address that only the robot's network has.
const MEDIA: &str = "203.0.113.10";
const BEYOND: &str = "198.51.100.7";

struct Robot {
    name: &'static str,
    kind: &'static str,
    address: &'static str,
    own: &'static str,
    /// The uplink's router, and the box's address there: in the same network, and in a wider one.
    same: (&'static str, &'static str),
    wide: (&'static str, &'static str),
}

const ROBOTS: [Robot; 3] = [
    Robot {
        name: "Spot 192.168.50.0/24",
        kind: "spot",
        address: "192.168.50.3",
        own: "192.168.50.10/24",
        same: ("192.168.50.1/24", "192.168.50.77/24"),
        wide: ("192.168.7.1/16", "192.168.7.77/16"),
    },
    Robot {
        name: "Spot 10.0.0.0/24",
        kind: "spot",
        address: "10.0.0.3",
        own: "10.0.0.10/24",
        same: ("10.0.0.1/24", "10.0.0.77/24"),
        wide: ("10.200.0.1/8", "10.200.0.77/8"),
    },
    Robot {
        name: "Go2 192.168.123.0/24",
        kind: "go2",
        address: "192.168.123.161",
        own: "192.168.123.222/24",
        same: ("192.168.123.1/24", "192.168.123.77/24"),
        wide: ("192.168.7.1/16", "192.168.7.77/16"),
    },
];

#[derive(Clone, Copy, PartialEq)]
enum Uplink {
    Same,
    Stranger,
    OwnAddress,
    Wider,
}

const UPLINKS: [(Uplink, &str); 4] = [
    (Uplink::Same, "the same network"),
    (Uplink::Stranger, "a stranger at the robot's address"),
    (Uplink::OwnAddress, "gives the box its robot-side address"),
    (Uplink::Wider, "a wider network"),
];

fn host(cidr: &str) -> &str {
    cidr.split_once('/').unwrap().0
}

struct Cell {
    world: World,
    lan: Net,
    robot: &'static Robot,
    router: &'static str,
    stranger: bool,
}

impl Cell {
    fn new(robot: &'static Robot, uplink: Uplink) -> Self {
        let prefix = robot.own.split_once('/').unwrap().1;
        let world = World::new(&format!("{}/{prefix}", robot.address));
        let lan = Net::new("lan");
        let (router, own) = match uplink {
            Uplink::Wider => robot.wide,
            Uplink::OwnAddress => (robot.same.0, robot.own),
            _ => robot.same,
        };
        let stranger = matches!(uplink, Uplink::Stranger | Uplink::Wider);
        world.outside.ip(&format!("link add wl0 type veth peer name lan0 netns {}", lan.0));
        lan.ip("link set lan0 up");
        lan.ip(&format!("address add {router} dev lan0"));
        lan.ip(&format!("address add {MEDIA}/32 dev lo"));
        if stranger {
            lan.ip(&format!("address add {}/32 dev lan0", robot.address));
            lan.answer(&format!("{}:7000", robot.address), "stranger");
        }
        world.outside.ip(&format!("address add {own} dev wl0"));
        world.outside.ip("link set wl0 up");
        world.outside.ip(&format!("route add default via {}", host(router)));
        lan.answer(&format!("{}:53", host(router)), "names");
        lan.answer(&format!("{MEDIA}:1935"), "media");
        world.robot.answer(&format!("{}:7000", robot.address), "robot");
        world.robot.ip(&format!("address add {BEYOND}/32 dev lo"));
        // Both try to get through the box, which would forward packets: the hard case.
        world.robot.ip(&format!("route add {MEDIA}/32 via {}", host(robot.own)));
        world.robot.ip("route add 224.0.0.0/4 dev r0");
        lan.ip(&format!("route add {BEYOND}/32 via {}", host(own)));
        lan.ip("route add 224.0.0.0/4 dev lan0");
        world.outside.told("sysctl", "-w net.ipv4.ip_forward=1");
        Self { world, lan, robot, router: host(router), stranger }
    }

    fn desired(&self) -> DesiredRobotNetwork {
        let Robot { kind, address, own, .. } = self.robot;
        desired(&format!("kind = \"{kind}\"\naddress = \"{address}\"\nown_address = \"{own}\"\n"))
    }

    fn at_robot(&self) -> String {
        format!("{}:7000", self.robot.address)
    }

    /// Everything that either side can think of to reach the other.
    fn try_to_cross(&self) {
        for to in [
            format!("{MEDIA}:1935"),
            format!("{MEDIA}:9"),
            format!("{}:9", host(self.robot.own)),
            "230.1.1.1:1720".into(),
            "255.255.255.255:9".into(),
        ] {
            self.world.robot.send(&to, "FROM-ROBOT");
        }
        for to in [
            format!("{BEYOND}:9"),
            format!("{}:9", host(self.robot.own)),
            format!("{}:9", self.robot.address),
            "230.1.1.1:1720".into(),
            "255.255.255.255:9".into(),
        ] {
            self.lan.send(&to, "FROM-UPLINK");
        }
    }
}

fn both(word: &str) -> (Option<String>, Option<String>) {
    (Some(word.to_owned()), Some(word.to_owned()))
}

/// Senders on a wire other than those that belong there.
fn foreign(frames: &[Vec<u8>], own: &[[u8; 6]]) -> usize {
    let nobody = [0; 6];
    frames
        .iter()
        .filter(|frame| {
            frame.len() >= 14 && frame[6..12] != nobody && !own.iter().any(|mac| frame[6..12] == *mac)
        })
        .count()
}

async fn mac(net: &Net, name: &str) -> [u8; 6] {
    observe::observe_namespace(&net.namespace()).await.unwrap().links[name].mac.unwrap()
}

/// One cell, with the uplink up or down: how many frames were seen on the robot's wire and on the uplink's.
async fn prove(cell: &Cell, up: bool) -> (usize, usize) {
    let Cell { world, lan, .. } = cell;
    let on_robots = [mac(&world.robot, "r0").await, mac(&world.inside, "eth0").await];
    let on_uplinks = [mac(lan, "lan0").await, mac(&world.outside, "wl0").await];
    let (robots, uplinks) = (Capture::on(&world.robot), Capture::on(lan));
    let camera = world.inside.join("eth0", GROUP, 1720);
    // The right peer answers, wherever the question comes from.
    assert_eq!(world.inside.ask(&cell.at_robot(), PATIENCE), both("robot"));
    let elsewhere = world.outside.ask(&cell.at_robot(), if up && cell.stranger { PATIENCE } else { BRIEF });
    assert_eq!(elsewhere, if up && cell.stranger { both("stranger") } else { (None, None) });
    // The world is there for the box when the uplink is, and never for a camera.
    let (names, media) = (format!("{}:53", cell.router), format!("{MEDIA}:1935"));
    for (to, word) in [(&names, "names"), (&media, "media")] {
        let answer = world.outside.ask(to, if up { PATIENCE } else { BRIEF });
        assert_eq!(answer, if up { both(word) } else { (None, None) }, "{to}");
    }
    assert_eq!(world.inside.ask(&media, BRIEF), (None, None));
    // Groups come from the robot, and from no other host.
    cell.try_to_cross();
    assert_eq!(heard(&camera, PATIENCE).as_deref(), Some("FROM-ROBOT"));
    assert_eq!(heard(&camera, BRIEF), None);
    // A last packet on each side: everything sent before it has arrived.
    assert_eq!(world.inside.ask(&cell.at_robot(), PATIENCE), both("robot"));
    if up {
        assert_eq!(world.outside.ask(&media, PATIENCE), both("media"));
    }
    let (robots, uplinks) = (robots.frames(), uplinks.frames());
    assert!(carrying(&robots, "FROM-ROBOT") > 0, "the capture is blind");
    assert!(!up || carrying(&uplinks, "FROM-UPLINK") > 0, "the capture is blind");
    assert_eq!(carrying(&robots, "FROM-UPLINK"), 0, "from the uplink to the robot");
    assert_eq!(carrying(&uplinks, "FROM-ROBOT"), 0, "from the robot to the uplink");
    assert_eq!((foreign(&robots, &on_robots), foreign(&uplinks, &on_uplinks)), (0, 0), "strange senders");
    (robots.len(), uplinks.len())
}

#[tokio::test]
async fn the_matrix() {
    if !able(&["ip", "nft"]) {
        return;
    }
    for robot in &ROBOTS {
        for (uplink, words) in UPLINKS {
            let cell = Cell::new(robot, uplink);
            let (mut side, _) = cell.world.up(&cell.desired()).await;
            let up = prove(&cell, true).await;
            cell.world.outside.ip("link set wl0 down");
            let down = prove(&cell, false).await;
            let again = side.converge(&cell.desired()).await;
            assert!(again.proven && again.steps.is_empty(), "{again:?}");
            eprintln!(
                "| {} | {words} | {} / {}, crossed 0 | {} / {}, crossed 0 |",
                robot.name, up.0, up.1, down.0, down.1
            );
        }
    }
}

/// Without a separate side for the robot, the same captures see packets cross.
#[tokio::test]
async fn the_control_sees_packets_cross() {
    if !able(&["ip", "nft"]) {
        return;
    }
    for robot in &ROBOTS {
        let cell = Cell::new(robot, Uplink::Wider);
        let outside = &cell.world.outside;
        outside.ip(&format!("address add {} dev eth0", robot.own));
        outside.ip("link set eth0 up");
        outside.ip(&format!("route add {BEYOND}/32 via {}", robot.address));
        for scope in ["all", "default", "eth0", "wl0"] {
            outside.told("sysctl", &format!("-w net.ipv4.conf.{scope}.rp_filter=0"));
        }
        let (robots, uplinks) = (Capture::on(&cell.world.robot), Capture::on(&cell.lan));
        // Neighbours are found out first: a packet that waits for one may be dropped.
        outside.ask(&cell.at_robot(), BRIEF);
        outside.ask(&format!("{MEDIA}:1935"), PATIENCE);
        cell.try_to_cross();
        outside.ask(&format!("{MEDIA}:1935"), PATIENCE);
        let crossed = (carrying(&uplinks.frames(), "FROM-ROBOT"), carrying(&robots.frames(), "FROM-UPLINK"));
        eprintln!(
            "| {} | control: one network, passing on | crossed {} to the uplink, {} to the robot |",
            robot.name, crossed.0, crossed.1
        );
        assert!(crossed.0 > 0 && crossed.1 > 0, "{crossed:?}");
    }
}
