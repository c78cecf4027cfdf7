//! What can be seen and requested on D-Bus: on a bus, and at the programs' own sockets.

use robocast_bus::client::{self, Remote, RemoteOrder};
use robocast_bus::names::{Program, Service};
use robocast_bus::{CameraStatus, PushStatus, SinkState, SourceState};
use robocast_tests::bus::{self, Bus};
use robocast_tests::nginx::{self, Nginx};
use robocast_tests::process::run;
use robocast_tests::product::{Place, Product, stream};
use robocast_tests::programs::have;
use robocast_tests::waiting::{SOON, wait, when};

const CAMERA: [&str; 3] =
    ["org.robocast.Camera1._4k-cam", "/org/robocast/Camera1/4k_cam", "org.robocast.Camera1"];
const PUSH: [&str; 3] = ["org.robocast.Push1._4k-cam", "/org/robocast/Push1/4k_cam", "org.robocast.Push1"];

#[test]
fn a_stream_on_demand_is_started_steered_and_stopped_over_the_bus_and_its_camera_rests() {
    if !have(&nginx::NEEDED) || !have(&bus::NEEDED) {
        return;
    }
    let (nginx, bus) = (Nginx::start(), Bus::start());
    let more = "start = \"on-demand\"\nsize = \"320x180\"\nkeyframe_interval = \"1 s\"";
    let sections = [stream("4k-cam", "test:", &[&nginx.url("cam")], more)];
    let product = Product::start_with(&sections, |run| bus.given_to(run));
    product.wait_state("4k-cam", "stopped");
    // A camera on demand without readers rests after 10 s.
    bus.wait_property(CAMERA[0], CAMERA[1], CAMERA[2], "SourceState", "\"resting\"");
    assert_eq!(nginx.recordings("cam").len(), 0, "nothing is pushed before it is asked for");

    bus.call(PUSH[0], PUSH[1], "org.robocast.Push1.Start", &[]).unwrap();
    product.wait_state("4k-cam", "live");
    wait(SOON, "frames at the server", || when(nginx.frames("cam"), |&frames| frames > 10));
    bus.wait_property(PUSH[0], PUSH[1], PUSH[2], "Live", "boolean true");

    // `robocast status` on another box's folders finds it through the bus alone.
    let elsewhere = Place::new("schema = 1\n");
    let mut status = elsewhere.robocast(&["status", "--json"]);
    bus.given_to(&mut status);
    let (code, out, errors) = run(status);
    assert_eq!(code, Some(0), "{out}{errors}");
    let seen: serde_json::Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!((&seen["stream"], &seen["state"]), (&"4k-cam".into(), &"live".into()));
    assert_eq!(seen["sinks"][0]["state"], "publishing");
    let rate = seen["bitrate_bps"].as_u64().unwrap();
    assert!((10_000..10_000_000).contains(&rate), "{rate} bit/s of 320x180");
    assert_eq!(seen["sinks"][0]["bitrate_bps"], rate);
    bus.wait_property(PUSH[0], PUSH[1], PUSH[2], "SinkBitrates", "uint64");

    let set = "org.freedesktop.DBus.Properties.Set";
    let rate = |bps: &str| {
        let value = format!("variant:uint64:{bps}");
        bus.call(CAMERA[0], CAMERA[1], set, &["string:org.robocast.Camera1", "string:TargetBitrate", &value])
    };
    rate("700000").unwrap();
    bus.wait_property(CAMERA[0], CAMERA[1], CAMERA[2], "TargetBitrate", "uint64 700000");
    assert!(rate("0").unwrap_err().contains("0 bit/s"));

    bus.call(PUSH[0], PUSH[1], "org.robocast.Push1.Stop", &[]).unwrap();
    product.wait_state("4k-cam", "stopped");
    bus.wait_property(CAMERA[0], CAMERA[1], CAMERA[2], "SourceState", "\"resting\"");
    assert_eq!(product.state("4k-cam")["restarts"], 0);
}

#[test]
fn programs_come_to_a_bus_that_starts_late_and_back_to_one_that_restarts() {
    if !have(&bus::NEEDED) {
        return;
    }
    let mut bus = Bus::not_started();
    let sections = [stream("4k-cam", "test:", &[], "size = \"320x180\"")];
    let product = Product::start_with(&sections, |run| bus.given_to(run));
    // It works without a bus, and is not restarted for the lack of one.
    product.wait_state("4k-cam", "live");
    for _ in 0..2 {
        bus.start_again();
        bus.wait_property(CAMERA[0], CAMERA[1], CAMERA[2], "SourceState", "\"live\"");
        bus.wait_property(PUSH[0], PUSH[1], PUSH[2], "Started", "boolean true");
        let all = bus.call(
            PUSH[0],
            PUSH[1],
            "org.freedesktop.DBus.Properties.GetAll",
            &["string:org.robocast.Push1"],
        );
        assert!(all.unwrap().contains("\"Status\""));
    }
    assert_eq!(product.wait_state("4k-cam", "live")["restarts"], 0);
}

#[test]
fn orders_reach_the_programs_of_a_run_without_any_bus() {
    if !have(&nginx::NEEDED) {
        return;
    }
    let nginx = Nginx::start();
    let more = "size = \"320x180\"\nkeyframe_interval = \"1 s\"";
    let product = Product::start(&[stream("4k-cam", "test:", &[&nginx.url("cam")], more)]);
    product.wait_state("4k-cam", "live");
    let sockets = product.place().sockets();
    let (camera, push) = (Program::Camera.service("4k-cam"), Program::Push.service("4k-cam"));
    assert_eq!(client::services_in(&sockets), [camera.clone(), push.clone()]);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let open = |service: &Service| runtime.block_on(Remote::at_socket(&sockets, service.clone())).unwrap();
    let (camera, push) = (open(&camera), open(&push));
    let camera_status = || runtime.block_on(camera.status::<CameraStatus>()).unwrap();
    let push_status = || runtime.block_on(push.status::<PushStatus>()).unwrap();
    wait(SOON, "the camera to be live", || {
        when(camera_status(), |status| status.source_state == SourceState::Live)
    });
    assert_eq!(push_status().sinks[0].state, SinkState::Publishing);

    runtime.block_on(camera.send(RemoteOrder::TargetBitrate(700_000))).unwrap();
    wait(SOON, "the encoder at 700 kbit/s", || when(camera_status(), |status| status.target_bps == 700_000));

    runtime.block_on(push.send(RemoteOrder::Stop)).unwrap();
    product.wait_state("4k-cam", "stopped");
    assert!(!push_status().started);
    wait(SOON, "the end of the session", || when(nginx.ended_connections("cam"), |ended| ended.len() == 1));
    runtime.block_on(push.send(RemoteOrder::Start)).unwrap();
    product.wait_state("4k-cam", "live");

    // The next life of a program is found at the same place.
    let frames =
        product.wait("4k-cam", "live", |said| said["frames_in"].as_u64() > Some(30))["frames_in"].as_u64();
    product.kill_child("camera", "4k-cam");
    let back = product
        .wait("4k-cam", "live after one restart", |said| said["state"] == "live" && said["restarts"] == 1);
    assert!(back["frames_in"].as_u64() >= frames, "counters go on: {back}");
    let camera = open(&Program::Camera.service("4k-cam"));
    let status = || runtime.block_on(camera.status::<CameraStatus>()).unwrap();
    wait(SOON, "the next camera to be live", || {
        when(status(), |status| status.source_state == SourceState::Live)
    });
}
