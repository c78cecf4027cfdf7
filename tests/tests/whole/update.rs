//! The gate that a new slot must pass, on a real bus, with a real RAUC; and with stand-ins with the real interfaces
//! where RAUC must be in a certain state.

use std::process::Command;
use std::time::{Duration, Instant};

use robocast_tests::bus::{self, Bus};
use robocast_tests::machine::{free_port, held_up};
use robocast_tests::nginx::{self, Nginx};
use robocast_tests::process::{Process, run};
use robocast_tests::product::{Place, Product, settings, stream};
use robocast_tests::programs::have;
use robocast_tests::rauc;
use robocast_tests::robot::{Robot, SMALL};
use robocast_tests::stand_ins::{Rauc, Systemd};
use robocast_tests::waiting::{SOON, holds, wait, when};

const LONG: &str = "1 min";
/// Long enough for a gate to see all that there is to see, on a busy machine too.
const ENOUGH: &str = "15 s";

fn gate(place: &Place, bus: &Bus, timeout: &str) -> Command {
    let mut gate = place.robocast(&["update", "gate", "--timeout", timeout]);
    bus.given_to(&mut gate);
    gate
}

/// `robocast run` on the bus, with the same settings where the gate looks for them.
fn product(bus: &Bus, sections: &[String]) -> Product {
    let product = Product::start_with(sections, |run| bus.given_to(run));
    product.place().provision(&settings(sections));
    product
}

fn small(name: &str, push: &[&str]) -> String {
    stream(name, "test:", push, "size = \"320x180\"\nkeyframe_interval = \"1 s\"")
}

#[test]
fn a_new_slot_is_good_once_frames_flow_and_from_then_on_at_once() {
    if !have(&nginx::NEEDED) || !have(&bus::NEEDED) {
        return;
    }
    let (nginx, bus) = (Nginx::start(), Bus::start());
    let rauc = Rauc::start(&bus, "2026-11-21T07:00:00Z");
    // The gate is there before the programs are, as at boot.
    let sections = [small("front", &[&nginx.url("front")]), small("left-arm", &[])];
    let place = Place::new("");
    place.provision(&settings(&sections));
    let mut waiting = Process::start("gate", gate(&place, &bus, LONG));
    holds(Duration::from_millis(500), "a gate without programs", || match waiting.ended() {
        None => Ok(()),
        Some(status) => Err(status.to_string()),
    });
    let mut product = product(&bus, &sections);
    assert!(waiting.wait(SOON).success(), "{}", waiting.output());
    assert!(waiting.output().contains("robocast: rootfs.0 is good"), "{}", waiting.output());
    assert_eq!(rauc.marks(), ["good booted"]);
    assert!(nginx.frames("front") > 0, "frames had reached the server by then");
    let proven = std::fs::read_to_string(place.state().join("proven")).unwrap();
    assert_eq!(proven, "rootfs.0 installed.timestamp=2026-11-21T07:00:00Z\n");

    // The robot's box is switched off and on where there is no network: nothing flows, and no try is used up.
    assert!(product.end().success());
    let began = Instant::now();
    let (code, told, _) = run(gate(&place, &bus, LONG));
    assert_eq!((code, rauc.marks().len()), (Some(0), 2), "{told}");
    let took = began.elapsed().saturating_sub(held_up(began, Instant::now()));
    assert!(told.contains("as it was before") && took < Duration::from_secs(5), "{told}");

    // Another image must prove itself again.
    rauc.install("2026-11-21T08:00:00Z");
    let (code, _, errors) = run(gate(&place, &bus, "2 s"));
    assert_eq!((code, rauc.marks().len()), (Some(1), 2));
    for lacking in [
        "rootfs.0 was not found good within 2 s",
        "stream front: its camera program is not on the bus",
        "stream left-arm: its push program is not on the bus",
    ] {
        assert!(errors.contains(lacking), "`{lacking}` is missing: {errors}");
    }
    assert_eq!(std::fs::read_to_string(place.state().join("proven")).unwrap(), proven);
}

#[test]
fn a_slate_at_the_server_proves_a_slot_whose_robot_is_off() {
    if !have(&nginx::NEEDED) || !have(&bus::NEEDED) {
        return;
    }
    let (nginx, bus) = (Nginx::start(), Bus::start());
    let (rauc, robot) = (Rauc::start(&bus, "now"), Robot::go2_switched_off(&SMALL));
    // RAUC is busy when it is first asked to.
    rauc.be_busy(2);
    let product = product(&bus, &[stream("front", robot.source(), &[&nginx.url("front")], "")]);
    let (code, told, errors) = run(gate(product.place(), &bus, LONG));
    assert_eq!(code, Some(0), "{told}{errors}");
    product.wait_state("front", "slate");
    assert_eq!(rauc.marks(), ["good booted"]);
}

#[test]
fn a_slot_that_reaches_no_server_is_not_good_and_it_is_said_which() {
    if !have(&nginx::NEEDED) || !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let rauc = Rauc::start(&bus, "now");
    let away = format!("rtmp://127.0.0.1:{}/live/KeyThatNobodyMaySee", free_port());
    let product = product(&bus, &[small("front", &[&away])]);
    product.wait_state("front", "offline");
    let (code, told, errors) = run(gate(product.place(), &bus, ENOUGH));
    assert_eq!((code, rauc.marks()), (Some(1), Vec::new()), "{told}{errors}");
    let line = errors.lines().find(|line| line.starts_with("robocast: stream front: no frames flow to "));
    assert!(line.is_some_and(|line| line.contains("/live/*** (cannot be reached: ")), "{errors}");
    assert!(!errors.contains("KeyThatNobodyMaySee") && !told.contains("KeyThatNobodyMaySee"), "{errors}");
    assert!(!product.place().state().join("proven").exists());
}

#[test]
fn frames_of_one_stream_do_not_prove_a_slot_that_lacks_programs_of_another() {
    if !have(&nginx::NEEDED) || !have(&bus::NEEDED) {
        return;
    }
    let (nginx, bus) = (Nginx::start(), Bus::start());
    let rauc = Rauc::start(&bus, "now");
    let front = small("front", &[&nginx.url("front")]);
    let product = product(&bus, std::slice::from_ref(&front));
    product.wait_state("front", "live");
    product.place().provision(&settings(&[front, small("rear", &[])]));
    let (code, _, errors) = run(gate(product.place(), &bus, ENOUGH));
    assert_eq!((code, rauc.marks()), (Some(1), Vec::new()), "{errors}");
    let lines: Vec<_> = errors.lines().filter(|line| line.starts_with("robocast: stream ")).collect();
    let lacking = ["camera", "push"]
        .map(|program| format!("robocast: stream rear: its {program} program is not on the bus"));
    assert_eq!(lines, lacking, "front is not blamed: its frames flow");
}

#[test]
fn programs_that_ran_before_the_bus_did_make_a_slot_good() {
    if !have(&bus::NEEDED) {
        return;
    }
    let mut bus = Bus::not_started();
    let product = product(&bus, &[small("front", &[])]);
    product.wait_state("front", "live");
    bus.start_again();
    let rauc = Rauc::start(&bus, "now");
    let (code, told, errors) = run(gate(product.place(), &bus, LONG));
    assert_eq!((code, rauc.marks()), (Some(0), vec!["good booted".to_owned()]), "{told}{errors}");
}

#[test]
fn a_box_that_was_not_provisioned_is_good_once_its_networks_stand() {
    if !have(&bus::NEEDED) {
        return;
    }
    let (bus, place) = (Bus::start(), Place::new(""));
    let (rauc, systemd) = (Rauc::start(&bus, "now"), Systemd::start(&bus));
    let (code, _, errors) = run(gate(&place, &bus, "5 s"));
    assert!(code == Some(1) && errors.contains("robocast-network.target is not active"), "{errors}");

    place.state();
    let mut waiting = Process::start("gate", gate(&place, &bus, LONG));
    holds(Duration::from_secs(1), "a gate without networks", || match waiting.ended() {
        None => Ok(()),
        Some(status) => Err(status.to_string()),
    });
    assert_eq!(rauc.marks().len(), 0);
    systemd.reach();
    assert!(waiting.wait(SOON).success(), "{}", waiting.output());
    assert_eq!(rauc.marks(), ["good booted"]);
    wait(SOON, "the proof", || when(place.state().join("proven").exists(), |&there| there));
}

#[test]
fn rauc_tells_the_boot_loader_that_the_slot_is_good() {
    if !have(&bus::NEEDED) || !have(&rauc::NEEDED) {
        return;
    }
    let (bus, place) = (Bus::start(), Place::new(""));
    let (rauc, systemd) = (rauc::Rauc::start(&bus, "2026-11-21T07:00:00Z"), Systemd::start(&bus));
    place.state();
    let (code, _, errors) = run(gate(&place, &bus, "1 s"));
    assert_eq!((code, rauc.changes()), (Some(1), Vec::new()), "{errors}");
    systemd.reach();
    let (code, told, errors) = run(gate(&place, &bus, LONG));
    assert_eq!(code, Some(0), "{errors}");
    assert!(told.contains("rootfs.0 is good"), "{told}");
    assert_eq!(rauc.changes(), ["set-state A good"]);
    let proven = std::fs::read_to_string(place.state().join("proven")).unwrap();
    assert_eq!(proven, "rootfs.0 installed.timestamp=2026-11-21T07:00:00Z\n");
    drop(systemd);
    let (code, told, errors) = run(gate(&place, &bus, LONG));
    assert!(code == Some(0) && told.contains("as it was before"), "{told}{errors}");
    assert_eq!(rauc.changes().len(), 2, "the tries are set again at every boot");
}

#[test]
fn settings_that_this_image_does_not_take_are_a_reason_to_go_back() {
    if !have(&bus::NEEDED) {
        return;
    }
    let (bus, place) = (Bus::start(), Place::new(""));
    let rauc = Rauc::start(&bus, "now");
    place.provision("schema = 1\n[devise]\n");
    let (code, _, errors) = run(gate(&place, &bus, LONG));
    assert_eq!((code, rauc.marks()), (Some(1), Vec::new()));
    assert!(errors.contains("settings are not valid") && errors.contains("did you mean"), "{errors}");
}

#[test]
fn where_there_is_no_rauc_there_is_nothing_to_mark() {
    if !have(&bus::NEEDED) {
        return;
    }
    let (bus, place) = (Bus::start(), Place::new(""));
    let (code, told, errors) = run(gate(&place, &bus, LONG));
    assert_eq!((code, told.as_str()), (Some(0), "robocast: no RAUC here: nothing to mark\n"), "{errors}");
    let mut without = place.robocast(&["update", "gate"]);
    without.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus");
    let (code, _, errors) = run(without);
    assert!(code == Some(1) && errors.contains("the system bus fails"), "{errors}");
}
