use std::net::TcpStream;

use gst::prelude::*;
use robocast_sim::access_unit::{AccessUnit, nal_type};
use robocast_sim::slice_log::fnv1a;

use crate::process::{DEADLINE, FOOTAGE, Probe, Robot, SMALL, log_lines, program, wait_for};
use crate::receiver::ssrc;

/// With the pattern, unless `more` says otherwise.
const FPS: u64 = 30;

fn start(more: &[&str]) -> Robot {
    Robot::start(&[&["rtsp", "--listen", "127.0.0.1:0", "--seed", "1"][..], more].concat())
}

/// Plays over TCP and returns the output of `elements`.
struct Player {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
}

impl Player {
    fn start(url: &str, elements: &str) -> Self {
        gst::init().unwrap();
        let description = format!(
            "rtspsrc location={url} latency=0 protocols=tcp ! {elements} appsink name=sink sync=false"
        );
        let pipeline = gst::parse::launch(&description).unwrap().downcast::<gst::Pipeline>().unwrap();
        let sink = pipeline.by_name("sink").and_downcast::<gst_app::AppSink>().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        Self { pipeline, sink }
    }

    fn bytes(&self) -> Vec<u8> {
        let timeout = gst::ClockTime::try_from(DEADLINE).unwrap();
        let sample = self.sink.try_pull_sample(timeout).expect("media in time");
        sample.buffer().unwrap().map_readable().unwrap().to_vec()
    }

    fn wait_for_end(&self) {
        wait_for("the end of the session", || {
            self.sink.try_pull_sample(gst::ClockTime::from_mseconds(20));
            self.sink.is_eos().then_some(())
        });
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

#[test]
fn the_clock_of_the_pattern_is_read_with_little_latency() {
    // A pattern that needs little CPU time: the encoding time of a busy machine is not the robot's latency.
    let robot = start(&SMALL);
    let (report, seen) = Probe::start(&robot.url(0), &["--clock", "--frames", "135"]).report();
    assert!(seen);
    let frames = report["frames"].as_u64().unwrap();
    assert!(frames >= 135, "{report}");
    assert!(report["latency_frames"].as_u64().unwrap() >= 30, "{report}");
    assert!(report["latency_ms"]["p50"].as_i64().unwrap() < 150, "{report}");
    assert!(report["latency_ms"]["p50"].as_i64().unwrap() >= 0, "{report}");
    assert_eq!(report["bad_stamps"], 0);
    assert_eq!(
        report["keyframes"].as_u64().unwrap(),
        frames.div_ceil(FPS),
        "one per second, the first at once"
    );
}

#[test]
fn footage_arrives_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("slices");
    let robot = start(&["--file", FOOTAGE, "--log", log.to_str().unwrap()]);
    let player = Player::start(
        &robot.url(0),
        "rtph264depay ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au !",
    );
    let mut lines = Vec::new();
    for sequence in 0..50 {
        for slice in AccessUnit::from_annex_b(&player.bytes()).slices() {
            lines.push(format!("{sequence} {} {:016x} {}", nal_type(slice), fnv1a(slice), slice.len()));
        }
    }
    let logged = wait_for("the log", || Some(log_lines(&log)).filter(|logged| logged.len() >= lines.len()));
    assert_eq!(logged[..lines.len()], lines);
}

#[test]
fn each_path_has_its_own_feed_and_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("slices");
    let paths = ["--path", "/front", "--path", "/back/left", "--log", log.to_str().unwrap()];
    let mut robot = start(&[&paths[..], &SMALL].concat());
    let (front, left) = (Player::start(&robot.url(0), ""), Player::start(&robot.url(1), ""));
    assert_ne!(ssrc(&front.bytes()), ssrc(&left.bytes()));
    let front = wait_for("the first log", || log_lines(&folder.path().join("slices.front")).first().cloned());
    let left =
        wait_for("the second log", || log_lines(&folder.path().join("slices.back.left")).first().cloned());
    assert!(front.starts_with("0 5 ") && left.starts_with("0 5 "));
    assert_eq!(robot.stat()["clients"], 2);
}

#[test]
fn a_vanished_camera_drops_its_clients_and_refuses_new_ones_until_it_returns() {
    let mut robot = start(&SMALL);
    let port = robot.ready["port"].as_u64().unwrap() as u16;
    let player = Player::start(&robot.url(0), "");
    player.bytes();
    robot.order("vanish");
    player.wait_for_end();
    let refused = TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let waiting = Probe::start(&robot.url(0), &["--until-first"]);
    robot.order("return");
    let (report, seen) = waiting.report();
    assert!(seen, "{report}");
}

#[test]
fn a_frozen_camera_keeps_its_clients_without_media() {
    let mut robot = start(&SMALL);
    let player = Player::start(&robot.url(0), "");
    player.bytes();
    robot.order("freeze");
    let silence = gst::ClockTime::from_mseconds(300);
    let mut left = 300;
    while player.sink.try_pull_sample(silence).is_some() {
        left -= 1;
        assert!(left > 0, "packets keep coming");
    }
    assert_eq!(robot.stat()["clients"], 1);
    robot.order("thaw");
    player.bytes();
}

#[test]
fn a_restart_drops_clients_and_serves_another_session_at_once() {
    let mut robot = start(&SMALL);
    let player = Player::start(&robot.url(0), "");
    let before = ssrc(&player.bytes());
    robot.order("restart");
    player.wait_for_end();
    assert_ne!(ssrc(&Player::start(&robot.url(0), "").bytes()), before);
}

#[test]
fn packets_are_dropped_and_damaged_on_demand_and_other_faults_refused() {
    let mut robot = start(&SMALL);
    let player = Player::start(&robot.url(0), "");
    player.bytes();
    assert!(robot.ask("foreign on").starts_with("error: not supported by rtsp"));
    assert!(robot.ask("reorder 5").starts_with("error: not supported by rtsp"));
    robot.order("drop-next 5");
    wait_for("dropped packets", || (robot.stat()["dropped"] == 5).then_some(()));
    robot.order("corrupt 100");
    player.bytes();
}

#[test]
fn another_resolution_reaches_a_player_that_stays() {
    let mut robot = start(&SMALL);
    let probe = Probe::start(&robot.url(0), &["--seconds", "1.5"]);
    wait_for("a client", || (robot.stat()["packets"].as_u64().unwrap() > 0).then_some(()));
    robot.order("resolution 640x360");
    let (report, _) = probe.report();
    assert_eq!(
        (&report["width"], &report["height"], &report["ended"]),
        (&640.into(), &360.into(), &"time".into())
    );
}

#[test]
fn without_the_password_nobody_is_let_in() {
    for method in ["digest", "basic"] {
        let guard = ["--user", "operator", "--password", "s3cret", "--auth", method];
        let robot = start(&[&guard[..], &SMALL].concat());
        let url = robot.url(0);
        for stranger in [url.clone(), url.replace("rtsp://", "rtsp://operator:wrong@")] {
            let (report, seen) = Probe::start(&stranger, &["--until-first"]).report();
            assert!(!seen, "{method}: {report}");
            let ended = report["ended"].as_str().unwrap();
            assert!(ended.to_lowercase().contains("unauthorized"), "{method}: {ended}");
        }
        let (report, seen) =
            Probe::start(&url.replace("rtsp://", "rtsp://operator:s3cret@"), &["--until-first"]).report();
        assert!(seen, "{method}: {report}");
    }
}

#[test]
fn tls_is_used_if_a_certificate_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success());
    let robot =
        start(&[&["--tls", certificate.to_str().unwrap(), key.to_str().unwrap()][..], &SMALL].concat());
    let url = robot.url(0);
    assert!(url.starts_with("rtsps://"));
    let (report, seen) = Probe::start(&url, &["--wait", "1", "--until-first"]).report();
    assert!(!seen, "an untrusted certificate was accepted: {report}");
    let (report, seen) = Probe::start(&url, &["--insecure", "--until-first"]).report();
    assert!(seen, "{report}");
}

#[test]
fn a_port_in_use_is_reported_with_a_hint() {
    let robot = start(&SMALL);
    let listen = format!("127.0.0.1:{}", robot.ready["port"]);
    let output = program().args(["rtsp", "--listen", &listen]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains(&listen) && text.contains("Port 0 picks a free port"), "{text}");
    assert!(robot.end().success());
}
