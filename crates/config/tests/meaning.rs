//! The meaning of valid documents: defaults, and the forms of a source.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use robocast_config::{
    Bitrate, Encode, Robot, RobotKind, RtpSource, RtspTransport, Settings, Source, Start, UplinkKind, parse,
};

#[track_caller]
fn settings(document: &str) -> Settings {
    parse(format!("schema = 1\n{document}").as_bytes()).unwrap_or_else(|p| panic!("{p}")).settings
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[track_caller]
fn source(text: &str) -> Source {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn a_missing_key_has_a_default() {
    let settings = settings("[[stream]]\nname = \"a\"\nsource = \"test:\"\n");
    assert_eq!(settings.device.name, "robocast");
    assert_eq!(settings.robot, Robot::default());
    assert_eq!(settings.robot.interface, "eth0");
    let stream = &settings.streams[0];
    assert!(stream.push.is_empty() && stream.slate);
    assert_eq!((stream.encode, stream.start), (Encode::Auto, Start::Always));
    assert_eq!((stream.size, stream.fps), (None, None));
    assert_eq!(stream.bitrate.min, Bitrate::from_bps(300_000));
    assert_eq!(stream.bitrate.max, Bitrate::from_bps(4_000_000));
    assert_eq!(stream.keyframe_interval, Duration::from_secs(2));
    assert_eq!(stream.jitter_buffer, Duration::from_millis(40));
    assert!(settings.control.is_none() && settings.page.is_none() && settings.update.is_none());
    assert!(settings.time.ntp.is_empty() && settings.tls.ca.is_none() && settings.uplink.order.is_empty());
}

#[test]
fn every_key_of_a_stream_is_read() {
    let settings = settings(
        "[[stream]]\nname = \"a\"\nsource = \"test:\"\nencode = \"always\"\nstart = \"on-demand\"\nslate = false\n\
         fps = 60\nsize = \"640x480\"\njitter_buffer = \"0 ms\"\nkeyframe_interval = \"500 ms\"\nbitrate.max = \"1 Mbit/s\"\n",
    );
    let stream = &settings.streams[0];
    assert_eq!((stream.encode, stream.start, stream.slate), (Encode::Always, Start::OnDemand, false));
    assert_eq!((stream.fps, stream.size.map(|s| s.to_string())), (Some(60), Some("640x480".to_owned())));
    assert_eq!(
        (stream.jitter_buffer, stream.keyframe_interval),
        (Duration::ZERO, Duration::from_millis(500))
    );
    assert_eq!((stream.bitrate.min.kbps(), stream.bitrate.max.kbps()), (300, 1_000));
}

#[test]
fn a_robot_has_the_addresses_of_its_kind() {
    for (kind, expected, address, own) in [
        ("spot", RobotKind::Spot, "192.168.50.3", "192.168.50.10/24"),
        ("go2", RobotKind::Go2, "192.168.123.161", "192.168.123.222/24"),
    ] {
        let robot = settings(&format!("robot.kind = \"{kind}\"\n")).robot;
        assert_eq!(robot.kind, expected);
        assert_eq!((robot.address, robot.own_address), (Some(ip(address)), own.parse().ok()));
    }
    let robot = settings("robot.kind = \"none\"\nrobot.address = \"10.0.0.1\"\n").robot;
    assert_eq!((robot.address, robot.own_address), (Some(ip("10.0.0.1")), None));
}

#[test]
fn a_simulated_robot_on_the_loopback_needs_no_own_address() {
    let robot = settings("robot.kind = \"spot\"\nrobot.address = \"127.0.0.1\"\n").robot;
    assert_eq!((robot.address, robot.own_address), (Some(ip("127.0.0.1")), None));
}

#[test]
fn without_a_robot_the_only_ethernet_is_free_for_the_uplink() {
    let uplink = settings("[uplink.ethernet]\ninterface = \"eth0\"\n").uplink;
    assert_eq!(uplink.order, [UplinkKind::Ethernet]);
}

#[test]
fn the_default_order_is_wifi_lte_ethernet() {
    let document =
        "[uplink.ethernet]\ninterface = \"eth1\"\n[uplink.lte]\napn = \"a\"\n[[uplink.wifi]]\nssid = \"x\"\n";
    assert_eq!(settings(document).uplink.order, [UplinkKind::Wifi, UplinkKind::Lte, UplinkKind::Ethernet]);
}

#[test]
fn the_default_topic_contains_the_device_name() {
    let settings = settings("device.name = \"dog\"\ncontrol.mqtt = \"mqtt://broker\"\n");
    let control = settings.control.expect("control");
    assert_eq!(
        (control.topic.as_str(), control.port(), control.is_encrypted()),
        ("robocast/dog", 1883, false)
    );
}

#[test]
fn certificates_are_kept_as_they_are() {
    let pem = "# lab\n-----BEGIN CERTIFICATE-----\nMIIB+/=\n-----END CERTIFICATE-----\n";
    let settings = settings(&format!("tls.ca = \"\"\"\n{pem}{pem}\"\"\"\n"));
    assert_eq!(settings.tls.ca, Some(format!("{pem}{pem}")));
}

#[test]
fn every_source_is_read() {
    assert_eq!(source("spot:"), Source::Spot);
    assert_eq!(source("go2:"), Source::Go2 { interface: None });
    assert_eq!(source("go2:?interface=veth0"), Source::Go2 { interface: Some("veth0".to_owned()) });
    assert_eq!(source("v4l2:/dev/video0"), Source::V4l2 { device: PathBuf::from("/dev/video0") });
    assert_eq!(source("libcamera:0"), Source::Libcamera { camera: "0".to_owned() });
    assert_eq!(source("argus:2"), Source::Argus { sensor: 2 });
    assert_eq!(source("test:"), Source::Test { pattern: None });
    assert_eq!(source("test:ball"), Source::Test { pattern: Some("ball".to_owned()) });
    assert_eq!(source("file:/a.mp4"), Source::File { path: PathBuf::from("/a.mp4") });
    assert_eq!(source("file:///a.mp4"), source("file:/a.mp4"));
    let rtp = |address: &str, port, interface: Option<&str>, payload_type| {
        Source::Rtp(RtpSource {
            address: ip(address),
            port,
            interface: interface.map(str::to_owned),
            payload_type,
        })
    };
    assert_eq!(source("rtp://230.1.1.1:1720"), rtp("230.1.1.1", 1720, None, None));
    assert_eq!(
        source("rtp://230.1.1.1:1720?interface=eth0&payload=96"),
        rtp("230.1.1.1", 1720, Some("eth0"), Some(96))
    );
    assert_eq!(source("rtp://0.0.0.0:5004"), rtp("0.0.0.0", 5004, None, None));
    assert_eq!(source("rtp://[ff02::1]:5004?interface=lo"), rtp("ff02::1", 5004, Some("lo"), None));
}

#[test]
fn an_rtsp_camera_gets_its_own_part_of_the_query_unchanged() {
    for (text, url, transport, verify, interface) in [
        ("rtsp://h/s", "rtsp://h/s", RtspTransport::Auto, true, None),
        ("rtsps://h/s?verify=off", "rtsps://h/s", RtspTransport::Auto, false, None),
        (
            "rtsp://u:p@h:8554/s?b=2&transport=tcp&a=%20x&interface=eth1&c",
            "rtsp://u:p@h:8554/s?b=2&a=%20x&c",
            RtspTransport::Tcp,
            true,
            Some("eth1"),
        ),
        ("rtsp://h/s?channel=1&&transport=udp", "rtsp://h/s?channel=1&", RtspTransport::Udp, true, None),
        ("rtsp://h/s?", "rtsp://h/s?", RtspTransport::Auto, true, None),
    ] {
        let Source::Rtsp(rtsp) = source(text) else { panic!("{text} is RTSP") };
        assert_eq!(rtsp.url.expose().as_str(), url);
        assert_eq!((rtsp.transport, rtsp.verify, rtsp.interface.as_deref()), (transport, verify, interface));
    }
    let Source::Rtsp(rtsp) = source("rtsp://u:p@h:8554/s?auth=KEY&transport=tcp") else { panic!("RTSP") };
    assert_eq!(rtsp.redacted(), "rtsp://***@h:8554/s?auth=***");
}

#[test]
fn an_invalid_source_is_refused() {
    for text in [
        "go2:eth0",
        "go2:?iface=lo",
        "go2:?interface=",
        "go2:?interface=a&interface=b",
        "go2:?interface=toolongforakernel",
        "rtp://230.1.1.1",
        "rtp://u@230.1.1.1:1",
        "rtp://230.1.1.1:1/x",
        "rtp://230.1.1.1:1?payload=128",
        "rtp://230.1.1.1:1?payload=+1",
        "rtp://ff02::1:5004",
        "rtp://[::1:5004",
        "rtsp://",
        "rtsp:///x",
        "rtsp://h:0/",
        "rtsp://h/#x",
        "rtsp://h/?verify=no",
        "rtsp://h/?verify=off",
        "rtsp://h/?transport=tcp&transport=udp",
        "v4l2:",
        "v4l2:video0",
        "libcamera:",
        "argus:",
        "argus:-1",
        "argus:+1",
        "test:a b",
        "file:",
        "file:/",
        "file:clip.mp4",
        "file://host/clip.mp4",
        ":",
        "",
        "x",
        "rtsp:h",
        "pass word:x",
    ] {
        assert!(text.parse::<Source>().is_err(), "{text}");
    }
}
