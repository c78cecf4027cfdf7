//! `robocast provision` applies settings, verifies them through the box's programs, rolls uplinks back, and has updates
//! installed. The bus is real; systemd, the net program and RAUC are stand-ins.

use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use robocast_bus::UplinkState;
use robocast_tests::bus::{self, Bus};
use robocast_tests::nginx::write;
use robocast_tests::process::{Process, command, run};
use robocast_tests::product::Place;
use robocast_tests::programs::{Root, able, program};
use robocast_tests::stand_ins::Rauc;
use robocast_tests::systemd::Systemd;
use robocast_tests::waiting::{SOON, wait, when};
use serde_json::Value;

/// A box with a bus, and a stick that is a folder.
struct Owned {
    place: Place,
    stick: tempfile::TempDir,
    bus: Bus,
}

impl Owned {
    fn new() -> Self {
        Self { place: Place::new(""), stick: tempfile::tempdir().unwrap(), bus: Bus::start() }
    }

    /// Settings of a stream on demand, and `more`.
    fn bring(&self, push: &str, more: &str) {
        let stream = format!(
            "[[stream]]\nname = \"front\"\nsource = \"test:\"\npush = [{push:?}]\nstart = \"on-demand\"\n"
        );
        let text = format!("schema = 1\n[device]\nname = \"box-07\"\n{stream}{more}");
        write(&self.stick.path().join("robocast.toml"), &text);
    }

    /// Provisions; returns the exit code and the receipt. Runs in its own UTS namespace: the box gets another host
    /// name.
    fn provision(&self) -> (Option<i32>, Value) {
        let mut provision = command("unshare");
        provision.arg("--uts").arg(program("robocast")).arg("provision").arg(self.stick.path());
        self.given_to(&mut provision);
        let (code, told, errors) = run(provision);
        let receipt = std::fs::read(self.stick.path().join("robocast-receipt.json"))
            .unwrap_or_else(|_| panic!("no receipt: {told}{errors}"));
        (code, serde_json::from_slice(&receipt).unwrap())
    }

    fn given_to(&self, command: &mut Command) {
        let state = self.place.state();
        command.env("ROBOCAST_STATE", &state).env("ROBOCAST_RUN", state.with_file_name("run"));
        command.env_remove("ROBOCAST_LOG");
        self.bus.given_to(command);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.state().join(name)
    }
}

fn possible() -> bool {
    // To name a machine.
    able(&[&bus::NEEDED[..], &["unshare"]].concat(), Root::Needed)
}

/// The failed part of the last step, by name.
fn failed(receipt: &Value) -> Vec<&str> {
    let parts = receipt["steps"][7]["parts"].as_array().unwrap();
    parts.iter().filter(|part| part["ok"] == false).map(|part| part["what"].as_str().unwrap()).collect()
}

const READ: [&str; 2] = ["kill robocast-net.service main 1", "kill robocast-clock.service main 1"];
const REACHED: [&str; 2] = ["start robocast-provisioned.target", "start robocast-streaming.target"];

#[test]
fn programs_are_told_what_changed_and_the_settings_are_proven_by_them() {
    if !possible() {
        return;
    }
    let owned = Owned::new();
    let systemd = Systemd::start(&owned.bus, |_| ());
    wait(SOON, "the net program", || {
        let get = ["string:org.robocast.Net1", "string:Reads"];
        let asked = owned.bus.call(
            "org.robocast.Net1",
            "/org/robocast/Net1",
            "org.freedesktop.DBus.Properties.Get",
            &get,
        );
        when(asked.is_ok(), |&there| there)
    });
    for (push, changed) in [
        (
            "rtmp://127.0.0.1/live/a",
            // All is new: the generator decides which units there are.
            &["reload", "restart robocast-camera@front.service", "restart robocast-push@front.service"][..],
        ),
        ("rtmp://127.0.0.1/live/b", &["restart robocast-push@front.service"][..]),
    ] {
        owned.bring(push, "");
        let (code, receipt) = owned.provision();
        assert_eq!((code, &receipt["outcome"]), (Some(0), &Value::from("proven")), "{receipt:#}");
        assert_eq!(systemd.take_calls(), [&READ[..], changed, &REACHED[..]].concat());
        assert_eq!(failed(&receipt), [""; 0]);
        assert!(owned.file("settings.proven.toml").exists() && !owned.file("uplink.former").exists());
    }
    // Another bitrate concerns only the camera: the session with the server continues.
    owned.bring("rtmp://127.0.0.1/live/b", "bitrate = { min = \"300 kbit/s\", max = \"1 Mbit/s\" }\n");
    assert_eq!(owned.provision().0, Some(0));
    let changed = &["restart robocast-camera@front.service"][..];
    assert_eq!(systemd.take_calls(), [&READ[..], changed, &REACHED[..]].concat());
    // The same again: no program is notified.
    assert_eq!(owned.provision().0, Some(0));
    assert_eq!(systemd.take_calls(), [""; 0]);
}

#[test]
fn uplinks_that_do_not_work_go_back_alone() {
    if !possible() {
        return;
    }
    let owned = Owned::new();
    let state = owned.place.state();
    // A login page blocks the internet, unless the uplinks are the previous ones.
    let systemd = Systemd::start(&owned.bus, move |net| {
        let text = std::fs::read_to_string(state.join("settings.toml")).unwrap_or_default();
        let former = state.join("uplink.former").exists();
        let captive = text.contains("Cafe") && !former;
        net.uplinks[0].state = if captive { UplinkState::Captive } else { UplinkState::Carrying };
        net.former = former;
    });
    owned.bring("rtmp://127.0.0.1/live/a", "");
    assert_eq!(owned.provision().0, Some(0));
    systemd.take_calls();
    owned.bring(
        "rtmp://127.0.0.1/live/b",
        "[[uplink.wifi]]\nssid = \"Cafe\"\npassword = \"SECRET12\"\ncountry = \"US\"\n",
    );
    let (code, receipt) = owned.provision();
    assert_eq!((code, failed(&receipt)), (Some(4), vec!["uplink"]), "{receipt:#}");
    let said = receipt["steps"][7]["text"].as_str().unwrap();
    assert!(said.contains("proven last are used again"), "{said}");
    assert!(!receipt.to_string().contains("SECRET"));
    // The settings stay; their digest says which uplinks are not theirs.
    assert!(std::fs::read_to_string(owned.file("settings.toml")).unwrap().contains("live/b"));
    assert!(std::fs::read_to_string(owned.file("settings.proven.toml")).unwrap().contains("live/a"));
    let mut sum = command("sha256sum");
    sum.arg(owned.file("settings.toml"));
    let digest = run(sum).1.split(' ').next().unwrap().to_owned();
    assert_eq!(std::fs::read_to_string(owned.file("uplink.former")).unwrap().trim(), digest);
    let calls = systemd.take_calls();
    assert_eq!(calls[calls.len() - 2..], READ, "{calls:?}");
    // Another stick: its uplinks are tried.
    owned.bring("rtmp://127.0.0.1/live/c", "");
    assert_eq!(owned.provision().0, Some(0));
    assert!(!owned.file("uplink.former").exists());
}

#[test]
fn an_update_is_installed_by_the_update_program_or_it_is_said_why_not() {
    if !possible() {
        return;
    }
    let owned = Owned::new();
    owned.bring("rtmp://127.0.0.1/live/a", "");
    write(&owned.stick.path().join("a.raucb"), "the bundle");
    let update = |receipt: &Value| {
        let steps = receipt["steps"].as_array().unwrap();
        let mut parts = steps.iter().filter_map(|step| step["parts"].as_array()).flatten();
        parts.find(|part| part["what"] == "update").expect("the update has a part").clone()
    };
    let said = update(&owned.provision().1);
    assert_eq!(
        (&said["ok"], &said["text"]),
        (&false.into(), &"there is no update program on this machine".into())
    );

    let rauc = Rauc::start(&owned.bus, "now");
    let mut command = command(program("robocast"));
    command.arg("update");
    owned.given_to(&mut command);
    let mut program = Process::start("update", command);
    wait(SOON, "the update program", || {
        let get = ["string:org.robocast.Update1", "string:Operation"];
        let method = "org.freedesktop.DBus.Properties.Get";
        owned.bus.call("org.robocast.Update1", "/org/robocast/Update1", method, &get)
    });
    let said = update(&owned.provision().1);
    let installed = "a.raucb is installed; it runs once the box was switched off and on";
    assert_eq!((&said["ok"], &said["text"]), (&true.into(), &installed.into()));
    assert_eq!(rauc.bundles(), [b"the bundle"]);
    rauc.refuse("signature verification failed");
    let said = update(&owned.provision().1);
    let refused = "RAUC does not install a.raucb: signature verification failed";
    assert_eq!((&said["ok"], &said["text"]), (&false.into(), &refused.into()));
    program.signal(Signal::SIGTERM);
    assert!(program.wait(SOON).success(), "{}", program.output());
}
