//! The side against NetworkManager.

use crate::world::{World, ip, nmcli, out, world};
use robocast_net::uplink::profile::{self, ProfileValue, UplinkProfile};
use robocast_net::uplink::{DesiredUplinks, UplinkManager, UplinkOutcome, prefer_endpoints, renew_endpoints};
use robocast_tests::waiting::{SOON, wait, when};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(6);

/// A wired profile with a fixed address.
pub fn fixed(id: &str, interface: &str, place: usize, address: &str, gateway: &str) -> UplinkProfile {
    let mut profile = profile::wired(id, interface, place);
    profile.set("ipv4", "method", "manual");
    profile.set("ipv4", "address-data", ProfileValue::Addresses(vec![(address.parse().unwrap(), 24)]));
    profile.set("ipv4", "gateway", gateway);
    profile.set("ipv6", "method", "disabled");
    profile
}

/// Two uplinks: `wl0` takes the part of the radio, and is preferred.
pub fn two(world: &World) -> DesiredUplinks {
    let profiles = vec![
        fixed("robocast-wifi-0", "wl0", 0, "10.1.0.2", "10.1.0.1"),
        fixed("robocast-ethernet", "eth1", 1, "10.2.0.2", "10.2.0.1"),
    ];
    DesiredUplinks {
        profiles,
        robot: vec!["eth0".into()],
        folder: world.folder(),
        ..DesiredUplinks::default()
    }
}

pub async fn well(side: &mut UplinkManager, desired: &DesiredUplinks) -> UplinkOutcome {
    let outcome = side.converge(desired).await;
    assert!(outcome.proven, "{outcome:?}\n{}", side.problems().join("\n"));
    outcome
}

#[test]
fn profiles_are_added_once_and_carry_routes_and_mptcp() {
    world(async |world| {
        let stranger = "con add type ethernet ifname nothing con-name stranger autoconnect no";
        nmcli(stranger);
        let desired = two(world);
        let mut side = UplinkManager::new(PATIENCE);
        let outcome = well(&mut side, &desired).await;
        assert_eq!(outcome.steps.len(), 3, "{:?}", outcome.steps);
        assert!(outcome.steps[0].contains("leave eth0 alone"), "{:?}", outcome.steps);
        world.until("both are up", || side_up(&["wl0", "eth1"])).await;
        // The second run, of this program and of another, does nothing.
        assert_eq!(well(&mut side, &desired).await.steps, [] as [&str; 0]);
        let mut other = UplinkManager::new(PATIENCE);
        assert_eq!(well(&mut other, &desired).await.steps, [] as [&str; 0]);
        let routes = ip("-4 route show default");
        assert!(routes.contains("dev wl0 proto static metric 10"), "{routes}");
        assert!(routes.contains("dev eth1 proto static metric 20"), "{routes}");
        let endpoints = ip("mptcp endpoint");
        assert!(
            endpoints.lines().any(|l| l.contains("10.1.0.2") && l.contains("subflow dev wl0")),
            "{endpoints}"
        );
        assert!(
            endpoints.lines().any(|l| l.contains("10.2.0.2") && l.contains("subflow backup dev eth1")),
            "{endpoints}"
        );
        assert!(ip("mptcp limits").contains("subflows 4"), "{}", ip("mptcp limits"));
        // MPTCP prefers the chosen one, whatever the order, and the first one again once that is chosen.
        for (chosen, other) in [("eth1", "wl0"), ("wl0", "eth1")] {
            prefer_endpoints(chosen, &[other.to_owned()]).await.unwrap();
            let endpoints = ip("mptcp endpoint");
            let backup = |name: &str| {
                endpoints.lines().any(|l| l.contains("backup") && l.contains(&format!("dev {name}")))
            };
            assert!(!backup(chosen) && backup(other), "{endpoints}");
        }
        // A renewed endpoint is as it was, and the other one is not changed.
        let before = ip("mptcp endpoint");
        renew_endpoints("eth1").await.unwrap();
        let sorted = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(sorted(&ip("mptcp endpoint")), sorted(&before));
        assert!(nmcli("-t -f DEVICE,STATE device").contains("eth0:unmanaged"));
        for file in std::fs::read_dir("/etc/NetworkManager/system-connections").unwrap() {
            use std::os::unix::fs::PermissionsExt;
            let mode = file.as_ref().unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file:?}");
        }
        let view = other.statuses(Some("wl0"));
        assert_eq!(
            (view[0].interface.as_str(), view[0].chosen, view[0].address.as_str()),
            ("wl0", true, "10.1.0.2")
        );
        assert_eq!(other.links(), [("wl0".to_owned(), true), ("eth1".to_owned(), true)]);
        // Profiles that are no longer wanted are deleted; those that are not ours stay.
        let outcome =
            well(&mut side, &DesiredUplinks { profiles: desired.profiles[..1].to_vec(), ..desired }).await;
        assert_eq!(outcome.steps, ["delete profile robocast-ethernet"]);
        let names = nmcli("-t -f NAME con");
        assert!(names.contains("stranger") && !names.contains("robocast-ethernet"), "{names}");
    });
}

pub fn side_up(interfaces: &[&str]) -> bool {
    let said = nmcli("-t -f DEVICE,STATE device");
    interfaces.iter().all(|name| said.contains(&format!("{name}:connected\n")))
}

const EVERY_KIND: &str = r#"schema = 1
[[uplink.wifi]]
ssid = "Lab"
password = "lab-password"
hidden = true
address = "10.0.0.2/24"
gateway = "10.0.0.1"
dns = ["10.0.0.1", "2001:db8::1"]
[[uplink.wifi]]
ssid = "Hall"
[[uplink.wifi]]
ssid = "Office"
eap = "peap"
identity = "robot"
password = "office-password"
[[uplink.wifi]]
ssid = "Plant"
eap = "tls"
identity = "robot"
ca = """
CA"""
certificate = """
CA"""
private_key = """
KEY"""
[uplink.lte]
apn = "internet"
pin = "1234"
username = "user"
password = "lte-password"
roaming = true
[uplink.ethernet]
interface = "eth1"
address = "2001:db8::2/64"
"#;

#[test]
fn every_kind_of_profile_is_taken_as_it_is_and_not_written_twice() {
    world(async |world| {
        out(
            "openssl",
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-subj",
                "/CN=robot",
                "-keyout",
                "/run/key",
                "-out",
                "/run/certificate",
            ],
        );
        let read = |path: &str| std::fs::read_to_string(path).unwrap();
        let text =
            EVERY_KIND.replace("CA\"", &(read("/run/certificate") + "\"")).replace("KEY", &read("/run/key"));
        let checked = robocast_config::parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        let desired = DesiredUplinks::of(&checked.settings, std::path::Path::new("/run/robocast"));
        let shown =
            format!("{desired:?} {:?}", robocast_net::uplink::plan::plan(&desired, &Default::default()));
        for secret in ["lab-password", "office-password", "lte-password", "1234\"", "PRIVATE KEY"] {
            assert!(!shown.contains(secret), "{secret} is shown");
        }
        let mut side = UplinkManager::new(PATIENCE);
        let outcome = well(&mut side, &desired).await;
        assert_eq!(outcome.steps.len(), 9, "three files, six profiles: {outcome:?}");
        assert_eq!(well(&mut side, &desired).await.steps, [] as [&str; 0]);
        assert_eq!(well(&mut UplinkManager::new(PATIENCE), &desired).await.steps, [] as [&str; 0]);
        let of = |id: &str, keys: &str| {
            nmcli(&format!("--show-secrets -g {keys} con show {id}")).replace('\n', "|")
        };
        // A busy NetworkManager may return all but the secrets.
        let is = |id: &str, keys: &str, expected: &str| {
            wait(SOON, id, || when(of(id, keys), |told| told == expected));
        };
        is(
            "robocast-wifi-0",
            "802-11-wireless-security.key-mgmt,802-11-wireless-security.psk,802-11-wireless.hidden,802-11-wireless.powersave,ipv4.addresses,ipv4.dns,ipv6.dns,connection.metered,connection.autoconnect-retries",
            "wpa-psk|lab-password|yes|disable|10.0.0.2/24|10.0.0.1|2001\\:db8\\:\\:1|no|0|",
        );
        is(
            "robocast-wifi-2",
            "802-11-wireless-security.key-mgmt,802-1x.eap,802-1x.phase2-auth,802-1x.password",
            "wpa-eap|peap|mschapv2|office-password|",
        );
        is(
            "robocast-lte",
            "gsm.apn,gsm.pin,gsm.home-only,gsm.password,connection.metered,ipv4.route-metric",
            "internet|1234|no|lte-password|yes|20|",
        );
        assert!(
            side.statuses(None)
                .iter()
                .any(|view| view.name == "Wi-Fi Lab" && view.text.contains("no Wi-Fi radio"))
        );
        // A new password changes only that profile; a certificate that no profile names is deleted.
        let text =
            text.replace("lab-password", "new-password").replace("eap = \"tls\"", "#").replace("ca = ", "#");
        let text = text.split("[[uplink.wifi]]").filter(|part| !part.contains("Plant")).collect::<Vec<_>>();
        let text = text.join("[[uplink.wifi]]") + "[uplink.lte]\napn = \"internet\"\n";
        let checked = robocast_config::parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        let desired = DesiredUplinks::of(&checked.settings, std::path::Path::new("/run/robocast"));
        let outcome = well(&mut side, &desired).await;
        let steps = outcome.steps.join("\n");
        assert!(
            steps.contains("change profile robocast-wifi-0") && !steps.contains("robocast-wifi-2"),
            "{steps}"
        );
        assert!(steps.contains("delete profile robocast-wifi-3"), "{steps}");
        // Secrets that are not in the settings any more are nowhere.
        assert_eq!(of("robocast-lte", "gsm.apn,gsm.pin,gsm.password"), "internet|||");
        assert_eq!(std::fs::read_dir(world.folder()).unwrap().count(), 0);
    });
}

#[test]
fn changed_settings_come_into_force_and_those_that_cut_the_box_off_are_rolled_back() {
    world(async |world| {
        world.address("wl0", "10.1.0.1/24");
        world.serve("wl0", "10.1.0.1", 1935);
        let mut desired = two(world);
        desired.profiles.truncate(1);
        desired.targets =
            vec![robocast_net::uplink::desired::ProbeTarget { host: "10.1.0.1".into(), port: Some(1935) }];
        let mut side = UplinkManager::new(PATIENCE);
        well(&mut side, &desired).await;
        world.until("wl0 is up", || side_up(&["wl0"])).await;
        // Another address that works.
        let mut better = desired.clone();
        better.profiles[0] = fixed("robocast-wifi-0", "wl0", 0, "10.1.0.3", "10.1.0.1");
        let outcome = well(&mut side, &better).await;
        assert_eq!(
            outcome.steps,
            ["change profile robocast-wifi-0 (ethernet wl0)", "use profile robocast-wifi-0 on wl0"]
        );
        assert!(ip("-4 address show dev wl0").contains("10.1.0.3/24"));
        assert_eq!(well(&mut side, &better).await.steps, [] as [&str; 0]);
        // An address from which no server is reached, with a restarted program: only the checkpoint has the previous state.
        let mut side = UplinkManager::new(PATIENCE);
        let mut worse = desired.clone();
        worse.profiles[0] = fixed("robocast-wifi-0", "wl0", 0, "10.9.0.3", "10.9.0.1");
        let outcome = side.converge(&worse).await;
        assert!(!outcome.proven && outcome.text.contains("rolled back"), "{outcome:?}");
        assert!(outcome.text.contains("no server was reached any more within 6 s"), "{outcome:?}");
        world
            .until("the old address is back", || ip("-4 address show dev wl0").contains("10.1.0.3/24"))
            .await;
        assert!(nmcli("-g ipv4.addresses con show robocast-wifi-0").contains("10.1.0.3"), "on disk too");
        // It is not tried again while something works, and the settings of before are so without a step.
        world.until("wl0 is up", || side_up(&["wl0"])).await;
        let again = side.converge(&worse).await;
        assert!(!again.proven && again.steps.is_empty() && again.text.contains("rolled back"), "{again:?}");
        assert_eq!(well(&mut side, &better).await.steps, [] as [&str; 0]);
    });
}

#[test]
fn a_manager_that_is_killed_is_waited_for_and_found_again() {
    world(async |world| {
        let desired = two(world);
        let mut side = UplinkManager::new(PATIENCE);
        well(&mut side, &desired).await;
        world.until("both are up", || side_up(&["wl0", "eth1"])).await;
        side.refresh().await.unwrap();
        world.kill_manager();
        tokio::time::timeout(PATIENCE, side.changed()).await.expect("its end is a signal");
        let outcome = side.converge(&desired).await;
        assert!(!outcome.proven && outcome.text.contains("NetworkManager does not run"), "{outcome:?}");
        assert!(outcome.again.is_some_and(|again| again < Duration::from_secs(60)));
        // The streams continue: the routes stay without it.
        assert!(ip("-4 route show default").contains("dev wl0"));
        world.start_manager();
        tokio::time::timeout(PATIENCE, side.changed()).await.expect("its start is a signal");
        world.until("both are up", || side_up(&["wl0", "eth1"])).await;
        well(&mut side, &desired).await;
        assert_eq!(well(&mut side, &desired).await.steps, [] as [&str; 0]);
    });
}

#[test]
fn settings_that_the_manager_refuses_change_nothing_and_a_bus_that_is_gone_is_said() {
    world(async |world| {
        let desired = two(world);
        let mut side = UplinkManager::new(PATIENCE);
        well(&mut side, &desired).await;
        world.until("both are up", || side_up(&["wl0", "eth1"])).await;
        let mut refused = desired.clone();
        refused.profiles[0] = fixed("robocast-wifi-0", "wl0", 0, "10.1.0.7", "10.1.0.1");
        refused.profiles[1].set("connection", "autoconnect-retries", ProfileValue::from("never"));
        let outcome = side.converge(&refused).await;
        assert!(!outcome.proven, "{outcome:?}");
        let why = "NetworkManager does not change profile robocast-ethernet";
        assert!(outcome.text.contains(why), "{outcome:?}");
        world
            .until("the old address is back", || {
                side_up(&["wl0"]) && ip("-4 address show dev wl0").contains("10.1.0.2/24")
            })
            .await;
        assert_eq!(well(&mut side, &desired).await.steps, [] as [&str; 0]);
        world.kill_bus();
        tokio::time::timeout(PATIENCE, side.changed()).await.expect("its end is seen");
        let outcome = side.converge(&desired).await;
        assert!(outcome.text.contains("there is no system bus"), "{outcome:?}");
        assert!(outcome.again.is_some());
        assert!(ip("-4 route show default").contains("dev wl0"), "what stands stands");
        world.kill_manager();
        world.start_bus();
        world.start_manager();
        world.until("both are up", || side_up(&["wl0", "eth1"])).await;
        assert!(well(&mut side, &desired).await.steps.is_empty());
    });
}

#[test]
fn two_uplinks_with_one_address_are_named_and_a_flapping_link_is_followed() {
    world(async |world| {
        let mut desired = two(world);
        desired.profiles[1] = fixed("robocast-ethernet", "eth1", 1, "10.1.0.2", "10.1.0.1");
        let mut side = UplinkManager::new(PATIENCE);
        side.converge(&desired).await;
        world.until("both are up", || side_up(&["wl0", "eth1"])).await;
        let outcome = well(&mut side, &desired).await;
        assert!(outcome.text.contains("have the same address 10.1.0.2"), "{outcome:?}");
        assert!(
            side.problems().iter().any(|line| line.contains("the same address")),
            "{:?}",
            side.problems()
        );
        for _ in 0..5 {
            ip("link set dev far-wl0 down");
            until_link(&mut side, false).await;
            ip("link set dev far-wl0 up");
            until_link(&mut side, true).await;
        }
        assert_eq!(well(&mut side, &desired).await.steps, [] as [&str; 0]);
    });
}

/// Follows the signals until `wl0` is (not) usable.
async fn until_link(side: &mut UplinkManager, usable: bool) {
    let seen = tokio::time::timeout(Duration::from_secs(15), async {
        loop {
            side.refresh().await.unwrap();
            if side.links().contains(&("wl0".to_owned(), usable)) {
                return;
            }
            side.changed().await;
        }
    });
    seen.await.unwrap_or_else(|_| panic!("wl0 is not usable={usable}: {:?}", side.links()));
}

#[test]
fn an_address_server_that_lies_takes_nothing_that_works() {
    world(async |world| {
        // A router outside its own network, a lease of two minutes, and a name server that does not exist.
        world.address("eth1", "10.2.0.1/24");
        world.address_server(
            "eth1",
            &["10.2.0.50,10.2.0.60,255.255.255.0,2m"],
            &["3,203.0.113.99", "6,203.0.113.98"],
        );
        let mut desired = two(world);
        desired.profiles[1] = profile::wired("robocast-ethernet", "eth1", 1);
        let mut side = UplinkManager::new(PATIENCE);
        well(&mut side, &desired).await;
        world.until("both are up", || side_up(&["wl0", "eth1"])).await;
        let routes = ip("-4 route show default");
        assert!(routes.starts_with("default via 10.1.0.1 dev wl0 proto static metric 10"), "{routes}");
        assert_eq!(well(&mut side, &desired).await.steps, [] as [&str; 0]);
        let egress = side.egress("eth1").unwrap();
        assert_eq!(egress.dns, ["203.0.113.98".parse::<std::net::IpAddr>().unwrap()]);
        let target =
            robocast_net::uplink::desired::ProbeTarget { host: "live.example.net".into(), port: Some(1935) };
        let probed = robocast_net::uplink::probe::probe_uplink(&egress, &[target], None).await.unwrap();
        let why = robocast_daemon::journal::chain(&probed.result.unwrap_err());
        assert!(why.contains("live.example.net is not reached"), "{why}");
    });
}

#[test]
fn without_uplinks_in_the_settings_any_ethernet_is_taken() {
    world(async |world| {
        world.automatic();
        world.address("eth1", "10.2.0.1/24");
        world.address_server("eth1", &["10.2.0.50,10.2.0.60,255.255.255.0,2m"], &[]);
        let desired = DesiredUplinks {
            robot: vec!["eth0".into()],
            folder: world.folder(),
            ..DesiredUplinks::default()
        };
        let mut side = UplinkManager::new(PATIENCE);
        well(&mut side, &desired).await;
        world.until("eth1 is up", || side_up(&["eth1"])).await;
        side.refresh().await.unwrap();
        assert!(side.links().contains(&("eth1".to_owned(), true)), "{:?}", side.links());
        assert!(
            side.statuses(None)
                .iter()
                .any(|view| view.interface == "eth1" && view.address.starts_with("10.2.0."))
        );
        // Settings that name it take it over from NetworkManager's own profile.
        let mut named = two(world);
        named.profiles.remove(0);
        let outcome = well(&mut side, &named).await;
        assert!(outcome.steps.contains(&"use profile robocast-ethernet on eth1".to_owned()), "{outcome:?}");
    });
}
