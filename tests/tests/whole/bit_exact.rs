//! The robot's video reaches the server bit for bit.

use std::time::Duration;

use robocast_tests::certificates::Authority;
use robocast_tests::decoding::decodes;
use robocast_tests::machine::only_one;
use robocast_tests::nginx::{NEEDED, Nginx};
use robocast_tests::product::{self, Product, stream};
use robocast_tests::programs::have;
use robocast_tests::robot::{FILM, Robot};
use robocast_tests::waiting::{wait, when};

/// Lets the robot's film pass for this long and judges the recording.
fn pass_through(robot: &Robot, seconds: u32) {
    pass_through_with(robot, seconds, product::robot("go2"));
}

fn pass_through_with(robot: &Robot, seconds: u32, section: String) {
    let nginx = Nginx::start();
    let stream = stream("front", robot.source(), &[&nginx.url("front")], "");
    let mut product = Product::start(&[section, stream]);
    product.wait_state("front", "live");
    let wanted = seconds as usize * 25;
    wait(
        Duration::from_secs(u64::from(seconds) * 2 + 20),
        &format!("{wanted} frames in the recording"),
        || {
            // The film repeats, so all of it is known soon; a slate before its first keyframe does not count.
            let sent = robot.all_sent();
            when(nginx.frames_that("front", |frame| frame.is_of(&sent)), |&count| count > wanted)
        },
    );
    assert!(product.end().success());

    let (path, recording) = nginx.recording("front");
    assert_eq!(robot.sent_exactly(&recording), Ok(()));
    println!("{} slices recorded, {} sent", recording.slices().len(), robot.sent().len());
    assert_eq!(decodes(&path), Ok(()));
    assert_eq!(product.state("front")["restarts"], 0);
}

#[test]
fn pass_through_is_bit_exact_for_a_minute() {
    if have(&NEEDED) {
        pass_through(&Robot::go2(&FILM), 60);
    }
}

#[test]
fn an_rtsp_camera_is_passed_through_bit_exact() {
    if have(&NEEDED) {
        pass_through(&Robot::rtsp(&FILM), 20);
    }
}

#[test]
fn an_rtsp_camera_over_udp_is_passed_through_bit_exact() {
    if have(&NEEDED) {
        pass_through(&Robot::rtsp_over_udp(&FILM), 8);
    }
}

#[test]
fn an_rtsp_camera_over_tls_is_passed_through_when_its_certificate_is_trusted_and_refused_when_not() {
    if !have(&NEEDED) || !have(&["openssl"]) {
        return;
    }
    let (trusted, other) = (Authority::new(), Authority::new());
    let robot = Robot::rtsps(&FILM, &trusted.server("DNS:localhost,IP:127.0.0.1"));
    let ca = |authority: &Authority| format!("[tls]\nca = \"\"\"\n{}\"\"\"\n", authority.pem());
    pass_through_with(&robot, 6, ca(&trusted));

    let stranger = Product::start(&[ca(&other), stream("front", robot.source(), &[], "")]);
    stranger.wait("front", "lost", |said| said["source_state"] == "lost");
    assert_eq!(stranger.state("front")["frames_in"], 0, "nothing is taken from a camera that is not trusted");
}

#[test]
fn a_go2_is_found_where_every_go2_sends() {
    if have(&NEEDED) {
        let _group = only_one("go2");
        pass_through(&Robot::real_go2(&FILM), 6);
    }
}
