//! DHCP on the robot's wire: against dnsmasq, against a liar, and our server against a client.

use std::net::{Ipv4Addr, UdpSocket};

use dhcproto::v4::{DhcpOption, Message, MessageType, Opcode};
use dhcproto::{Decodable, Decoder, Encodable};
use robocast_config::Cidr;
use robocast_net::check::all_ok;
use robocast_net::robot::dhcp::client::{DhcpClient, DhcpPort, LeaseState};
use robocast_net::robot::observe;
use tokio::time::timeout;

use crate::world::*;

const CLIENT: &str = "kind = \"spot\"\ndhcp = \"client\"\n";

#[tokio::test]
async fn a_lease_gives_an_address_and_neither_router_nor_name_server() {
    if !able(&["ip", "nft", "dnsmasq"]) {
        return;
    }
    let world = World::new("192.168.50.3/24");
    // It claims to be the default router.
    let _server = world.robot.start(
        "dnsmasq",
        &[
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--port=0",
            "--interface=r0",
            "--bind-interfaces",
            "--dhcp-range=192.168.50.77,192.168.50.77,255.255.255.0,120",
            "--dhcp-option=3,192.168.50.3",
            "--dhcp-option=6,192.168.50.3",
            "--dhcp-option=121,0.0.0.0/0,192.168.50.3",
            "--leasefile-ro",
            "--no-ping",
        ],
    );
    let desired = desired(CLIENT);
    let mut side = world.side();
    let leased = |text: &str| Some(text.parse::<Cidr>().unwrap());
    until(&mut side, &desired, "a lease", |side, outcome| {
        outcome.proven && side.describe().address == leased("192.168.50.77/24")
    })
    .await;
    let observed = observe::observe_network(&world.outside.namespace(), &world.inside.0).await.unwrap();
    assert!(!observed.inside.routes.iter().any(|route| route.to.is_everything() || route.gateway.is_some()));
    let again = side.converge(&desired).await;
    assert!(again.proven && again.steps.is_empty(), "{again:?}");
    let check = side.check().await;
    assert!(all_ok(&check), "{check:?}");
    // A restarted program asks again, and uses the address until there is an answer.
    drop(side);
    let mut side = world.side();
    let anew = side.converge(&desired).await;
    assert!(anew.proven && anew.steps.is_empty(), "{anew:?}");
    assert_eq!(side.describe().address, leased("192.168.50.77/24"));
}

/// A server that sends every answer through `lie` first.
fn liar(world: &World, lie: impl Fn(&mut Message, u32) -> Option<Vec<u8>> + Send + 'static) {
    let socket = world.robot.within(|| {
        let socket = UdpSocket::bind("0.0.0.0:67").unwrap();
        socket.set_broadcast(true).unwrap();
        socket
    });
    world.robot.ip("route add 255.255.255.255/32 dev r0");
    std::thread::spawn(move || {
        let mut datagram = [0; 1500];
        let mut number = 0;
        while let Ok((length, _)) = socket.recv_from(&mut datagram) {
            let Ok(asked) = Message::decode(&mut Decoder::new(&datagram[..length])) else { continue };
            let kind = match asked.opts().msg_type() {
                Some(MessageType::Discover) => MessageType::Offer,
                Some(MessageType::Request) => MessageType::Ack,
                _ => continue,
            };
            let mut answer = Message::default();
            answer.set_opcode(Opcode::BootReply).set_xid(asked.xid()).set_chaddr(asked.chaddr());
            answer.set_yiaddr(Ipv4Addr::new(192, 168, 50, 99));
            let options = answer.opts_mut();
            options.insert(DhcpOption::MessageType(kind));
            options.insert(DhcpOption::ServerIdentifier(Ipv4Addr::new(192, 168, 50, 3)));
            options.insert(DhcpOption::SubnetMask(Ipv4Addr::new(255, 255, 255, 0)));
            options.insert(DhcpOption::AddressLeaseTime(600));
            number += 1;
            let whole = lie(&mut answer, number);
            for bytes in whole.into_iter().chain([answer.to_vec().unwrap()]) {
                let _ = socket.send_to(&bytes, "255.255.255.255:68");
            }
        }
    });
}

#[tokio::test]
async fn a_lie_is_told_and_gives_no_address() {
    if !able(&["ip", "nft"]) {
        return;
    }
    for (mask, address, word) in [
        ([0, 0, 0, 0], [192, 168, 50, 99], "without a mask"),
        ([255, 0, 255, 0], [192, 168, 50, 99], "has holes"),
        ([255, 255, 255, 0], [192, 168, 50, 3], "the robot's own address"),
        ([255, 255, 255, 0], [230, 1, 1, 1], "no host can have"),
    ] {
        let world = World::new("192.168.50.3/24");
        liar(&world, move |answer, _| {
            answer.set_yiaddr(Ipv4Addr::from(address)).opts_mut().insert(DhcpOption::SubnetMask(mask.into()));
            None
        });
        let mut side = world.side();
        let desired = desired(CLIENT);
        let outcome = until(&mut side, &desired, word, |side, _| side.describe().text.contains(word)).await;
        assert!(outcome.proven && side.describe().address.is_none(), "{outcome:?}");
    }
}

#[tokio::test]
async fn garbage_between_the_answers_does_no_harm() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.50.3/24");
    liar(&world, |answer, number| {
        // Options cut short, overloaded into other fields, without an end.
        let mut bytes = answer.to_vec().unwrap();
        bytes.truncate(bytes.len() - 1);
        bytes.extend([52, 1, 3, 53, 200, 1, 2, 61, 255]);
        bytes.extend((0..200).map(|at: u32| (at * 7919 + number * 104_729) as u8));
        Some(bytes)
    });
    let mut side = world.side();
    until(&mut side, &desired(CLIENT), "a lease in spite of it", |side, outcome| {
        outcome.proven && side.describe().address.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_goes() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.50.3/24");
    liar(&world, |answer, number| {
        let options = answer.opts_mut();
        options.insert(DhcpOption::AddressLeaseTime(10));
        // One offer and one acknowledgement; then never again.
        if number > 2 {
            options.insert(DhcpOption::MessageType(MessageType::Nak));
        }
        None
    });
    let mut side = world.side();
    let desired = desired(CLIENT);
    until(&mut side, &desired, "a lease", |side, _| side.describe().address.is_some()).await;
    until(&mut side, &desired, "it ran out", |side, outcome| {
        outcome.proven && side.describe().address.is_none()
    })
    .await;
}

#[tokio::test]
async fn our_server_gives_the_robot_an_address() {
    if !able(&["ip", "nft"]) {
        return;
    }
    let world = World::new("192.168.50.200/24");
    let (mut side, _) = world.up(&desired("kind = \"spot\"\ndhcp = \"server\"\n")).await;
    let robot = world.robot.namespace();
    let link = observe::observe_namespace(&robot).await.unwrap().links.remove("r0").unwrap();
    let wire = DhcpPort { interface: "r0".into(), index: link.index, mac: link.mac.unwrap(), robot: None };
    let mut client = DhcpClient::start(&robot, wire, None);
    let held = async {
        loop {
            if let LeaseState::Held(own) = client.lease_state() {
                break own;
            }
            client.changed().await;
        }
    };
    let own = timeout(PATIENCE, held).await.expect("the server gives an address");
    assert_eq!(own.to_string(), "192.168.50.11/24");
    let again = side.converge(&desired("kind = \"spot\"\ndhcp = \"server\"\n")).await;
    assert!(again.proven && again.steps.is_empty(), "{again:?}");
}
