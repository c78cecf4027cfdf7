use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use robocast_sim::access_unit::{is_slice, nal_type};
use robocast_sim::rtp::{Depacketizer, Received};
use robocast_sim::slice_log::fnv1a;

use crate::process::{FOOTAGE, Probe, Robot, SMALL, log_lines, wait_for};
use crate::receiver::{Receiver, ssrc};

const SILENCE: Duration = Duration::from_millis(300);

fn start(receiver: &Receiver, more: &[&str]) -> Robot {
    let place = ["go2", "--group", &receiver.group, "--port", &receiver.port, "--seed", "1"];
    Robot::start(&[&place[..], more].concat())
}

fn pattern(receiver: &Receiver) -> Robot {
    start(receiver, &SMALL)
}

#[test]
fn footage_arrives_bit_for_bit_and_continues_across_its_seam() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("slices");
    let receiver = Receiver::join();
    let _robot = start(&receiver, &["--file", FOOTAGE, "--log", log.to_str().unwrap()]);
    let (mut depacketizer, mut lines) = (Depacketizer::default(), Vec::new());
    let (mut units, mut keyframes) = (0u64, Vec::new());
    let mut last: Option<(u32, u16, u32)> = None;
    while units < 140 {
        let packet = receiver.packet();
        let received = Received::parse(&packet).unwrap();
        if let Some((ssrc, sequence, timestamp)) = last {
            assert_eq!(received.ssrc, ssrc);
            assert_eq!(received.sequence, sequence.wrapping_add(1));
            assert!(
                [0, 3600].contains(&received.timestamp.wrapping_sub(timestamp)),
                "after {units} pictures"
            );
        }
        last = Some((received.ssrc, received.sequence, received.timestamp));
        assert_eq!(received.payload_type, 96);
        assert!(packet.len() <= 1400);
        for nal in depacketizer.push(received.payload).iter().filter(|nal| is_slice(nal)) {
            if nal_type(nal) == 5 && keyframes.last() != Some(&units) {
                keyframes.push(units);
            }
            lines.push(format!("{units} {} {:016x} {}", nal_type(nal), fnv1a(nal), nal.len()));
        }
        units += u64::from(received.marker);
    }
    assert_eq!(keyframes, [0, 132]);
    let logged = wait_for("the log", || Some(log_lines(&log)).filter(|logged| logged.len() >= lines.len()));
    assert_eq!(logged[..lines.len()], lines);
}

#[test]
fn a_player_decodes_the_footage_from_the_group() {
    let receiver = Receiver::join();
    let url = format!("rtp://{}:{}?interface=lo", receiver.group, receiver.port);
    drop(receiver);
    let probe = Probe::start(&url, &["--frames", "45", "--wait", "14"]);
    let (group, port) = url["rtp://".len()..].trim_end_matches("?interface=lo").split_once(':').unwrap();
    let _robot = Robot::start(&["go2", "--group", group, "--port", port, "--file", FOOTAGE]);
    let (report, seen) = probe.report();
    assert!(seen);
    assert!(report["frames"].as_u64().unwrap() >= 45, "{report}");
    assert_eq!((&report["gaps"], &report["ended"]), (&0.into(), &"time".into()), "{report}");
    assert_eq!((&report["width"], &report["height"]), (&1280.into(), &720.into()));
}

#[test]
fn a_vanished_robot_falls_silent_and_returns_with_a_gap() {
    let receiver = Receiver::join();
    let mut robot = pattern(&receiver);
    let before = receiver.packet();
    robot.order("vanish");
    receiver.drain(SILENCE);
    let counted = robot.stat();
    assert_eq!(counted["vanished"], true);
    robot.order("return");
    let after = receiver.packet();
    let sequence = |packet: &[u8]| Received::parse(packet).unwrap().sequence;
    assert_eq!(ssrc(&after), ssrc(&before));
    let packets = counted["packets"].as_u64().unwrap() as u16;
    let gap = sequence(&after).wrapping_sub(sequence(&before)).wrapping_sub(packets);
    assert!((8..1000).contains(&gap), "{gap} packets lost");
}

#[test]
fn a_frozen_robot_falls_silent_and_thaws_without_a_gap() {
    let receiver = Receiver::join();
    let mut robot = pattern(&receiver);
    let first = Received::parse(&receiver.packet()).unwrap().sequence;
    robot.order("freeze");
    receiver.drain(SILENCE);
    let packets = robot.stat()["packets"].as_u64().unwrap() as u16;
    robot.order("thaw");
    let thawed = receiver.packet();
    assert_eq!(Received::parse(&thawed).unwrap().sequence, first.wrapping_add(packets));
}

#[test]
fn a_restart_begins_another_session_with_a_keyframe() {
    let receiver = Receiver::join();
    let mut robot = pattern(&receiver);
    let before = ssrc(&receiver.packet());
    robot.order("restart");
    let packet = receiver.until("another SSRC", |received| received.ssrc != before);
    assert_eq!(nal_type(Received::parse(&packet).unwrap().payload), 7);
    assert_eq!(robot.stat()["ssrc"], ssrc(&packet));
}

#[test]
fn another_resolution_brings_other_parameter_sets_in_the_same_session() {
    let receiver = Receiver::join();
    let mut robot = pattern(&receiver);
    let is_set = |received: &Received<'_>| nal_type(received.payload) == 7;
    let before = receiver.until("parameter sets", is_set);
    robot.order("resolution 160x90");
    let old = Received::parse(&before).unwrap();
    let after = receiver
        .until("other parameter sets", |received| is_set(received) && received.payload != old.payload);
    assert_eq!(ssrc(&after), old.ssrc);
}

#[test]
fn faults_reach_the_wire_and_end() {
    let receiver = Receiver::join();
    let mut robot = pattern(&receiver);
    let own = ssrc(&receiver.packet());
    robot.order("foreign on");
    receiver.until("a foreign SSRC", |received| received.ssrc != own);
    robot.order("foreign off");
    robot.order("wrong-payload on");
    receiver.until("another payload type", |received| received.payload_type == 97);
    robot.order("wrong-payload off");
    receiver.until("the payload type again", |received| received.payload_type == 96);
    robot.order("duplicate 100");
    let mut last = receiver.packet();
    wait_for("a packet twice", || {
        let packet = receiver.packet();
        let twice = packet == last;
        last = packet;
        twice.then_some(())
    });
    robot.order("duplicate 0");
    robot.order("drop 100");
    receiver.drain(SILENCE);
    assert!(robot.stat()["dropped"].as_u64().unwrap() > 0);
    robot.order("drop 0");
    assert_eq!(ssrc(&receiver.packet()), own);
}

#[test]
fn a_unicast_address_works_too() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(crate::process::DEADLINE)).unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    let _robot = Robot::start(&[&["go2", "--group", "127.0.0.1", "--port", &port][..], &SMALL].concat());
    let mut packet = [0; 2048];
    let length = socket.recv(&mut packet).unwrap();
    assert_eq!(nal_type(Received::parse(&packet[..length]).unwrap().payload), 7);
}

#[test]
fn a_file_keeps_its_size_and_the_socket_answers_like_stdin() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let receiver = Receiver::join();
    let mut robot = start(&receiver, &["--file", FOOTAGE, "--control", path.to_str().unwrap()]);
    assert!(robot.ask("resolution 640x360").starts_with("error: a file's size is fixed"));
    let mut socket = UnixStream::connect(&path).unwrap();
    socket.write_all(b"stat\nfly\n").unwrap();
    let mut lines = BufReader::new(socket).lines().map_while(Result::ok);
    assert!(lines.next().unwrap().contains("access_units"));
    assert!(lines.next().unwrap().starts_with("error: no command `fly`"));
    assert!(robot.end().success());
    assert!(!path.exists());
}
