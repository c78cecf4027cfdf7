use super::observation::{BrokerError, NameError, NetworkReport};
use super::*;
use robocast_bus::{
    NetStatus, RobotSideStatus, SinkState, SinkStatus, SourceState, StreamState, StreamStatus, UplinkState,
    UplinkStatus,
};
use std::time::SystemTime;

const ALL: &str = "schema = 1
[robot]
kind = \"go2\"
[[uplink.wifi]]
ssid = \"Lab\"
password = \"12345678\"
country = \"US\"
[control]
mqtt = \"mqtts://broker.example.net\"
[[stream]]
name = \"front\"
source = \"go2:\"
push = [\"rtmp://live.example.net/app/SECRETKEY\", \"rtmp://10.0.0.1/app/SECRETKEY\"]
[[stream]]
name = \"rear\"
source = \"test:\"
push = [\"rtmp://live.example.net/app/OTHERKEY\"]
start = \"on-demand\"
";

fn settings(text: &str) -> Settings {
    robocast_config::parse(text.as_bytes()).unwrap().settings
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A box on which everything works.
fn well() -> Observation {
    let sink =
        |url: &str| SinkStatus { url: url.into(), state: SinkState::Publishing, ..SinkStatus::default() };
    let front = StreamStatus {
        stream: "front".into(),
        state: StreamState::Live,
        source_state: SourceState::Live,
        sinks: vec![sink("rtmp://live.example.net/app/***"), sink("rtmp://10.0.0.1/app/***")],
        ..StreamStatus::default()
    };
    let rear = StreamStatus { stream: "rear".into(), state: StreamState::Stopped, ..StreamStatus::default() };
    let wifi = UplinkStatus {
        name: "Wi-Fi Lab".into(),
        interface: "wlan0".into(),
        state: UplinkState::Carrying,
        chosen: true,
        address: "192.168.1.20/24".into(),
        ..UplinkStatus::default()
    };
    let robot = RobotSideStatus {
        interface: "eth0".into(),
        present: true,
        carrier: true,
        address: "192.168.123.18/24".into(),
        ..RobotSideStatus::default()
    };
    let net = NetStatus {
        uplinks: vec![wifi],
        robot,
        proven: true,
        uplinks_proven: true,
        reads: 2,
        ..NetStatus::default()
    };
    let made = SystemTime::UNIX_EPOCH + secs(1_760_000_000);
    Observation {
        net: NetworkReport::Status(net.into()),
        streams: vec![front, rear],
        names: ["live.example.net", "broker.example.net"].map(|host| (host.into(), Ok(()))).into(),
        now: made + secs(3600),
        image_epoch: Some(made),
        broker: Some(Ok(())),
    }
}

fn net(seen: &mut Observation) -> &mut NetStatus {
    let NetworkReport::Status(net) = &mut seen.net else { panic!("it says something") };
    net
}

fn whats(parts: &[Part]) -> Vec<&str> {
    parts.iter().map(|part| part.what.as_str()).collect()
}

#[test]
fn all_that_settings_promise_is_looked_at_in_the_order_of_need() {
    let parts = Verification::of(&settings(ALL)).evaluate(secs(0), &well()).expect("it ends early").parts;
    assert_eq!(
        whats(&parts),
        [
            "robot",
            "uplink",
            "name live.example.net",
            "name broker.example.net",
            "clock",
            "front rtmp://live.example.net/app/***",
            "front rtmp://10.0.0.1/app/***",
            "rear rtmp://live.example.net/app/***",
            "mqtt",
        ]
    );
    assert!(parts.iter().all(|part| part.ok && part.hint.is_none()), "{parts:#?}");
    assert_eq!(parts[1].text, "Wi-Fi Lab (wlan0), 192.168.1.20/24");
    assert_eq!(parts[7].text, "on demand: nobody asks for it now");
    assert!(!format!("{parts:?}").contains("KEY"), "{parts:?}");
    let small = Verification::of(&settings("schema = 1\n")).evaluate(secs(0), &well()).unwrap();
    assert_eq!(whats(&small.parts), ["uplink", "clock"]);
}

/// One fault: how it breaks, the part that shows it, a word of its text and of its hint, and its latest end.
type Fault = (fn(&mut Observation), &'static str, &'static str, &'static str, u64);

const FAULTS: &[Fault] = &[
    (|f| robot_lost(f, |_| ()), "robot", "no video arrives", "the robot is up, at 192.168.123.161", 40),
    (
        |f| robot_lost(f, |net| net.robot.carrier = false),
        "robot",
        "no cable at eth0",
        "switch the robot on",
        40,
    ),
    (|f| robot_lost(f, |net| net.robot.present = false), "robot", "no interface eth0", "adapter", 40),
    (|f| f.streams[0].source_state = SourceState::Failed, "robot", "cannot be received", "[robot]", 6),
    (|f| net(f).uplinks[0].address.clear(), "uplink", "Wi-Fi Lab: no address", "plug", 60),
    (|f| net(f).uplinks[0].state = UplinkState::Down, "uplink", "Wi-Fi Lab: not connected", "password", 60),
    (|f| net(f).uplinks[0].state = UplinkState::Failing, "uplink", "nothing gets through", "internet", 60),
    (
        |f| net(f).uplinks[0].state = UplinkState::Captive,
        "uplink",
        "requires a web login",
        "exempt the box",
        6,
    ),
    (|f| net(f).uplinks.clear(), "uplink", "there is no uplink", "[[uplink.wifi]]", 60),
    (|f| net(f).uplinks_proven = false, "uplink", "not yet as the settings say", "[uplink]", 60),
    (|f| net(f).former = true, "uplink", "did not work", "[uplink]", 6),
    (|f| f.net = NetworkReport::Silent, "uplink", "does not answer", "off and on", 60),
    (|f| f.names.clear(), "name live.example.net", "no name server", "dns", 75),
    (|f| name(f, NameError::NoAnswer), "name live.example.net", "no name server", "dns", 75),
    (|f| name(f, NameError::NoSuchName), "name live.example.net", "no such name", "spelling", 6),
    (|f| f.now = SystemTime::UNIX_EPOCH, "clock", "1970", "UDP port 123", 60),
    (|f| f.now += secs(40 * 365 * 24 * 3600), "clock", "decades after", "UDP port 123", 60),
    (|f| drop(f.streams.remove(0)), "front rtmp://10.0.0.1/app/***", "do not answer", "off and on", 90),
    (
        |f| sink(f, SinkState::Connecting, ""),
        "front rtmp://10.0.0.1/app/***",
        "not reached",
        "server is up",
        90,
    ),
    (
        |f| sink(f, SinkState::Waiting, "no route"),
        "front rtmp://10.0.0.1/app/***",
        "no route",
        "server is up",
        90,
    ),
    (|f| sink(f, SinkState::Idle, ""), "front rtmp://10.0.0.1/app/***", "nothing to send", "robot", 90),
    (
        |f| sink(f, SinkState::Refused, "stream key denied"),
        "front rtmp://10.0.0.1/app/***",
        "denied",
        "key",
        6,
    ),
    (
        |f| sink(f, SinkState::Failed, "no srt yet"),
        "front rtmp://10.0.0.1/app/***",
        "no srt",
        "correct `push`",
        6,
    ),
    (|f| f.broker = None, "mqtt", "not asked", "uplink", 90),
    (
        |f| f.broker = Some(Err(BrokerError::Unreachable("refused".into()))),
        "mqtt",
        "refused",
        "broker is up",
        90,
    ),
    (|f| f.broker = Some(Err(BrokerError::Refused("wrong".into()))), "mqtt", "wrong", "password", 6),
    (|f| f.broker = Some(Err(BrokerError::Tls("expired".into()))), "mqtt", "expired", "[tls] ca", 6),
];

fn robot_lost(seen: &mut Observation, and: fn(&mut NetStatus)) {
    seen.streams[0].source_state = SourceState::Lost;
    seen.streams[0].state = StreamState::Slate;
    and(net(seen));
}

fn name(seen: &mut Observation, fault: NameError) {
    seen.names.insert("live.example.net".into(), Err(fault));
}

fn sink(seen: &mut Observation, state: SinkState, text: &str) {
    let sink = &mut seen.streams[0].sinks[1];
    (sink.state, sink.text) = (state, text.into());
}

#[test]
fn each_fault_is_waited_for_as_long_as_it_may_pass_and_reported_with_its_hint() {
    for &(breaks, what, text, hint, over) in FAULTS {
        let mut seen = well();
        breaks(&mut seen);
        let mut verification = Verification::of(&settings(ALL));
        let mut at = 0;
        let VerificationResult { parts, uplink_failed } = loop {
            match verification.evaluate(secs(at), &seen) {
                Some(result) => break result,
                None => at += 1,
            }
        };
        assert_eq!(at, over, "{what}: {text}");
        let part = parts.iter().find(|part| part.what == what).unwrap();
        assert!(!part.ok && part.text.contains(text), "{what}: {part:?} lacks {text}");
        assert!(part.hint.as_ref().is_some_and(|said| said.contains(hint)), "{what}: {part:?} lacks {hint}");
        assert_eq!(uplink_failed, what == "uplink");
    }
}

#[test]
fn a_fault_that_passes_in_time_is_none() {
    for &(breaks, what, _, _, over) in FAULTS {
        let mut verification = Verification::of(&settings(ALL));
        let mut seen = well();
        breaks(&mut seen);
        assert_eq!(verification.evaluate(secs(over - 1).saturating_sub(SURE / 2), &seen), None, "{what}");
        let result = verification.evaluate(secs(over), &well()).expect("all is well now");
        assert!(result.passed() && !result.uplink_failed, "{what}: {result:?}");
    }
}

#[test]
fn a_refusal_that_comes_and_goes_is_counted_from_its_last_start() {
    let mut verification = Verification::of(&settings(ALL));
    let (mut refused, mut waiting) = (well(), well());
    sink(&mut refused, SinkState::Refused, "in use");
    sink(&mut waiting, SinkState::Connecting, "");
    assert_eq!(verification.evaluate(secs(0), &refused), None);
    assert_eq!(verification.evaluate(secs(4), &waiting), None);
    assert_eq!(verification.evaluate(secs(7), &refused), None, "counted again from its last start");
    assert!(verification.evaluate(secs(13), &refused).is_some());
}

#[test]
fn what_needs_an_uplink_is_not_waited_for_when_there_is_none() {
    let mut seen = well();
    net(&mut seen).uplinks[0].state = UplinkState::Down;
    name(&mut seen, NameError::NoAnswer);
    sink(&mut seen, SinkState::Waiting, "no route");
    seen.broker = Some(Err(BrokerError::Unreachable("no route".into())));
    let mut verification = Verification::of(&settings(ALL));
    assert_eq!(verification.evaluate(secs(59), &seen), None);
    let parts = verification.evaluate(secs(60), &seen).expect("no longer than the uplink").parts;
    let told: Vec<_> = parts.iter().filter(|part| !part.ok).map(|part| (&*part.what, &*part.text)).collect();
    let vain = "not checked, since no uplink works";
    assert_eq!(
        told,
        [
            ("uplink", "Wi-Fi Lab: not connected"),
            ("name live.example.net", vain),
            ("front rtmp://10.0.0.1/app/***", vain),
            ("mqtt", vain),
        ]
    );
}

#[test]
fn a_robot_that_nobody_watches_is_alive_when_its_cable_is() {
    let text = ALL
        .replace("source = \"test:\"", "source = \"go2:\"")
        .replace("name = \"front\"", "name = \"other\"");
    let mut seen = well();
    seen.streams[0].source_state = SourceState::Resting;
    seen.streams[0].state = StreamState::Stopped;
    let item = VerificationItem::of(&settings(&text)).remove(0);
    let Assessment::Works(said) = assess(&item, &seen) else { panic!("{item:?}") };
    assert!(said.contains("cable at eth0 is alive"), "{said}");
}

#[test]
fn a_network_that_is_not_ours_is_not_checked() {
    let seen = Observation { net: NetworkReport::Unmanaged, image_epoch: None, ..well() };
    let parts = Verification::of(&settings(ALL)).evaluate(secs(0), &seen).unwrap().parts;
    assert!(parts.iter().all(|part| part.ok), "{parts:?}");
    assert!(parts[1].text.starts_with("not checked"), "{parts:?}");
}

#[test]
fn a_text_is_one_line_whatever_a_program_says() {
    let mut seen = well();
    sink(&mut seen, SinkState::Failed, "one\n  two\tthree ");
    let mut verification = Verification::of(&settings(ALL));
    assert_eq!(verification.evaluate(secs(0), &seen), None);
    let parts = verification.evaluate(SURE, &seen).unwrap().parts;
    assert!(parts.iter().any(|part| part.text == "one two three"), "{parts:?}");
}

#[test]
fn the_robots_video_is_that_of_its_own_sources_and_else_what_comes_by_a_network() {
    let stream = |name: &str, source: &str| format!("[[stream]]\nname = \"{name}\"\nsource = \"{source}\"\n");
    let (own, wired, usb) =
        (stream("a", "go2:"), stream("b", "rtsp://10.0.0.9/x"), stream("c", "v4l2:/dev/video0"));
    for (sources, expected) in
        [(format!("{own}{wired}{usb}"), vec!["a"]), (format!("{wired}{usb}"), vec!["b"]), (usb, vec![])]
    {
        let text = format!("schema = 1\n[robot]\nkind = \"go2\"\n{sources}");
        let VerificationItem::Robot { streams, .. } = VerificationItem::of(&settings(&text)).remove(0) else {
            panic!("a robot")
        };
        assert_eq!(streams, expected);
    }
}
