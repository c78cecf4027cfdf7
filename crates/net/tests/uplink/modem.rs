//! A stand-in of ModemManager, which reports what a test wants: no modem is available.

use crate::manager::well;
use crate::world::{nmcli, world};
use robocast_net::uplink::{DesiredUplinks, UplinkManager};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zbus::{OwnedObjectPath, OwnedVariant, Variant, connection};

type Properties = HashMap<String, OwnedVariant>;

/// The current state of the modem.
#[derive(Clone, Default)]
struct Modem {
    state: i32,
    failed: u32,
    lock: u32,
    retries: HashMap<u32, u32>,
    registration: u32,
}

struct Manager(Arc<Mutex<Modem>>);

#[zbus::interface(name = "org.freedesktop.DBus.ObjectManager")]
impl Manager {
    fn get_managed_objects(&self) -> HashMap<OwnedObjectPath, HashMap<String, Properties>> {
        let modem = self.0.lock().unwrap().clone();
        let own = |value: Variant<'static>| value.try_into_owned().unwrap();
        let general = HashMap::from([
            ("State".to_owned(), own(modem.state.into())),
            ("StateFailedReason".to_owned(), own(modem.failed.into())),
            ("UnlockRequired".to_owned(), own(modem.lock.into())),
            ("UnlockRetries".to_owned(), own(modem.retries.into())),
            ("SignalQuality".to_owned(), own((60_u32, true).into())),
            ("PrimaryPort".to_owned(), own("cdc-wdm0".into())),
        ]);
        let network = HashMap::from([
            ("RegistrationState".to_owned(), own(modem.registration.into())),
            ("OperatorName".to_owned(), own("Telco".into())),
        ]);
        let interfaces = HashMap::from([
            ("org.freedesktop.ModemManager1.Modem".to_owned(), general),
            ("org.freedesktop.ModemManager1.Modem.Modem3gpp".to_owned(), network),
        ]);
        let path = OwnedObjectPath::try_from("/org/freedesktop/ModemManager1/Modem/0").unwrap();
        HashMap::from([(path, interfaces)])
    }
}

fn desired(pin: &str, roaming: bool) -> DesiredUplinks {
    let text = format!("schema = 1\n[uplink.lte]\napn = \"internet\"\nroaming = {roaming}\n{pin}\n");
    let checked = robocast_config::parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    DesiredUplinks::of(&checked.settings, std::path::Path::new("/run/robocast"))
}

#[test]
fn a_modems_state_is_said_in_words_and_a_wrong_pin_is_not_tried_twice() {
    world(async |_| {
        let modem = Arc::new(Mutex::new(Modem::default()));
        let bus = connection::Builder::system()
            .serve_at("/org/freedesktop/ModemManager1", Manager(modem.clone()))
            .name("org.freedesktop.ModemManager1")
            .build()
            .await
            .unwrap();
        let mut side = UplinkManager::new(Duration::from_secs(6));
        let is = |to: Modem| *modem.lock().unwrap() = to;
        let locked =
            |left: u32| Modem { state: 2, lock: 2, retries: HashMap::from([(2, left)]), ..Modem::default() };
        let registered = |registration| Modem { state: 8, lock: 1, registration, ..Modem::default() };
        let table = [
            (Modem { state: -1, failed: 2, ..Modem::default() }, "", false, "no SIM"),
            (locked(3), "", false, "add `pin`"),
            (registered(3), "", false, "Telco does not accept this SIM"),
            (registered(5), "", false, "roaming = true"),
            (registered(5), "", true, "in Telco (roaming), signal 60 %"),
            (registered(1), "", false, "in Telco, signal 60 %"),
        ];
        for (state, pin, roaming, words) in table {
            is(state);
            well(&mut side, &desired(pin, roaming)).await;
            let view = side.statuses(None);
            assert!(view[0].text.contains(words), "{view:?}");
            assert!(view[0].metered, "{view:?}");
        }
        let autoconnect = || nmcli("-g connection.autoconnect con show robocast-lte");
        let with = |pin: &str| desired(&format!("pin = \"{pin}\""), false);
        is(locked(3));
        well(&mut side, &with("1111")).await;
        assert_eq!(autoconnect(), "yes\n");
        is(locked(2));
        well(&mut side, &with("1111")).await;
        assert_eq!(autoconnect(), "no\n", "a PIN that was wrong is wrong");
        assert!(
            side.statuses(None)[0].text.contains("the PIN is wrong, 2 tries left"),
            "{:?}",
            side.statuses(None)
        );
        assert_eq!(well(&mut side, &with("1111")).await.steps, [] as [&str; 0]);
        well(&mut side, &with("2222")).await;
        assert_eq!(autoconnect(), "yes\n", "another one may be right");
        is(registered(1));
        well(&mut side, &with("2222")).await;
        assert_eq!(autoconnect(), "yes\n");
        bus.close().await.unwrap();
    });
}
