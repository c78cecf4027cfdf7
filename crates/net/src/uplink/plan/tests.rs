//! A model of NetworkManager that obeys every call.

use super::*;
use crate::uplink::modem::Modem;
use crate::uplink::profile::{self, DIGEST_KEY};
use proptest::prelude::*;
use robocast_config::{Access, Addressing, Wifi};
use std::collections::BTreeMap;
use std::path::Path;

/// Carries a step out on the facts.
fn done(observed: &mut ObservedUplinks, step: &UplinkStep) {
    let known = |profile: &UplinkProfile, path: String| {
        let named = match profile.with_digest().get("user").and_then(|keys| keys.get("data")) {
            Some(ProfileValue::Named(named)) => named.get(DIGEST_KEY).cloned(),
            _ => None,
        };
        let secrets = profile.secrets().map(|(s, k, v)| ((s.to_owned(), k.to_owned()), v.clone())).collect();
        let (uuid, id, pin_tries) = (profile.uuid.clone(), profile.id.clone(), profile.pin_tries);
        StoredProfile { path, uuid, id, digest: named, pin_tries, secrets }
    };
    match step {
        UplinkStep::WriteFile(file) => {
            observed.files.insert(file.path.file_name().unwrap().to_string_lossy().into_owned());
        }
        UplinkStep::DeleteFile(name) => assert!(observed.files.remove(name)),
        UplinkStep::Unmanage { device, .. } => {
            observed.devices.iter_mut().filter(|d| d.path == *device).for_each(|d| d.managed = false);
        }
        UplinkStep::Add(profile) => observed.profiles.push(known(profile, format!("/new/{}", profile.id))),
        UplinkStep::Update { path, profile } => {
            let at = observed.profiles.iter_mut().find(|known| known.path == *path).unwrap();
            let before = std::mem::replace(at, known(profile, path.clone()));
            if at.secrets.is_empty() {
                // As NetworkManager does.
                at.secrets = before.secrets;
            }
        }
        UplinkStep::Activate { uuid, device, .. } => {
            let digest = observed.profiles.iter().find(|known| known.uuid == *uuid).unwrap().digest.clone();
            for other in observed.devices.iter_mut().filter(|d| d.profile.as_deref() == Some(uuid)) {
                other.profile = None;
            }
            let at = observed.devices.iter_mut().find(|d| d.path == *device).unwrap();
            assert!(at.managed, "nothing comes up on what is left alone");
            (at.profile, at.applied, at.state) = (Some(uuid.clone()), digest, state::ACTIVATED);
        }
        UplinkStep::Delete { path, .. } => {
            let at = observed.profiles.iter().position(|known| known.path == *path).unwrap();
            let gone = observed.profiles.remove(at);
            assert!(gone.digest.is_some(), "a stranger's profile is never touched");
            for device in observed.devices.iter_mut().filter(|d| d.profile.as_ref() == Some(&gone.uuid)) {
                (device.profile, device.applied, device.state) = (None, None, state::DISCONNECTED);
            }
        }
    }
}

fn desired() -> impl Strategy<Value = DesiredUplinks> {
    let wifi = (0..3_usize, prop::option::of("[a-z]{8}")).prop_map(|(number, password)| {
        let access = password.map_or(Access::Open, |p| Access::Personal(Secret::new(p)));
        let ip = Addressing::default();
        let wifi = Wifi { ssid: "Lab".into(), access, country: None, hidden: false, ip, metered: false };
        profile::wifi(&wifi, number, 0, Path::new("/files"))
    });
    let wire = ("eth[0-2]", any::<bool>(), prop::option::of("[a-c]")).prop_map(|(interface, fixed, file)| {
        let mut profile = profile::wired("robocast-ethernet", &interface, 1);
        if fixed {
            profile.set("ipv4", "method", "manual");
        }
        profile.files.extend(file.map(|name| ProfileFile {
            path: Path::new("/files").join(name),
            content: Secret::new(String::new()),
        }));
        profile
    });
    let robot = prop::option::of("eth[0-2]");
    (prop::option::of(wifi), prop::option::of(wire), robot).prop_map(|(wifi, wire, robot)| {
        let profiles = wifi.into_iter().chain(wire).collect();
        DesiredUplinks { profiles, robot: robot.into_iter().collect(), ..DesiredUplinks::default() }
    })
}

fn observed() -> impl Strategy<Value = ObservedUplinks> {
    let states = prop::sample::select(vec![20_u32, 30, 50, 100]);
    let devices = prop::collection::vec((states, any::<bool>(), any::<bool>()), 4).prop_map(|found| {
        let names = ["eth0", "eth1", "eth2", "wlan0"].into_iter().zip(found);
        let device = |(name, (state, managed, taken)): (&str, (u32, bool, bool))| UplinkDevice {
            path: format!("/device/{name}"),
            interface: name.into(),
            link: name.into(),
            kind: Some(if name == "wlan0" { UplinkKind::Wifi } else { UplinkKind::Ethernet }),
            state,
            managed,
            profile: taken.then(|| "stranger".to_owned()),
            ..UplinkDevice::default()
        };
        names.map(device).collect::<Vec<_>>()
    });
    (devices, prop::collection::btree_set("[a-e]", 0..3)).prop_map(|(devices, files)| {
        let stranger =
            StoredProfile { path: "/stranger".into(), uuid: "stranger".into(), ..StoredProfile::default() };
        ObservedUplinks { devices, files, profiles: vec![stranger], ..ObservedUplinks::default() }
    })
}

proptest! {
    #[test]
    fn a_plan_that_is_carried_out_leaves_nothing_to_do(
        mut observed in observed(), wishes in prop::collection::vec(desired(), 1..5)
    ) {
        for desired in &wishes {
            for step in plan(desired, &observed) {
                prop_assert!(!step.to_string().is_empty());
                done(&mut observed, &step);
            }
            prop_assert_eq!(plan(desired, &observed), [], "once is enough");
            prop_assert!(observed.profiles.iter().any(|known| known.path == "/stranger"));
            let ours = observed.profiles.iter().filter(|known| known.digest.is_some()).count();
            prop_assert_eq!(ours, desired.profiles.len());
        }
    }
}

#[test]
fn an_active_profile_of_an_older_version_is_activated_again() {
    let profile = profile::wired("robocast-ethernet", "eth1", 0);
    let desired = DesiredUplinks { profiles: vec![profile.clone()], ..DesiredUplinks::default() };
    let mut observed = ObservedUplinks::default();
    done(&mut observed, &UplinkStep::Add(profile.clone()));
    let device = UplinkDevice {
        path: "/d".into(),
        interface: "eth1".into(),
        kind: Some(UplinkKind::Ethernet),
        state: state::ACTIVATED,
        managed: true,
        profile: Some(profile.uuid.clone()),
        applied: Some("older".into()),
        ..UplinkDevice::default()
    };
    observed.devices.push(device);
    let steps: Vec<_> = plan(&desired, &observed).iter().map(UplinkStep::to_string).collect();
    assert_eq!(steps, ["use profile robocast-ethernet on eth1"]);
    observed.devices[0].applied = Some(profile.digest());
    assert_eq!(plan(&desired, &observed), []);
}

#[test]
fn a_wrong_pin_is_not_tried_again_until_it_is_changed() {
    let lte = |pin: &str| {
        let pin = Some(Secret::new(pin.to_owned()));
        let (apn, username, password) = ("internet".to_owned(), None, None);
        let lte = robocast_config::Lte { apn, pin, username, password, roaming: false, metered: true };
        DesiredUplinks { profiles: vec![profile::lte(&lte, 0)], ..DesiredUplinks::default() }
    };
    let mut observed = ObservedUplinks::default();
    let modem = |left| Modem { state: 2, lock: 2, retries: BTreeMap::from([(2, left)]), ..Modem::default() };
    let waits = |steps: &[UplinkStep]| match steps {
        [UplinkStep::Add(profile) | UplinkStep::Update { profile, .. }] => {
            profile.sections["connection"]["autoconnect"] == ProfileValue::Flag(false)
        }
        other => panic!("{other:?}"),
    };
    observed.modems = vec![modem(3)];
    let steps = plan(&lte("1111"), &observed);
    assert!(!waits(&steps));
    done(&mut observed, &steps[0]);
    observed.modems = vec![modem(2)];
    let steps = plan(&lte("1111"), &observed);
    assert!(waits(&steps));
    done(&mut observed, &steps[0]);
    assert_eq!(plan(&lte("1111"), &observed), []);
    // Another one gets its try; when that is used up it waits too.
    let steps = plan(&lte("2222"), &observed);
    assert!(!waits(&steps));
    done(&mut observed, &steps[0]);
    assert_eq!(plan(&lte("2222"), &observed), []);
    observed.modems = vec![modem(1)];
    let steps = plan(&lte("2222"), &observed);
    assert!(waits(&steps));
    done(&mut observed, &steps[0]);
    assert_eq!(plan(&lte("2222"), &observed), []);
    // Unlocked by hand: it is right after all.
    observed.modems = vec![modem(3)];
    assert!(!waits(&plan(&lte("2222"), &observed)));
}
