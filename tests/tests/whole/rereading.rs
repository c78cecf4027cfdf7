//! New settings while video runs (SIGHUP).

use robocast_tests::nginx::{NEEDED, Nginx};
use robocast_tests::product::{Product, settings, stream};
use robocast_tests::programs::have;
use robocast_tests::robot::{Robot, SMALL};
use robocast_tests::waiting::{SOON, wait, when};

#[test]
fn new_settings_touch_only_what_is_new_in_them() {
    if !have(&NEEDED) {
        return;
    }
    let (nginx, robot) = (Nginx::start(), Robot::go2(&SMALL));
    let (first, second) = (nginx.url("first"), nginx.url("second"));
    let text = |push: &[&str]| settings(&[stream("front", robot.source(), push, "")]);
    let mut product = Product::start(&[stream("front", robot.source(), &[&first], "")]);
    product.wait_state("front", "live");
    let frames = |key: &str, more: usize| {
        let before = nginx.frames(key);
        wait(SOON, &format!("{more} more frames of {key}"), || {
            when(nginx.frames(key), |&now| now >= before + more)
        });
    };
    frames("first", 30);
    let connection = nginx.one_connection("first").unwrap();

    product.reread(&text(&[&first, &second]));
    product.wait("front", "published twice", |said| {
        said["sinks"][0]["state"] == "publishing" && said["sinks"][1]["state"] == "publishing"
    });
    frames("second", 30);
    frames("first", 30);
    assert_eq!(nginx.one_connection("first"), Ok(connection.clone()));
    let other = nginx.one_connection("second").unwrap();

    let line = product.process.logged.count();
    product.reread("schema = 1\n[[stream]]\nname = \"front\"\nsourse = \"test:\"\n");
    let told = product.wait_log(line, "settings not taken over");
    assert!(told.contains("ERROR"), "{told}");
    product.wait_log(line, "robocast.toml:4:1: error:");
    frames("first", 30);
    frames("second", 30);
    product.wait_state("front", "live");
    assert_eq!(
        (nginx.one_connection("first"), nginx.one_connection("second")),
        (Ok(connection), Ok(other.clone()))
    );

    product.reread(&text(&[&second]));
    wait(SOON, "the end of the first session", || {
        when(nginx.ended_connections("first"), |ended| ended.len() == 1)
    });
    frames("second", 30);
    assert_eq!(nginx.one_connection("second"), Ok(other));
    let said = product
        .wait("front", "published once", |said| said["sinks"].as_array().is_some_and(|s| s.len() == 1));
    assert_eq!((&said["state"], &said["restarts"]), (&"live".into(), &0.into()));
    assert!(product.end().success());
    let (_, recording) = nginx.recording("second");
    assert_eq!(robot.sent_exactly(&recording), Ok(()));
}

#[test]
fn a_stream_that_is_added_or_taken_away_leaves_the_other_alone() {
    if !have(&NEEDED) {
        return;
    }
    let (nginx, robot, another) = (Nginx::start(), Robot::go2(&SMALL), Robot::go2(&SMALL));
    let front = stream("front", robot.source(), &[&nginx.url("front")], "");
    let rear = stream("rear", another.source(), &[&nginx.url("rear")], "");
    let mut product = Product::start(std::slice::from_ref(&front));
    product.wait_state("front", "live");
    product.reread(&settings(&[front.clone(), rear]));
    product.wait_state("rear", "live");
    wait(SOON, "frames of rear", || when(nginx.frames("rear"), |&count| count > 30));
    product.reread(&settings(&[front]));
    wait(SOON, "the end of rear", || {
        let children = ["camera", "push"].map(|role| product.child(role, "rear"));
        when((nginx.ended_connections("rear").len(), children), |seen| *seen == (1, [None, None]))
    });
    product.wait_state("front", "live");
    nginx.one_connection("front").unwrap();
    assert!(product.end().success());
    assert_eq!(robot.sent_exactly(&nginx.recording("front").1), Ok(()));
}
