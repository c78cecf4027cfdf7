//! Uplinks that did not prove themselves when a stick brought them: until other settings come, those that were proven last go on.
//!
//! `robocast provision` says so in the file [`paths::former_uplinks`]: the SHA-256, in hex, of the settings that it means.
//! What it says of other settings is nothing: new settings are always tried, whenever the power went.

use robocast_config::Settings;
use robocast_daemon::{journal, paths};
use std::path::Path;

/// Puts the uplinks that were proven last into `settings`, which `path` holds, when theirs were taken back; whether they were.
pub fn take(path: &Path, settings: &mut Settings) -> bool {
    take_from(path, &paths::former_uplinks(), &paths::proven_settings(), settings)
}

fn take_from(path: &Path, said: &Path, proven: &Path, settings: &mut Settings) -> bool {
    let Ok(said) = std::fs::read_to_string(said) else { return false };
    let Ok(bytes) = robocast_config::read(path) else { return false };
    if said.trim() != hex(&bytes) {
        return false;
    }
    match robocast_config::load(proven) {
        Ok(checked) => {
            settings.uplink = checked.settings.uplink;
            true
        }
        Err(error) => {
            tracing::error!("the uplinks that were proven last are lost: {}", journal::chain(&error));
            false
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use robocast_daemon::atomic;

    fn wifi(ssid: &str) -> String {
        format!("schema = 1\n[[uplink.wifi]]\nssid = \"{ssid}\"\npassword = \"12345678\"\ncountry = \"US\"\n")
    }

    #[test]
    fn former_uplinks_stand_in_for_those_of_the_very_settings_that_were_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let put = |name: &str, text: &str| atomic::write(&file(name), text.as_bytes(), 0o600).unwrap();
        let ssid = || {
            let mut settings = robocast_config::load(&file("settings")).unwrap().settings;
            let former = take_from(&file("settings"), &file("said"), &file("proven"), &mut settings);
            (former, settings.uplink.wifi[0].ssid.clone())
        };
        put("settings", &wifi("new"));
        assert_eq!(ssid(), (false, "new".into()), "nothing is said");
        put("said", &hex(wifi("new").as_bytes()));
        assert_eq!(ssid(), (false, "new".into()), "nothing was ever proven");
        put("proven", &wifi("old"));
        assert_eq!(ssid(), (true, "old".into()));
        put("settings", &wifi("newer"));
        assert_eq!(ssid(), (false, "newer".into()), "other settings are tried");
    }
}
