//! A failure disturbs nothing else.

use std::net::TcpListener;
use std::time::Duration;

use robocast_tests::machine::{Stretch, free_port};
use robocast_tests::nginx::{NEEDED, Nginx};
use robocast_tests::product::{Product, stream};
use robocast_tests::programs::have;
use robocast_tests::robot::{FILM, Robot, SMALL};
use robocast_tests::waiting::{SOON, wait, when};

/// Waits until so many frames more than now of `robot` are recorded under `key`.
fn more_frames(nginx: &Nginx, key: &str, robot: &Robot, more: usize) {
    let count = || {
        let sent = robot.all_sent();
        nginx.frames_that(key, |frame| frame.is_of(&sent))
    };
    let before = count();
    wait(SOON, &format!("{more} more frames of {key}"), || when(count(), |&count| count >= before + more));
}

#[test]
fn four_streams_at_once_one_failing_leave_the_others_bit_exact() {
    if !have(&NEEDED) {
        return;
    }
    let nginx = Nginx::start();
    let names = ["front", "left", "right"];
    let robots = [Robot::go2(&FILM), Robot::go2(&FILM), Robot::rtsp(&FILM)];
    let mut failing = Robot::go2(&SMALL);
    let nobody = format!("rtmp://127.0.0.1:{}/live/rear", free_port());
    let mut streams = vec![stream("rear", failing.source(), &[&nobody, &nginx.closed_url("rear")], "")];
    for (name, robot) in names.iter().zip(&robots) {
        streams.push(stream(name, robot.source(), &[&nginx.url(name)], ""));
    }
    let mut product = Product::start(&streams);
    for (name, robot) in names.iter().zip(&robots) {
        more_frames(&nginx, name, robot, 25);
    }
    product.wait("rear", "offline", |said| said["state"] == "offline" && said["source_state"] == "live");
    failing.kill();
    product.wait("rear", "without its robot", |said| said["source_state"] == "lost");
    product.kill_child("camera", "rear");
    product.kill_child("push", "rear");
    product.wait("rear", "started anew", |said| said["restarts"] == 2);
    for (name, robot) in names.iter().zip(&robots) {
        more_frames(&nginx, name, robot, 50);
    }
    for name in names {
        product.wait_state(name, "live");
    }
    assert!(product.end().success());
    for (name, robot) in names.iter().zip(&robots) {
        let (_, recording) = nginx.recording(name);
        assert_eq!(robot.sent_exactly(&recording), Ok(()), "{name}");
        assert_eq!(product.state(name)["restarts"], 0, "{name}");
    }
    assert!(nginx.recordings("rear").is_empty());
}

#[test]
fn a_sink_that_fails_never_disturbs_the_other_sink_of_the_same_stream() {
    if !have(&NEEDED) {
        return;
    }
    let (good, mut bad) = (Nginx::start(), Nginx::start());
    // Accepts connections and sends nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("rtmp://{}/live/front", silent.local_addr().unwrap());
    let robot = Robot::go2(&FILM);
    let push = [&bad.url("front")[..], &good.url("front"), &silent];
    let mut product = Product::start(&[stream("front", robot.source(), &push, "")]);
    let sink = |said: &serde_json::Value, index: usize| said["sinks"][index]["state"].clone();
    product.wait("front", "published twice", |said| {
        sink(said, 0) == "publishing" && sink(said, 1) == "publishing" && sink(said, 2) != "publishing"
    });
    bad.freeze(true);
    more_frames(&good, "front", &robot, 100);
    bad.freeze(false);
    more_frames(&good, "front", &robot, 25);
    more_frames(&bad, "front", &robot, 25);
    bad.kill();
    product
        .wait("front", "published once", |said| sink(said, 0) == "waiting" && sink(said, 1) == "publishing");
    more_frames(&good, "front", &robot, 50);
    bad.start_again();
    let stretch = Stretch::begin(&[product.process.pid(), bad.pid()]);
    product.wait("front", "published twice again", |said| {
        sink(said, 0) == "publishing"
            && said["sinks"][0]["reconnects"] == 1
            && said["sinks"][1]["reconnects"] == 0
    });
    assert!(stretch.took() < Duration::from_secs(4), "{stretch:?}");
    more_frames(&good, "front", &robot, 50);
    good.one_connection("front").unwrap();
    assert!(product.end().success());
    assert_eq!(robot.sent_exactly(&good.recording("front").1), Ok(()));
    assert_eq!(product.state("front")["restarts"], 0);
}
