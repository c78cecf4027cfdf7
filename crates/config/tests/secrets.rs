//! No secret is ever printed.

use robocast_config::{Access, Problem, Secret, Settings, SinkTarget, Unseal, check, parse, parse_with};

/// Each secret has its own `SECRET` word.
const DOCUMENT: &str = r#"schema = 1
[robot]
kind = "spot"
username = "operator"
password = "SECRETrobot"
[[stream]]
name = "front"
source = "spot:"
push = [
  "rtmps://h/app/SECRETkey?SECRETtoken&auth=SECRETauth",
  "srt://h:8890?streamid=publish:SECRETid&passphrase=SECRETphrase",
  "whips://h/SECRETfirst/publish",
  "rtsp://SECRETuser@h/front?jwt=SECRETjwt",
]
[[stream]]
name = "rear"
source = "rtsp://SECRETuser:SECRETpass@h/user=a_password=SECRETpath?auth=SECRETauth&transport=tcp"
[[uplink.wifi]]
ssid = "Lab"
password = "SECRETwifi"
[[uplink.wifi]]
ssid = "Office"
eap = "peap"
identity = "robot"
password = "SECRETpeap"
[[uplink.wifi]]
ssid = "Plant"
eap = "tls"
identity = "robot"
certificate = """
-----BEGIN CERTIFICATE-----
AAAA
-----END CERTIFICATE-----
"""
private_key = """
-----BEGIN PRIVATE KEY-----
SECRETkeyofplant
-----END PRIVATE KEY-----
"""
[uplink.lte]
apn = "internet"
pin = "76543210"
username = "user"
password = "SECRETlte"
[control]
mqtt = "mqtts://h"
username = "robot"
password = "SECRETmqtt"
[page]
password = "SECRETpage"
"#;

fn settings() -> Settings {
    parse(DOCUMENT.as_bytes()).expect("valid").settings
}

#[track_caller]
fn clean(shown: &str) {
    assert!(!shown.contains("SECRET") && !shown.contains("76543210"), "{shown}");
}

#[test]
fn no_debug_output_holds_a_secret() {
    let settings = settings();
    let shown = format!("{settings:?}{settings:#?}");
    clean(&shown);
    assert!(shown.contains("***") && shown.contains("operator"), "the test looks at real output");
    for stream in &settings.streams {
        clean(&format!("{:?} {} {:#?}", stream, stream.source, stream.source));
        for sink in &stream.push {
            clean(&format!("{sink} {sink:?} {:?} {:?} {:?}", sink.url, sink.as_written(), sink.target));
        }
    }
    let uplink = &settings.uplink;
    clean(&format!("{:?} {:?} {:?} {:?}", settings.robot, uplink.wifi, uplink.lte, uplink));
    clean(&format!("{:?} {:?}", settings.control, settings.page));
    let secret = Secret::new("SECRET".to_owned());
    clean(&format!("{secret} {secret:?} {secret:#?} {secret:>10}"));
    assert_eq!(secret.expose(), "SECRET");
}

#[test]
fn the_secrets_can_be_read_where_they_are_needed() {
    let settings = settings();
    assert_eq!(settings.robot.password.as_ref().map(|p| p.expose().as_str()), Some("SECRETrobot"));
    let SinkTarget::Rtmp(target) = &settings.streams[0].push[0].target else { panic!("not RTMP") };
    assert_eq!(target.stream.expose(), "SECRETkey?SECRETtoken&auth=SECRETauth");
}

/// All problems of a document, with excerpts.
fn report(document: &str) -> String {
    match parse(document.as_bytes()) {
        Ok(checked) => checked.warnings.iter().map(|w| w.render("f", document, true)).collect(),
        Err(problems) => format!("{problems} {problems:?} {}", problems.render("f", document, false)),
    }
}

#[test]
fn no_message_about_a_bad_secret_holds_it() {
    for (line, bad) in [
        ("password = \"SECRETrobot\"", "password = \"SECRETro\" \"bot\""),
        ("password = \"SECRETrobot\"", "password = SECRETrobot"),
        ("password = \"SECRETrobot\"", "password = \"SECRETrobot"),
        ("password = \"SECRETrobot\"", "password = [\"SECRETrobot\"]"),
        ("password = \"SECRETrobot\"", "password = { sealed = \"SECRETrobot\" }"),
        ("password = \"SECRETrobot\"", "password = { plain = \"SECRETrobot\" }"),
        ("password = \"SECRETrobot\"", "passwrd = \"SECRETrobot\""),
        ("password = \"SECRETrobot\"", "password = \"SECRETrobot\"\npassword = \"SECRETother\""),
        ("password = \"SECRETrobot\"", "password: SECRETrobot"),
        ("password = \"SECRETrobot\"", "password SECRETrobot"),
        ("password = \"SECRETrobot\"", "password = \"SECRET\\robot\\q\""),
        ("password = \"SECRETwifi\"", "password = \"SECRET\""),
        ("password = \"SECRETwifi\"", "password = \"SECRETü§$%&wifi\""),
        ("password = \"SECRETpeap\"", "password = [\"SECRETpeap\"]"),
        ("eap = \"peap\"", "eap = \"tls\""),
        ("eap = \"tls\"", "eap = \"peap\""),
        ("BEGIN PRIVATE KEY", "BEGIN ENCRYPTED PRIVATE KEY"),
        ("-----END PRIVATE KEY-----", ""),
        ("-----BEGIN PRIVATE KEY-----", ""),
        ("AAAA", "-----BEGIN PRIVATE KEY-----"),
        ("pin = \"76543210\"", "pin = 76543210"),
        ("pin = \"76543210\"", "pin = \"765432101\""),
        ("pin = \"76543210\"", "pin = 076543210"),
        ("password = \"SECRETpage\"", "password = \"SECRE\""),
        ("rtmps://", "rtpms://"),
        ("://h/app/SECRETkey", "://SECRETuser:SECRETpass@h/app/SECRETkey"),
        ("//h/app/SECRETkey", "//h"),
        ("//h/app/SECRETkey", "//SECRETuser:SECRETpass@h:x/app/SECRETkey"),
        ("//h/app/SECRETkey", "//SECRETuser@/app/SECRETkey"),
        ("//h/app/SECRETkey", "//h/app/SECRET key"),
        ("rtmps://", "https://"),
        ("rtmps://", ""),
        ("\"srt://h:8890", "\"srt://h"),
        ("\"srt://h:8890", "\"rtmps://h/app/SECRETkey?SECRETtoken&auth=SECRETauth\", \"srt://h:1"),
        ("source = \"rtsp://", "source = \"rtps://"),
        ("source = \"rtsp://", "source = \"http://"),
        ("source = \"rtsp://", "source = \""),
        ("&transport=tcp", "&transport=no"),
        ("mqtts://h", "mqtts://robot:SECRETmqtt@h"),
        ("mqtts://h", "mqtts://h?SECRETtoken"),
        ("mqtts://h", "mqtt://h"),
        ("[page]", "[page"),
        ("push = [", "push = "),
        ("push = [", "push = [[\"SECRET\"],"),
        ("\n]\n", "\n"),
        ("schema = 1", "schema = 2"),
    ] {
        let document = DOCUMENT.replace(line, bad);
        assert_ne!(document, DOCUMENT, "{line}");
        let report = report(&document);
        assert!(!report.is_empty(), "{bad}");
        clean(&report);
    }
}

#[test]
fn an_excerpt_shows_a_line_without_secrets() {
    let document = "schema = 1\n[device]\nname = \"Front\"\n";
    let shown = report(document);
    assert!(shown.ends_with(
        "f:3:8: error: the name `Front` has characters other than a-z, 0-9 and `-`\n  |\n3 | name = \"Front\"\n  |        ^^^^^^^\n  hint: use 1 to 32 characters: a-z, 0-9 and `-`, but no `-` at either end, such as \"spot-07\"\n"
    ), "{shown}");
}

#[test]
fn certificates_are_not_secret_but_their_lines_are_not_shown() {
    let document = "schema = 1\n[tls]\nca = \"\"\"\n-----BEGIN PRIVATE KEY-----\nSECRET\n\"\"\"\n";
    clean(&report(document));
    clean(&report(&document.replace("\"\"\"", "")));
}

struct Reverse;

impl Unseal for Reverse {
    fn unseal(&self, sealed: &str) -> Result<String, String> {
        if sealed == "broken" {
            return Err("it was sealed to another box".to_owned());
        }
        Ok(sealed.chars().rev().collect())
    }
}

const SEALED: &str = r#"schema = 1
[page]
password = { sealed = "terces" }
[[uplink.wifi]]
ssid = "Lab"
password.sealed = "terces-apw"
[[stream]]
name = "a"
source = { sealed = "/h@p:u//:pstr" }
push = [{ sealed = "yek/ppa/h//:pmtr" }]
"#;

#[test]
fn sealed_values_are_opened_on_their_box() {
    let settings = parse_with(SEALED.as_bytes(), &Reverse).expect("valid").settings;
    assert_eq!(settings.page.expect("a page").password.expose(), "secret");
    assert_eq!(settings.uplink.wifi[0].access, Access::Personal(Secret::new("wpa-secret".to_owned())));
    assert_eq!(settings.streams[0].push[0].as_written().expose(), "rtmp://h/app/key");
    assert_eq!(settings.streams[0].source.to_string(), "rtsp://***@h/");
}

#[test]
fn sealed_values_are_assumed_to_be_valid_elsewhere() {
    assert_eq!(check(SEALED.as_bytes()), Ok(vec![]));
    let problems = parse(SEALED.as_bytes()).expect_err("sealed");
    let places: Vec<_> = problems.iter().map(|p| (p.line, p.column)).collect();
    assert_eq!(places, [(3, 12), (6, 1), (9, 10), (10, 9)]);
}

#[test]
fn a_badly_sealed_value_is_reported_at_its_place() {
    let message = |document: &str| -> Vec<String> {
        let problems = parse_with(document.as_bytes(), &Reverse).expect_err("bad");
        problems.iter().map(|p: &Problem| format!("{}:{}: {}", p.line, p.column, p.message)).collect()
    };
    assert_eq!(
        message("schema = 1\npage.password = { sealed = \"broken\" }\n"),
        ["2:17: this value cannot be unsealed: it was sealed to another box"]
    );
    assert_eq!(
        message("schema = 1\npage.password = { sealed = \"abc\" }\n"),
        ["2:17: the page's password has only 3 characters"]
    );
    assert!(check(b"schema = 1\npage.password = { sealed = 3 }\n").is_err());
}
