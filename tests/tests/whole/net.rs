//! Push follows the status of the net program, and people see it. The net program is a stand-in.

use robocast_bus::client;
use robocast_tests::bus::{self, Bus};
use robocast_tests::net::Net;
use robocast_tests::process::run;
use robocast_tests::product::Place;
use robocast_tests::programs::have;
use robocast_tests::waiting::{SOON, wait, when};
use tokio::sync::watch;
use zbus::connection::Builder;

#[test]
fn the_choice_is_followed_through_programs_and_buses_that_come_and_go() {
    if !have(&bus::NEEDED) {
        return;
    }
    let mut bus = Bus::start();
    let address = bus.address();
    let (tell, chosen) = watch::channel(String::new());
    let follower = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(client::follow_chosen_on(move || Builder::address(address.as_str()), tell));
    });
    let is = |expected: &str| {
        wait(SOON, &format!("`{expected}` chosen"), || {
            when(chosen.borrow().clone(), |seen| seen == expected)
        });
    };
    is("");
    let net = Net::start(&bus, "wlan0");
    is("wlan0");
    net.choose("wwan0");
    is("wwan0");
    drop(net);
    is("");
    let net = Net::start(&bus, "eth1");
    is("eth1");
    drop(net);
    is("");
    bus.start_again();
    let _net = Net::start(&bus, "wlan0");
    is("wlan0");
    bus.end();
    is("");
    drop(chosen);
    follower.join().unwrap();
}

#[test]
fn status_shows_the_network_where_there_is_a_net_program() {
    if !have(&bus::NEEDED) {
        return;
    }
    let bus = Bus::start();
    let place = Place::new("schema = 1\n");
    let status = |more: &[&str]| {
        let mut status = place.robocast(&[&["status"], more].concat());
        bus.given_to(&mut status);
        run(status)
    };
    assert_eq!(status(&["--json"]).0, Some(3), "nothing is there");
    let _net = Net::start(&bus, "wlan0");
    let (code, out, errors) =
        wait(SOON, "the stand-in to be seen", || when(status(&["--json"]), |s| s.0 != Some(3)));
    assert_eq!(code, Some(1), "no stream runs: {errors}");
    let seen: serde_json::Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!((&seen["net"]["chosen"], &seen["net"]["proven"]), (&"wlan0".into(), &true.into()));
    let (_, out, _) = status(&[]);
    assert!(out.starts_with("network  goes by wlan0"), "{out}");
}
