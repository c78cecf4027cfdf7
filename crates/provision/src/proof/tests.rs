use super::facts::{BrokerFault, NameFault, Network};
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

/// A box on which all is well.
fn well() -> Facts {
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
    Facts {
        net: Network::Says(net.into()),
        streams: vec![front, rear],
        names: ["live.example.net", "broker.example.net"].map(|host| (host.into(), Ok(()))).into(),
        now: made + secs(3600),
        made: Some(made),
        broker: Some(Ok(())),
    }
}

fn net(facts: &mut Facts) -> &mut NetStatus {
    let Network::Says(net) = &mut facts.net else { panic!("it says something") };
    net
}

fn whats(parts: &[Part]) -> Vec<&str> {
    parts.iter().map(|part| part.what.as_str()).collect()
}

#[test]
fn all_that_settings_promise_is_looked_at_in_the_order_of_need() {
    let parts = Proof::of(&settings(ALL)).weigh(secs(0), &well()).expect("it ends early");
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
    assert!(parts.iter().all(|part| part.ok && part.mend.is_none()), "{parts:#?}");
    assert_eq!(parts[1].text, "Wi-Fi Lab (wlan0), 192.168.1.20/24");
    assert_eq!(parts[7].text, "on demand: nobody asks for it now");
    assert!(!format!("{parts:?}").contains("KEY"), "{parts:?}");
    let small = Proof::of(&settings("schema = 1\n")).weigh(secs(0), &well()).unwrap();
    assert_eq!(whats(&small), ["uplink", "clock"]);
}

/// One fault: what breaks it, the part that shows it, a word of its text and of its mend, and when it is over at the latest.
type Fault = (fn(&mut Facts), &'static str, &'static str, &'static str, u64);

const FAULTS: &[Fault] = &[
    (|f| robot_lost(f, |_| ()), "robot", "no video", "the robot is up, at 192.168.123.161", 40),
    (
        |f| robot_lost(f, |net| net.robot.carrier = false),
        "robot",
        "no cable at eth0",
        "switch the robot on",
        40,
    ),
    (|f| robot_lost(f, |net| net.robot.present = false), "robot", "no interface eth0", "adapter", 40),
    (|f| f.streams[0].source_state = SourceState::Failed, "robot", "cannot be had", "[robot]", 6),
    (|f| net(f).uplinks[0].address.clear(), "uplink", "Wi-Fi Lab: no address", "plug", 60),
    (|f| net(f).uplinks[0].state = UplinkState::Down, "uplink", "Wi-Fi Lab: not connected", "password", 60),
    (|f| net(f).uplinks[0].state = UplinkState::Failing, "uplink", "nothing comes through", "internet", 60),
    (|f| net(f).uplinks[0].state = UplinkState::Captive, "uplink", "login page", "let through", 6),
    (|f| net(f).uplinks.clear(), "uplink", "there is no uplink", "[[uplink.wifi]]", 60),
    (|f| net(f).uplinks_proven = false, "uplink", "not yet as the settings want", "[uplink]", 60),
    (|f| net(f).former = true, "uplink", "did not work", "[uplink]", 6),
    (|f| f.net = Network::Silent, "uplink", "does not answer", "off and on", 60),
    (|f| f.names.clear(), "name live.example.net", "no name server", "dns", 75),
    (|f| name(f, NameFault::Silent), "name live.example.net", "no name server", "dns", 75),
    (|f| name(f, NameFault::Unknown), "name live.example.net", "no such name", "spelled", 6),
    (|f| f.now = SystemTime::UNIX_EPOCH, "clock", "1970", "UDP port 123", 60),
    (|f| f.now += secs(40 * 365 * 24 * 3600), "clock", "ages after", "UDP port 123", 60),
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
        "mend `push`",
        6,
    ),
    (|f| f.broker = None, "mqtt", "not asked", "uplink", 90),
    (|f| f.broker = Some(Err(BrokerFault::Away("refused".into()))), "mqtt", "refused", "broker is up", 90),
    (|f| f.broker = Some(Err(BrokerFault::Refused("wrong".into()))), "mqtt", "wrong", "password", 6),
    (|f| f.broker = Some(Err(BrokerFault::Tls("expired".into()))), "mqtt", "expired", "[tls] ca", 6),
];

fn robot_lost(facts: &mut Facts, and: fn(&mut NetStatus)) {
    facts.streams[0].source_state = SourceState::Lost;
    facts.streams[0].state = StreamState::Slate;
    and(net(facts));
}

fn name(facts: &mut Facts, fault: NameFault) {
    facts.names.insert("live.example.net".into(), Err(fault));
}

fn sink(facts: &mut Facts, state: SinkState, text: &str) {
    let sink = &mut facts.streams[0].sinks[1];
    (sink.state, sink.text) = (state, text.into());
}

#[test]
fn each_fault_is_waited_for_as_long_as_it_may_pass_and_told_with_its_mend() {
    for &(breaks, what, text, mend, over) in FAULTS {
        let mut facts = well();
        breaks(&mut facts);
        let mut proof = Proof::of(&settings(ALL));
        let mut at = 0;
        let parts = loop {
            match proof.weigh(secs(at), &facts) {
                Some(parts) => break parts,
                None => at += 1,
            }
        };
        assert_eq!(at, over, "{what}: {text}");
        let part = parts.iter().find(|part| part.what == what).unwrap();
        assert!(!part.ok && part.text.contains(text), "{what}: {part:?} lacks {text}");
        assert!(part.mend.as_ref().is_some_and(|said| said.contains(mend)), "{what}: {part:?} lacks {mend}");
        assert_eq!(uplink_failed(&parts), what == "uplink");
    }
}

#[test]
fn a_fault_that_passes_in_time_is_none() {
    for &(breaks, what, _, _, over) in FAULTS {
        let mut proof = Proof::of(&settings(ALL));
        let mut facts = well();
        breaks(&mut facts);
        assert_eq!(proof.weigh(secs(over - 1).saturating_sub(SURE / 2), &facts), None, "{what}");
        let parts = proof.weigh(secs(over), &well()).expect("all is well now");
        assert!(parts.iter().all(|part| part.ok), "{what}: {parts:?}");
    }
}

#[test]
fn a_refusal_that_comes_and_goes_is_counted_from_its_last_start() {
    let mut proof = Proof::of(&settings(ALL));
    let (mut refused, mut waiting) = (well(), well());
    sink(&mut refused, SinkState::Refused, "in use");
    sink(&mut waiting, SinkState::Connecting, "");
    assert_eq!(proof.weigh(secs(0), &refused), None);
    assert_eq!(proof.weigh(secs(4), &waiting), None);
    assert_eq!(proof.weigh(secs(7), &refused), None, "counted anew");
    assert!(proof.weigh(secs(13), &refused).is_some());
}

#[test]
fn what_needs_an_uplink_is_not_waited_for_when_there_is_none() {
    let mut facts = well();
    net(&mut facts).uplinks[0].state = UplinkState::Down;
    name(&mut facts, NameFault::Silent);
    sink(&mut facts, SinkState::Waiting, "no route");
    facts.broker = Some(Err(BrokerFault::Away("no route".into())));
    let mut proof = Proof::of(&settings(ALL));
    assert_eq!(proof.weigh(secs(59), &facts), None);
    let parts = proof.weigh(secs(60), &facts).expect("no longer than the uplink");
    let told: Vec<_> = parts.iter().filter(|part| !part.ok).map(|part| (&*part.what, &*part.text)).collect();
    let vain = "not looked at, since no uplink works";
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
    let mut facts = well();
    facts.streams[0].source_state = SourceState::Resting;
    facts.streams[0].state = StreamState::Stopped;
    let item = Item::of(&settings(&text)).remove(0);
    let Verdict::Holds(said) = judge::judge(&item, &facts) else { panic!("{item:?}") };
    assert!(said.contains("cable at eth0 is alive"), "{said}");
}

#[test]
fn a_machine_whose_network_others_keep_is_taken_as_it_is() {
    let facts = Facts { net: Network::Others, made: None, ..well() };
    let parts = Proof::of(&settings(ALL)).weigh(secs(0), &facts).unwrap();
    assert!(parts.iter().all(|part| part.ok), "{parts:?}");
    assert!(parts[1].text.starts_with("not looked at"), "{parts:?}");
}

#[test]
fn a_text_is_one_line_whatever_a_program_says() {
    let mut facts = well();
    sink(&mut facts, SinkState::Failed, "one\n  two\tthree ");
    let mut proof = Proof::of(&settings(ALL));
    assert_eq!(proof.weigh(secs(0), &facts), None);
    let parts = proof.weigh(SURE, &facts).unwrap();
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
        let Item::Robot { streams, .. } = Item::of(&settings(&text)).remove(0) else { panic!("a robot") };
        assert_eq!(streams, expected);
    }
}
