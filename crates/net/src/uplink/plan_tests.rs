//! A model of NetworkManager that does what it is told.

use super::*;
use crate::uplink::modem::Modem;
use crate::uplink::profile::{self, MARK};
use proptest::prelude::*;
use robocast_config::{Access, Addressing, Wifi};
use std::collections::BTreeMap;
use std::path::Path;

/// Carries a step out on the facts.
fn done(facts: &mut Facts, step: &Step) {
    let known = |profile: &Profile, path: String| {
        let named = match profile.marked().get("user").and_then(|keys| keys.get("data")) {
            Some(Value::Named(named)) => named.get(MARK).cloned(),
            _ => None,
        };
        let secrets = profile.secrets().map(|(s, k, v)| ((s.to_owned(), k.to_owned()), v.clone())).collect();
        let (uuid, id, pin_tries) = (profile.uuid.clone(), profile.id.clone(), profile.pin_tries);
        Known { path, uuid, id, mark: named, pin_tries, secrets }
    };
    match step {
        Step::WriteFile(file) => {
            facts.files.insert(file.path.file_name().unwrap().to_string_lossy().into_owned());
        }
        Step::DeleteFile(name) => assert!(facts.files.remove(name)),
        Step::Unmanage { device, .. } => {
            facts.devices.iter_mut().filter(|d| d.path == *device).for_each(|d| d.managed = false);
        }
        Step::Add(profile) => facts.profiles.push(known(profile, format!("/new/{}", profile.id))),
        Step::Update { path, profile } => {
            let at = facts.profiles.iter_mut().find(|known| known.path == *path).unwrap();
            let before = std::mem::replace(at, known(profile, path.clone()));
            if at.secrets.is_empty() {
                // As NetworkManager does.
                at.secrets = before.secrets;
            }
        }
        Step::Activate { uuid, device, .. } => {
            let mark = facts.profiles.iter().find(|known| known.uuid == *uuid).unwrap().mark.clone();
            for other in facts.devices.iter_mut().filter(|d| d.profile.as_deref() == Some(uuid)) {
                other.profile = None;
            }
            let at = facts.devices.iter_mut().find(|d| d.path == *device).unwrap();
            assert!(at.managed, "nothing comes up on what is left alone");
            (at.profile, at.applied, at.state) = (Some(uuid.clone()), mark, state::ACTIVATED);
        }
        Step::Delete { path, .. } => {
            let at = facts.profiles.iter().position(|known| known.path == *path).unwrap();
            let gone = facts.profiles.remove(at);
            assert!(gone.mark.is_some(), "a stranger's profile is never touched");
            for device in facts.devices.iter_mut().filter(|d| d.profile.as_ref() == Some(&gone.uuid)) {
                (device.profile, device.applied, device.state) = (None, None, state::DISCONNECTED);
            }
        }
    }
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let wifi = (0..3_usize, prop::option::of("[a-z]{8}")).prop_map(|(number, password)| {
        let access = password.map_or(Access::Open, |p| Access::Personal(Secret::new(p)));
        let ip = Addressing::default();
        let wifi = Wifi { ssid: "Lab".into(), access, country: None, hidden: false, ip, metered: false };
        profile::wifi(&wifi, number, 0, Path::new("/files"))
    });
    let wire =
        ("eth[0-2]", any::<bool>(), prop::option::of("[a-c]")).prop_map(|(interface, fixed, file)| {
            let mut profile = profile::wired("robocast-ethernet", &interface, 1);
            if fixed {
                profile.set("ipv4", "method", "manual");
            }
            profile.files.extend(file.map(|name| File {
                path: Path::new("/files").join(name),
                content: Secret::new(String::new()),
            }));
            profile
        });
    let robot = prop::option::of("eth[0-2]");
    (prop::option::of(wifi), prop::option::of(wire), robot).prop_map(|(wifi, wire, robot)| {
        let profiles = wifi.into_iter().chain(wire).collect();
        Wanted { profiles, robot: robot.into_iter().collect(), ..Wanted::default() }
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let states = prop::sample::select(vec![20_u32, 30, 50, 100]);
    let devices = prop::collection::vec((states, any::<bool>(), any::<bool>()), 4).prop_map(|found| {
        let names = ["eth0", "eth1", "eth2", "wlan0"].into_iter().zip(found);
        let device = |(name, (state, managed, taken)): (&str, (u32, bool, bool))| Device {
            path: format!("/device/{name}"),
            interface: name.into(),
            link: name.into(),
            kind: Some(if name == "wlan0" { UplinkKind::Wifi } else { UplinkKind::Ethernet }),
            state,
            managed,
            profile: taken.then(|| "stranger".to_owned()),
            ..Device::default()
        };
        names.map(device).collect::<Vec<_>>()
    });
    (devices, prop::collection::btree_set("[a-e]", 0..3)).prop_map(|(devices, files)| {
        let stranger = Known { path: "/stranger".into(), uuid: "stranger".into(), ..Known::default() };
        Facts { devices, files, profiles: vec![stranger], ..Facts::default() }
    })
}

proptest! {
    #[test]
    fn a_plan_that_is_carried_out_leaves_nothing_to_do(
        mut facts in facts(), wishes in prop::collection::vec(wanted(), 1..5)
    ) {
        for wanted in &wishes {
            for step in plan(wanted, &facts) {
                prop_assert!(!step.to_string().is_empty());
                done(&mut facts, &step);
            }
            prop_assert_eq!(plan(wanted, &facts), [], "once is enough");
            prop_assert!(facts.profiles.iter().any(|known| known.path == "/stranger"));
            let ours = facts.profiles.iter().filter(|known| known.mark.is_some()).count();
            prop_assert_eq!(ours, wanted.profiles.len());
        }
    }
}

#[test]
fn what_is_at_work_in_an_older_form_is_brought_up_anew() {
    let profile = profile::wired("robocast-ethernet", "eth1", 0);
    let wanted = Wanted { profiles: vec![profile.clone()], ..Wanted::default() };
    let mut facts = Facts::default();
    done(&mut facts, &Step::Add(profile.clone()));
    let device = Device {
        path: "/d".into(),
        interface: "eth1".into(),
        kind: Some(UplinkKind::Ethernet),
        state: state::ACTIVATED,
        managed: true,
        profile: Some(profile.uuid.clone()),
        applied: Some("older".into()),
        ..Device::default()
    };
    facts.devices.push(device);
    let steps: Vec<_> = plan(&wanted, &facts).iter().map(Step::to_string).collect();
    assert_eq!(steps, ["use profile robocast-ethernet on eth1"]);
    facts.devices[0].applied = Some(profile.mark());
    assert_eq!(plan(&wanted, &facts), []);
}

#[test]
fn a_pin_that_was_wrong_is_held_back_until_it_is_another() {
    let lte = |pin: &str| {
        let pin = Some(Secret::new(pin.to_owned()));
        let (apn, username, password) = ("internet".to_owned(), None, None);
        let lte = robocast_config::Lte { apn, pin, username, password, roaming: false, metered: true };
        Wanted { profiles: vec![profile::lte(&lte, 0)], ..Wanted::default() }
    };
    let mut facts = Facts::default();
    let modem = |left| Modem { state: 2, lock: 2, retries: BTreeMap::from([(2, left)]), ..Modem::default() };
    let waits = |steps: &[Step]| match steps {
        [Step::Add(profile) | Step::Update { profile, .. }] => {
            profile.sections["connection"]["autoconnect"] == Value::Flag(false)
        }
        other => panic!("{other:?}"),
    };
    facts.modems = vec![modem(3)];
    let steps = plan(&lte("1111"), &facts);
    assert!(!waits(&steps));
    done(&mut facts, &steps[0]);
    facts.modems = vec![modem(2)];
    let steps = plan(&lte("1111"), &facts);
    assert!(waits(&steps));
    done(&mut facts, &steps[0]);
    assert_eq!(plan(&lte("1111"), &facts), []);
    // Another one gets its try; when that is gone it waits too.
    let steps = plan(&lte("2222"), &facts);
    assert!(!waits(&steps));
    done(&mut facts, &steps[0]);
    assert_eq!(plan(&lte("2222"), &facts), []);
    facts.modems = vec![modem(1)];
    let steps = plan(&lte("2222"), &facts);
    assert!(waits(&steps));
    done(&mut facts, &steps[0]);
    assert_eq!(plan(&lte("2222"), &facts), []);
    // Unlocked by hand: it is right after all.
    facts.modems = vec![modem(3)];
    assert!(!waits(&plan(&lte("2222"), &facts)));
}
