//! Programs that die come back, and how long the server gets no video.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use robocast_tests::arrivals::Arrivals;
use robocast_tests::decoding::{Picture, decodes, pictures};
use robocast_tests::machine::{Stretch, free_port};
use robocast_tests::nginx::{NEEDED, Nginx, write};
use robocast_tests::product::{Product, stream};
use robocast_tests::programs::have;
use robocast_tests::robot::{LARGE, Robot, SMALL};
use robocast_tests::slices::Slice;
use robocast_tests::waiting::{SOON, holds, wait, when};

/// One second, one keyframe interval of the robot, and the machine's time for scheduling; the robot's own delay and a
/// busy machine's delay are counted separately.
const ALLOWED: Duration = Duration::from_millis(1000 + 1000 + 500);
/// After so many frames the stream runs again.
const ENOUGH: usize = 30;

/// Checks that the gap without video was at most this long.
fn judge(what: &str, silence: Duration, stretch: &Stretch) {
    let (silence, held_up) = (silence.as_millis(), stretch.held_up().as_millis());
    println!("measured: {what}: {silence} ms without video, of which the machine took {held_up} ms at most");
    assert!(silence < ALLOWED.as_millis() + held_up, "{what}: {silence} ms without video");
}

/// A robot, a server and the product between them, with video running.
struct Scene {
    robot: Robot,
    nginx: Nginx,
    product: Product,
}

impl Scene {
    fn set(robot: Robot) -> Self {
        let nginx = Nginx::start();
        let product = Product::start(&[stream("front", robot.source(), &[&nginx.url("front")], "")]);
        product.wait_state("front", "live");
        wait(SOON, "frames at the server", || when(nginx.frames("front"), |&count| count > ENOUGH));
        Self { robot, nginx, product }
    }

    /// Waits for the robot's video at the server and judges how long it was away.
    fn heals(
        &self,
        what: &str,
        arrivals: &mut Arrivals<'_>,
        stretch: &Stretch,
        and: impl Fn() -> Result<(), String>,
    ) {
        let silence = wait(SOON, &format!("video again after {what}"), || {
            arrivals.look();
            and()?;
            arrivals.silence(stretch.since, &self.robot.record(), |_| true, ENOUGH)
        });
        judge(what, silence, stretch);
    }

    /// From now on.
    fn stretch(&self) -> Stretch {
        Stretch::begin(&[self.product.process.pid(), self.nginx.pid()])
    }

    /// Kills one of the product's programs while video runs.
    fn program_dies(&self, role: &str) {
        let mut arrivals = Arrivals::watch(&self.nginx, "front");
        let stretch = self.stretch();
        let dead = self.product.kill_child(role, "front");
        self.heals(&format!("kill -9 of {role}"), &mut arrivals, &stretch, || {
            match self.product.child(role, "front") {
                Some(pid) if pid != dead => Ok(()),
                other => Err(format!("{role} runs as {other:?}")),
            }
        });
        self.product
            .wait("front", "live after one restart", |said| said["state"] == "live" && said["restarts"] == 1);
    }

    /// The robot begins a new session, without a pause.
    fn robot_begins_anew(self, what: &str) {
        let mut arrivals = Arrivals::watch(&self.nginx, "front");
        let stretch = self.stretch();
        self.robot.tell("restart");
        self.heals(what, &mut arrivals, &stretch, || Ok(()));
        self.product
            .wait("front", "live without a restart", |said| said["state"] == "live" && said["restarts"] == 0);
        assert!(self.nginx.one_connection("front").is_ok(), "the session outlives the robot's");
    }

    fn robot_dies(mut self, what: &str) {
        self.robot.kill();
        self.product.wait_state("front", "slate");
        self.robot.start();
        let stretch = self.stretch();
        let mut arrivals = Arrivals::watch(&self.nginx, "front");
        self.heals(what, &mut arrivals, &stretch, || Ok(()));
        self.product
            .wait("front", "live without a restart", |said| said["state"] == "live" && said["restarts"] == 0);
        assert!(self.nginx.one_connection("front").is_ok(), "the session outlives the robot");
    }
}

#[test]
fn a_camera_program_that_is_killed_is_back_at_once_and_the_session_stays() {
    if have(&NEEDED) {
        let mut scene = Scene::set(Robot::go2(&SMALL));
        scene.program_dies("camera");
        scene.nginx.one_connection("front").unwrap();
        assert!(scene.product.end().success());
        let (path, recording) = scene.nginx.recording("front");
        assert_eq!((recording.times_rise(), decodes(&path)), (Ok(()), Ok(())));
    }
}

#[test]
fn a_push_program_that_is_killed_is_back_at_once() {
    if have(&NEEDED) {
        let mut scene = Scene::set(Robot::go2(&SMALL));
        scene.program_dies("push");
        assert_eq!(scene.nginx.connections("front").len(), 2);
        assert!(scene.product.end().success());
        for path in scene.nginx.recordings("front") {
            assert_eq!(decodes(&path), Ok(()));
        }
    }
}

#[test]
fn a_server_that_is_killed_gets_video_as_soon_as_it_listens_again() {
    if have(&NEEDED) {
        let mut scene = Scene::set(Robot::go2(&SMALL));
        scene.nginx.kill();
        scene.product.wait("front", "offline, the sink waiting", |said| {
            said["state"] == "offline" && said["sinks"][0]["state"] == "waiting"
        });
        scene.nginx.start_again();
        let stretch = scene.stretch();
        let mut arrivals = Arrivals::watch(&scene.nginx, "front");
        scene.heals("kill -9 of the server", &mut arrivals, &stretch, || Ok(()));
        scene.product.wait("front", "live after a reconnect", |said| {
            said["state"] == "live" && said["sinks"][0]["reconnects"] == 1 && said["restarts"] == 0
        });
    }
}

#[test]
fn a_robot_that_is_killed_is_found_again() {
    if have(&NEEDED) {
        Scene::set(Robot::go2(&SMALL)).robot_dies("kill -9 of the robot");
    }
}

#[test]
fn an_rtsp_camera_that_is_killed_is_found_again() {
    if have(&NEEDED) {
        Scene::set(Robot::rtsp(&SMALL)).robot_dies("kill -9 of the RTSP camera");
    }
}

#[test]
fn a_robot_that_begins_another_session_is_followed() {
    if have(&NEEDED) {
        Scene::set(Robot::go2(&SMALL)).robot_begins_anew("another session of the robot");
    }
}

#[test]
fn an_rtsp_camera_that_begins_another_session_is_followed() {
    if have(&NEEDED) {
        Scene::set(Robot::rtsp(&SMALL)).robot_begins_anew("another session of the RTSP camera");
    }
}

#[test]
fn the_session_survives_a_robot_that_vanishes_for_ten_seconds() {
    if !have(&NEEDED) {
        return;
    }
    let Scene { robot, nginx, mut product } = Scene::set(Robot::go2(&LARGE));
    // The slate is made after two seconds of video.
    wait(SOON, "60 frames", || when(nginx.frames("front"), |&count| count > 60));
    let connection = nginx.one_connection("front").unwrap();
    let whole = Stretch::begin(&[product.process.pid(), nginx.pid()]);
    robot.tell("vanish");
    let before = robot.all_sent();
    product.wait_state("front", "slate");
    holds(Duration::from_secs(10).saturating_sub(whole.since.elapsed()), "the session", || {
        nginx.one_connection("front").map(drop)
    });
    robot.tell("return");
    let stretch = Stretch::begin(&[product.process.pid(), nginx.pid()]);
    let new = |slice: &Slice| !before.contains(slice);
    let mut arrivals = Arrivals::watch(&nginx, "front");
    let silence = wait(SOON, "the robot's video again", || {
        arrivals.look();
        arrivals.silence(stretch.since, &robot.record(), new, ENOUGH)
    });
    judge("a robot that vanished for 10 s", silence, &stretch);
    let held_up = whole.held_up().as_millis();
    product.wait("front", "live without a restart", |said| said["state"] == "live" && said["restarts"] == 0);
    assert_eq!(nginx.one_connection("front"), Ok(connection));
    assert!(product.end().success());

    let (path, recording) = nginx.recording("front");
    let sent = robot.all_sent();
    let first = recording.frames.iter().position(|frame| frame.is_of(&before)).unwrap();
    let slate: Vec<_> = recording.frames[first..].iter().filter(|frame| !frame.is_of(&sent)).collect();
    println!("measured: {} slate frames, no frame for {} ms at most", slate.len(), recording.longest_gap());
    assert!(slate.len() >= 35 && slate[0].keyframe);
    assert!(slate.iter().filter(|frame| frame.keyframe).count() >= 4, "a slate has keyframes of its own");
    let gap = u128::from(recording.longest_gap());
    assert!(gap < 1500 + held_up, "{gap} ms without any frame, the machine's part {held_up} ms at most");
    assert_eq!(recording.times_rise(), Ok(()));
    let new = sent.into_iter().filter(new).collect();
    assert_eq!(recording.frames_of(&new).first().map(|frame| frame.keyframe), Some(true));
    assert_eq!(decodes(&path), Ok(()));
    assert_eq!(pictures(&path), vec![Picture { width: 1280, height: 720 }; recording.frames.len()]);
}

#[test]
fn a_robot_that_is_off_at_start_is_a_state() {
    if !have(&NEEDED) {
        return;
    }
    let nginx = Nginx::start();
    let mut robot = Robot::go2_switched_off(&SMALL);
    let nobody = format!("rtsp://127.0.0.1:{}/front", free_port());
    let product = Product::start(&[
        stream("front", robot.source(), &[&nginx.url("front")], ""),
        stream("side", &nobody, &[&nginx.url("side")], ""),
        stream("bare", &nobody, &[&nginx.url("bare")], "slate = false"),
    ]);
    for name in ["front", "side"] {
        let said = product.wait_state(name, "slate");
        assert_eq!(said["source_state"], "lost");
        assert!(said["text"].as_str().unwrap().contains("no frames") || name == "side", "{said}");
        assert_ne!(said["text"], "", "{said}");
    }
    product.wait_state("bare", "waiting");
    holds(Duration::from_secs(5), "a calm state", || {
        for name in ["front", "side"] {
            nginx.one_connection(name)?;
            when(product.state(name), |said| said["restarts"] == 0 && said["state"] == "slate")?;
        }
        when(product.state("bare"), |said| said["restarts"] == 0 && said["state"] == "waiting").map(drop)
    });
    assert!(nginx.frames("front") >= 20 && nginx.frames("side") >= 20);
    assert_eq!(nginx.frames("bare"), 0);

    robot.start();
    let since = Instant::now();
    let mut arrivals = Arrivals::watch(&nginx, "front");
    let silence = wait(SOON, "the robot's video", || {
        arrivals.look();
        arrivals.silence(since, &robot.record(), |_| true, ENOUGH)
    });
    println!("measured: a robot that is switched on: {} ms without its video", silence.as_millis());
    product.wait("front", "live without a restart", |said| said["state"] == "live" && said["restarts"] == 0);
    nginx.one_connection("front").unwrap();
}

#[test]
fn a_program_that_hangs_is_killed_by_the_watchdog_and_started_again() {
    if !have(&NEEDED) {
        return;
    }
    let scene = Scene::set(Robot::go2(&SMALL));
    for (role, restarts) in [("camera", 1), ("push", 2)] {
        let hung = scene.product.child(role, "front").unwrap();
        kill(hung, Signal::SIGSTOP).unwrap();
        // The watchdog waits 10 s.
        wait(Duration::from_secs(120), &format!("another {role}"), || {
            when(scene.product.child(role, "front"), |now| now.is_some_and(|now| now != hung))
        });
        scene
            .product
            .wait("front", "live again", |said| said["state"] == "live" && said["restarts"] == restarts);
    }
}

/// A board that scans GStreamer's plugins for the first time, with much other work, needs longer than the watchdog's 10
/// s. If it were killed, it would start over forever.
#[test]
fn a_camera_that_opens_slowly_is_not_killed() {
    if !have(&NEEDED) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (gate, scanner) = (folder.path().join("gate"), folder.path().join("scanner"));
    mkfifo(&gate, Mode::S_IRWXU).unwrap();
    // The program that asks gets no answer until the gate opens; then it scans the plugins itself.
    write(&scanner, &format!("#!/bin/sh\n[ ! -e '{0}' ] || exec cat '{0}'\n", gate.display()));
    std::fs::set_permissions(&scanner, std::fs::Permissions::from_mode(0o700)).unwrap();
    let nginx = Nginx::start();
    let sections = [stream("front", "test:", &[&nginx.url("front")], "size = \"320x180\"")];
    let product = Product::start_with(&sections, |command| {
        command.env("GST_REGISTRY", folder.path().join("registry")).env("GST_PLUGIN_SCANNER", &scanner);
    });
    product.wait("front", "a state", |said| said["source_state"] == "starting");
    let first = product.child("camera", "front");
    holds(Duration::from_secs(15), "the camera's process", || {
        when(product.child("camera", "front"), |now| *now == first).map(drop)
    });
    let open = std::fs::File::options().write(true).open(&gate).unwrap();
    std::fs::remove_file(&gate).unwrap();
    drop(open);
    // It scans every plugin there is, alone: that is work, for which a busy machine takes its time.
    let said = product.wait_for(Duration::from_secs(120), "front", "live", |said| said["state"] == "live");
    assert_eq!((&said["restarts"], product.child("camera", "front")), (&0.into(), first));
}
