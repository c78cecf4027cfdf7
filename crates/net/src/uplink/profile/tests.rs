//! The digest of a profile, by a golden value and by what changes it.

use super::*;

fn lab() -> Wifi {
    Wifi {
        ssid: "Lab".into(),
        access: Access::Personal(Secret::new("password".into())),
        country: None,
        hidden: false,
        ip: Addressing {
            address: Some("10.0.0.2/24".parse().unwrap()),
            gateway: Some("10.0.0.1".parse().unwrap()),
            dns: vec!["10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        },
        metered: false,
    }
}

fn digest(network: &Wifi) -> String {
    wifi(network, 0, 0, Path::new("/files")).digest()
}

#[test]
fn the_digest_is_this_value_in_every_release() {
    // On a box it is part of NetworkManager's profiles: a change makes it write and activate all of them again.
    let text = "robocast profile 1\nwifi\nwifi.hidden=b:true\nwifi.ssid=ay:4c6162\n";
    let mut profile = wired("id", "eth1", 0);
    profile.sections = Sections::new();
    profile.set("wifi", "ssid", ProfileValue::Bytes(b"Lab".to_vec()));
    profile.set("wifi", "hidden", ProfileValue::Flag(true));
    assert_eq!(profile.digest(), crate::digest::sha256_hex(text.as_bytes()));
    assert_eq!(digest(&lab()), "351bd4cac13156db29e699cc5570bd4fbc844c524cdfb294839553acc78e780f");
}

#[test]
fn every_change_but_a_secrets_changes_the_digest() {
    let same = Wifi { access: Access::Personal(Secret::new("another".into())), ..lab() };
    assert_eq!(digest(&same), digest(&lab()), "a digest of a password could be guessed");
    let ip = |change: fn(&mut Addressing)| {
        let mut network = lab();
        change(&mut network.ip);
        network
    };
    let others = [
        lab(),
        Wifi { ssid: "Lab2".into(), ..lab() },
        Wifi { access: Access::Open, ..lab() },
        Wifi { hidden: true, ..lab() },
        Wifi { metered: true, ..lab() },
        ip(|ip| ip.address = None),
        ip(|ip| ip.gateway = None),
        ip(|ip| ip.dns.truncate(1)),
    ];
    for (number, one) in others.iter().enumerate() {
        assert!(others[..number].iter().all(|other| digest(other) != digest(one)), "{one:?}");
    }
}

#[test]
fn lists_cannot_be_confused() {
    let texts = |all: &[&str]| ProfileValue::Texts(all.iter().map(|one| (*one).to_owned()).collect()).text();
    let all = [texts(&["a", "b"]), texts(&["a\"\"b"]), texts(&["a\\\"", "b"]), texts(&["ab"]), texts(&[])];
    for (number, one) in all.iter().enumerate() {
        assert!(!all[..number].contains(one), "{one}");
    }
}
