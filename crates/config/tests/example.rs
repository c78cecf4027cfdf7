//! The documented example is valid, and means what it says.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use robocast_config::{
    Access, Bitrate, Encode, RobotKind, Secret, Size, Source, Start, UplinkKind, Window, load,
};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn the_documented_example_means_what_it_says() {
    let checked = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/example.toml")).unwrap();
    // The only warnings are about what this version lacks.
    let warnings: Vec<_> = checked.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(
        warnings,
        ["this version does not read Spot's cameras yet", "this version does not push to srt:// yet"]
    );
    let settings = checked.settings;
    assert_eq!(settings.device.name, "spot-07");

    let robot = &settings.robot;
    assert_eq!(robot.kind, RobotKind::Spot);
    assert_eq!(robot.address, Some(ip("192.168.50.3")));
    assert_eq!(robot.interface, "eth0");
    assert_eq!(robot.own_address, Some("192.168.50.10/24".parse().unwrap()));
    assert_eq!(robot.username.as_deref(), Some("operator"));
    assert_eq!(robot.password.as_ref().unwrap().expose(), "secret");

    assert_eq!(settings.streams.len(), 1);
    let front = settings.stream("front").unwrap();
    assert_eq!(front.source, Source::Spot);
    let push: Vec<String> = front.push.iter().map(|sink| sink.redacted()).collect();
    assert_eq!(push, ["rtmps://live.example.net/app/***", "srt://relay.example.net:8890?streamid=***"]);
    assert_eq!(front.push[0].as_written().expose(), "rtmps://live.example.net/app/KEY");
    assert_eq!(front.encode, Encode::Auto);
    assert_eq!(front.bitrate.min, Bitrate::from_bps(300_000));
    assert_eq!(front.bitrate.max.kbps(), 4_000);
    assert_eq!(front.size, Some(Size { width: 1280, height: 720 }));
    assert_eq!(front.fps, Some(30));
    assert_eq!(front.keyframe_interval, Duration::from_secs(2));
    assert_eq!(front.start, Start::Always);
    assert!(front.slate);
    assert_eq!(front.jitter_buffer, Duration::from_millis(40));
    assert!(settings.stream("rear").is_none());

    let uplink = &settings.uplink;
    assert_eq!(uplink.order, [UplinkKind::Wifi, UplinkKind::Lte]);
    assert_eq!(uplink.wifi[0].ssid, "Lab");
    assert_eq!(uplink.wifi[0].access, Access::Personal(Secret::new("wpa-secret".to_owned())));
    assert_eq!(uplink.wifi[0].country.as_deref(), Some("US"));
    assert!(!uplink.wifi[0].hidden);
    assert_eq!(uplink.lte.as_ref().unwrap().apn, "internet");
    let ethernet = uplink.ethernet.as_ref().unwrap();
    assert_eq!(ethernet.interface, "eth1");
    assert_eq!(ethernet.ip.address, Some("192.168.8.20/24".parse().unwrap()));
    assert_eq!(ethernet.ip.gateway, Some(ip("192.168.8.1")));
    assert_eq!(ethernet.ip.dns, [ip("192.168.8.1")]);

    let control = settings.control.as_ref().unwrap();
    assert_eq!(control.mqtt.as_str(), "mqtts://broker.example.net:8883");
    assert_eq!((control.port(), control.is_encrypted()), (8883, true));
    assert_eq!(control.username.as_deref(), Some("robot"));
    assert_eq!(control.topic, "robocast/spot-07");
    assert_eq!(settings.page.as_ref().unwrap().password.expose(), "secret");
    let update = settings.update.as_ref().unwrap();
    assert_eq!(update.url.as_str(), "https://updates.example.net/robocast");
    assert_eq!(update.window, Some(Window { start: 120, end: 240 }));
    assert_eq!(settings.time.ntp, ["pool.example.net"]);
    assert_eq!(settings.tls.ca, None);
    assert!(settings.erase_secrets && !settings.debug.ssh);
}
