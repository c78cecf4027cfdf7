//! `robocast support`: the contents of a bug report, and not one secret.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use robocast_tests::nginx::write;
use robocast_tests::process::{command, run};
use robocast_tests::product::Place;

/// Every secret contains the word SECRET, except the PIN.
const SETTINGS: &str = r#"schema = 1
[device]
name = "box-07"
[robot]
kind = "spot"
username = "operator"
password = "SECRETrobot"
[[stream]]
name = "front"
source = "spot:"
push = [
  "rtmps://live.example.net/app/SECRETkey%2F1?SECRETtoken&auth=SECRETauth",
  "srt://relay.example.net:8890?streamid=publish:SECRETid&passphrase=SECRETphrase",
  "rtsp://SECRETuser@relay.example.net/front?jwt=SECRETjwt",
]
[[uplink.wifi]]
ssid = "Lab"
password = "SECRET \"wifi\""
country = "US"
[uplink.lte]
apn = "internet"
pin = "76543210"
[control]
mqtt = "mqtts://broker.example.net"
username = "robot"
password = "SECRETmqtt"
[page]
password = "SECRETpage"
"#;

/// A journal in which programs were careless: every secret, in every form.
const JOURNAL: &str = r#"kernel: starts
app[1]: password=SECRETrobot and SECRET "wifi" (SECRET%20%22wifi%22) {"psk":"SECRET \"wifi\""}
app[2]: rtmps://live.example.net/app/SECRETkey%2F1?SECRETtoken&auth=SECRETauth SECRETkey/1
app[3]: pin 76543210 SECRETmqtt SECRETpage SECRETid SECRETphrase SECRETuser SECRETjwt
app[4]: AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQ
-----BEGIN PRIVATE KEY-----
SECRETmiddle
-----END PRIVATE KEY-----
app[5]: the last line
"#;

/// The files of an archive by name.
fn unpacked(archive: &Path) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut tar = command("tar");
    tar.arg("-xzf").arg(archive).arg("-C").arg(folder.path());
    assert_eq!(run(tar).0, Some(0));
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.path().to_owned()];
    while let Some(below) = folders.pop() {
        for entry in std::fs::read_dir(below).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder.path()).unwrap().display().to_string();
                let (_, name) = name.split_once('/').unwrap();
                found.insert(name.to_owned(), std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_support_bundle_tells_all_but_secrets() {
    let place = Place::new("");
    let state = place.provision(SETTINGS).parent().unwrap().to_owned();
    let older = SETTINGS.replace("SECRETpage", "SECRETolder");
    write(&state.join("settings.proven.toml"), &older);
    for folder in ["keys", "receipts", "programs"] {
        std::fs::create_dir_all(state.join(folder)).unwrap();
    }
    write(&state.join("keys/box.age"), "AGE-SECRET-KEY-1QQ\n");
    write(&state.join("receipts/2026-11-21.txt"), "robocast box-07: SECRETolder was refused\n");
    // Stand-ins: this machine's own journal is private.
    let programs = state.join("programs");
    for name in ["journalctl", "ip", "nmcli", "resolvectl", "rauc"] {
        let path = programs.join(name);
        write(&path, &format!("#!/bin/sh\necho \"$0 $*\"\ncat <<'END'\n{JOURNAL}END\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let to = tempfile::tempdir().unwrap();
    let mut support = place.robocast(&["support", &to.path().display().to_string()]);
    let path = std::env::var("PATH").unwrap_or_default();
    support.env("PATH", format!("{}:{path}", programs.display()));
    let (code, told, errors) = run(support);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let archive = Path::new(told.trim());
    let name = archive.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("robocast-support-box-07-") && name.ends_with(".tar.gz"), "{name}");
    assert_eq!(archive.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(archive.metadata().unwrap().len() < 1 << 20);

    let files = unpacked(archive);
    for (file, text) in &files {
        for line in text.lines() {
            assert!(!line.contains("SECRET") && !line.contains("76543210"), "{file}: {line}");
        }
    }
    for (file, words) in [
        ("README.txt", "passwords"),
        ("versions.txt", "robocast "),
        ("settings.toml", "ssid = \"Lab\""),
        ("settings.proven.toml", "username = \"operator\""),
        ("status.json", "net:"),
        ("network.txt", "== ip -details address"),
        ("updates.txt", "== rauc status"),
        ("journal.txt", "app[5]: the last line"),
        ("receipts/2026-11-21.txt", "*** was refused"),
    ] {
        let text = files.get(file).unwrap_or_else(|| panic!("{file} is missing: {:?}", files.keys()));
        assert!(text.to_lowercase().contains(&words.to_lowercase()), "{file} lacks {words}: {text}");
    }
    assert_eq!(files.len(), 9, "{:?}", files.keys());
}

#[test]
fn a_box_without_settings_can_be_looked_into_too() {
    let place = Place::new("");
    let to = tempfile::tempdir().unwrap();
    let (code, told, _) = run(place.robocast(&["support", &to.path().display().to_string()]));
    assert_eq!(code, Some(0));
    assert!(told.contains("robocast-support-robocast-"), "{told}");
    assert!(!unpacked(Path::new(told.trim())).contains_key("settings.toml"));
}

#[test]
fn settings_that_are_not_valid_are_not_shown() {
    let place = Place::new("");
    place.provision("schema = 1\n[page]\npassword = SECRETbare\n");
    let to = tempfile::tempdir().unwrap();
    let (code, told, _) = run(place.robocast(&["support", &to.path().display().to_string()]));
    assert_eq!(code, Some(0));
    let files = unpacked(Path::new(told.trim()));
    assert!(files["settings.toml"].contains("not valid, and so not shown"), "{}", files["settings.toml"]);
    assert!(!files["settings.toml"].contains("SECRET"));
}
