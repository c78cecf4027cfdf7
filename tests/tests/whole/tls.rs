//! RTMPS: whom the box trusts, and that a stream key stays where it belongs.

use robocast_tests::certificates::Authority;
use robocast_tests::nginx::{NEEDED_FOR_TLS, Nginx};
use robocast_tests::product::{Product, command_line, stream};
use robocast_tests::programs::have;
use robocast_tests::robot::{Robot, SMALL};
use robocast_tests::waiting::{SOON, wait, when};
use serde_json::Value;

/// Long enough to be found nowhere by chance.
const KEY: &str = "live_8c1e77_kEyThatNobodyMaySee";
const LOCAL: &str = "DNS:localhost,IP:127.0.0.1";

fn trusting(authority: &Authority) -> String {
    format!("[tls]\nca = \"\"\"\n{}\"\"\"\n", authority.pem())
}

fn sinks(said: &Value) -> Vec<&str> {
    said["sinks"].as_array().into_iter().flatten().map(|sink| sink["state"].as_str().unwrap()).collect()
}

#[test]
fn rtmps_goes_to_servers_that_the_settings_trust_and_to_no_others() {
    if !have(&NEEDED_FOR_TLS) {
        return;
    }
    let (ours, theirs) = (Authority::new(), Authority::new());
    let good = Nginx::start_with_tls(&ours.server(LOCAL));
    let foreign = Nginx::start_with_tls(&theirs.server(LOCAL));
    let expired = Nginx::start_with_tls(&ours.expired(LOCAL));
    let misnamed = Nginx::start_with_tls(&ours.server("DNS:live.example.net"));
    let robot = Robot::go2(&SMALL);
    let push = [
        good.tls_url("localhost", KEY),
        good.tls_url("127.0.0.1", &format!("{KEY}2")),
        foreign.tls_url("localhost", KEY),
        expired.tls_url("localhost", KEY),
        misnamed.tls_url("localhost", KEY),
        good.closed_url(&format!("{KEY}3")),
    ];
    let front = stream("front", robot.source(), &push.each_ref().map(String::as_str), "");
    let mut product = Product::start_with(&[trusting(&ours), front], |run| {
        // All that can be logged.
        run.env("ROBOCAST_LOG", "trace");
    });
    let said = product.wait("front", "published twice and refused thrice", |said| {
        let states = sinks(said);
        said["state"] == "live"
            && states.len() == 6
            && states[..2] == ["publishing"; 2]
            && states[2..5] == ["refused"; 3]
    });
    for (index, why) in [(2, "UnknownIssuer"), (3, "Expired"), (4, "not valid for name")] {
        let text = said["sinks"][index]["text"].as_str().unwrap();
        println!("a wrong certificate: {text}");
        assert!(text.contains("certificate") && text.contains(why), "{text}");
    }
    wait(SOON, "frames over TLS", || {
        when((good.frames(KEY), good.frames(&format!("{KEY}2"))), |&(one, two)| one > 60 && two > 60)
    });
    good.one_connection(KEY).unwrap();
    for nginx in [&foreign, &expired, &misnamed] {
        assert!(nginx.connections(KEY).is_empty(), "published to a server that is not to be trusted");
    }

    let descendants = product.descendants();
    assert!(descendants.len() >= 2);
    for pid in descendants.into_iter().chain([product.process.pid()]) {
        let line = command_line(pid).join(" ");
        assert!(!line.contains(KEY), "the key is on a command line: {line}");
    }
    let (code, told, logged) = robocast_tests::process::run(product.place().robocast(&["status", "--json"]));
    assert!(code.is_some() && !told.is_empty());
    assert!(!format!("{told}{logged}").contains(KEY), "the key is in the status");
    assert!(product.end().success());
    assert_eq!(robot.sent_exactly(&good.recording(KEY).1), Ok(()));
    let output = product.process.output();
    assert!(output.contains("/live/***"), "the sinks are named");
    let line = output.lines().find(|line| line.contains(KEY));
    assert_eq!(line, None, "the key is in the output");
}

#[test]
fn rtmps_trusts_whom_ssl_cert_file_names() {
    if !have(&NEEDED_FOR_TLS) {
        return;
    }
    let authority = Authority::new();
    let nginx = Nginx::start_with_tls(&authority.server(LOCAL));
    let robot = Robot::go2(&SMALL);
    let sections = [stream("front", robot.source(), &[&nginx.tls_url("localhost", "front")], "")];
    let stranger = Product::start(&sections);
    let said = stranger.wait("front", "refused", |said| sinks(said) == ["refused"]);
    assert!(said["sinks"][0]["text"].as_str().unwrap().contains("certificate"), "{said}");
    assert_eq!(said["state"], "offline");
    drop(stranger);
    let product = Product::start_with(&sections, |run| {
        run.env("SSL_CERT_FILE", authority.path());
    });
    product.wait_state("front", "live");
    wait(SOON, "frames over TLS", || when(nginx.frames("front"), |&count| count > 30));
}
