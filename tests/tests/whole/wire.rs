//! Everything that arrives over the robot's wire.

use std::collections::HashSet;

use robocast_tests::decoding::{Picture, decodes, pictures};
use robocast_tests::nginx::{NEEDED, Nginx};
use robocast_tests::product::{Product, stream};
use robocast_tests::programs::have;
use robocast_tests::robot::{Robot, SMALL};
use robocast_tests::slices::Slice;
use robocast_tests::waiting::{SOON, wait, when};

#[test]
fn another_resolution_goes_on_over_the_same_connection_with_a_new_sequence_header() {
    if !have(&NEEDED) {
        return;
    }
    let (nginx, robot) = (Nginx::start(), Robot::go2(&SMALL));
    let mut product = Product::start(&[stream("front", robot.source(), &[&nginx.url("front")], "")]);
    product.wait_state("front", "live");
    wait(SOON, "frames", || when(nginx.frames("front"), |&count| count > 30));
    let before = robot.all_sent();
    robot.tell("resolution 320x180");
    let after = || -> HashSet<Slice> { robot.all_sent().difference(&before).copied().collect() };
    // Some of these may still be of the old size.
    wait(SOON, "frames after the change", || {
        let after = after();
        when(nginx.frames_that("front", |frame| frame.is_of(&after)), |&count| count > 60)
    });
    nginx.one_connection("front").unwrap();
    assert!(product.end().success());

    let (path, recording) = nginx.recording("front");
    assert_eq!(robot.sent_exactly(&recording), Ok(()));
    assert_eq!(recording.headers.len(), 2, "a sequence header a size");
    assert_ne!(recording.headers[0].1, recording.headers[1].1);
    assert!(recording.frames[recording.headers[1].0].keyframe, "the new header stands before a keyframe");
    assert_eq!(decodes(&path), Ok(()));
    let shown = pictures(&path);
    let sizes = [(640, 360), (320, 180)].map(|(width, height)| Picture { width, height });
    assert_eq!((shown[0], shown[shown.len() - 1]), (sizes[0], sizes[1]));
    assert!(shown.iter().all(|picture| sizes.contains(picture)));
    assert_eq!(product.state("front")["restarts"], 0);
}

#[test]
fn lost_packets_cost_pictures_but_nothing_broken_is_sent_on() {
    if !have(&NEEDED) {
        return;
    }
    let (nginx, robot) = (Nginx::start(), Robot::go2(&SMALL));
    let mut product =
        Product::start(&[stream("front", robot.source(), &[&nginx.url("front")], "slate = false")]);
    product.wait_state("front", "live");
    robot.tell("drop 2");
    robot.tell("reorder 2");
    robot.tell("duplicate 2");
    let sent = robot.sent().len();
    wait(SOON, "six seconds of bad wire", || when(robot.sent().len(), |&count| count > sent + 180));
    for fault in ["drop", "reorder", "duplicate"] {
        robot.tell(&format!("{fault} 0"));
    }
    let count = nginx.frames("front");
    wait(SOON, "two seconds of good wire", || when(nginx.frames("front"), |&now| now > count + 60));
    nginx.one_connection("front").unwrap();
    assert!(product.end().success());

    let (path, recording) = nginx.recording("front");
    let (recorded, sent) = (recording.slices(), robot.sent());
    let mut rest = sent.iter();
    let strange = recorded.iter().position(|slice| !rest.any(|sent| sent == slice));
    assert_eq!(strange, None, "every slice is one that was sent, in its order");
    let whole = sent.iter().position(|slice| *slice == recorded[0]).unwrap() + recorded.len();
    println!("measured: 2 % lost on the wire: {} of {} slices recorded", recorded.len(), sent.len());
    assert!(whole < sent.len() - 5, "nothing was lost: the wire was not bad");
    assert_eq!(recording.times_rise(), Ok(()));
    assert_eq!(decodes(&path), Ok(()));
}

#[test]
fn strangers_duplicates_and_disorder_change_nothing() {
    if !have(&NEEDED) {
        return;
    }
    let (nginx, robot) = (Nginx::start(), Robot::go2(&SMALL));
    let patient = "jitter_buffer = \"200 ms\"";
    let mut product = Product::start(&[stream("front", robot.source(), &[&nginx.url("front")], patient)]);
    product.wait_state("front", "live");
    for fault in ["foreign on", "duplicate 5", "reorder 5"] {
        robot.tell(fault);
    }
    let count = nginx.frames("front");
    wait(SOON, "five seconds of it", || when(nginx.frames("front"), |&now| now > count + 150));
    nginx.one_connection("front").unwrap();
    assert!(product.end().success());
    let (path, recording) = nginx.recording("front");
    assert_eq!((robot.sent_exactly(&recording), decodes(&path)), (Ok(()), Ok(())));
    assert_eq!(product.state("front")["restarts"], 0);
}

#[test]
fn another_payload_type_is_not_the_robots_video() {
    if !have(&NEEDED) {
        return;
    }
    let (nginx, robot) = (Nginx::start(), Robot::go2(&SMALL));
    let product = Product::start(&[stream("front", robot.source(), &[&nginx.url("front")], "")]);
    product.wait_state("front", "live");
    robot.tell("wrong-payload on");
    product.wait("front", "without its robot", |said| said["source_state"] == "lost");
    robot.tell("wrong-payload off");
    product.wait_state("front", "live");
    nginx.one_connection("front").unwrap();
}
